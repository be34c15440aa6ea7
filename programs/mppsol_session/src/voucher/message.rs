//! The 50 bytes that a voucher's signature covers (draft-solana-session-00, "Voucher Signing"):
//! `0x56 0x01 || channel (32) || cumulative amount (u64 LE) || expires at (i64 LE, 0 = never)`.

use crate::errors::SessionError;

type Result<T> = core::result::Result<T, SessionError>;

/// Bytes of a signed voucher.
pub const VOUCHER_LEN: usize = 50;

/// The tag `V` and the format version.
pub const VOUCHER_MAGIC: [u8; 2] = [0x56, 0x01];

/// What a voucher grants: up to `cumulative` base units in all, until `expires_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub cumulative: u64,
    /// Unix seconds; 0 never expires. Valid while now < expires_at.
    pub expires_at: i64,
}

impl Terms {
    /// `now` is asked only if the voucher can expire.
    #[inline(always)]
    pub fn require_live(&self, now: &mut impl FnMut() -> Result<i64>) -> Result<()> {
        if self.expires_at != 0 && now()? >= self.expires_at {
            return Err(SessionError::VoucherExpired);
        }
        Ok(())
    }
}

/// A decoded voucher message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voucher<'a> {
    pub channel: &'a [u8; 32],
    pub terms: Terms,
}

impl<'a> Voucher<'a> {
    #[inline(always)]
    pub fn decode(message: &'a [u8; VOUCHER_LEN]) -> Result<Self> {
        if message[0] != VOUCHER_MAGIC[0] || message[1] != VOUCHER_MAGIC[1] {
            return Err(SessionError::VoucherBadMagic);
        }
        Ok(Self {
            channel: field::<2, 32>(message),
            terms: Terms {
                cumulative: u64::from_le_bytes(*field::<34, 8>(message)),
                expires_at: i64::from_le_bytes(*field::<42, 8>(message)),
            },
        })
    }
}

/// `N` bytes of the message at `AT`; that they lie inside is checked when this is compiled.
#[inline(always)]
fn field<const AT: usize, const N: usize>(message: &[u8; VOUCHER_LEN]) -> &[u8; N] {
    const { assert!(AT + N <= VOUCHER_LEN) };
    // SAFETY: in bounds by the assertion; byte arrays have alignment 1.
    unsafe { &*message.as_ptr().add(AT).cast::<[u8; N]>() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frozen_vector_decodes() {
        // pay-kit harness/vectors/session-voucher.json @9307ea1d: channel 32×0x09, 42, 1234.
        let mut message = [0x09; VOUCHER_LEN];
        message[..2].copy_from_slice(&[0x56, 0x01]);
        message[34..42].copy_from_slice(&42u64.to_le_bytes());
        message[42..].copy_from_slice(&1234i64.to_le_bytes());
        let voucher = Voucher::decode(&message).unwrap();
        assert_eq!(voucher.channel, &[9; 32]);
        assert_eq!(voucher.terms, Terms { cumulative: 42, expires_at: 1234 });
    }

    #[test]
    fn another_first_or_second_byte_is_not_a_voucher() {
        for (at, byte) in [(0, 0x80), (0, 0x01), (0, 0xff), (1, 0x00), (1, 0x02)] {
            let mut message = [0; VOUCHER_LEN];
            message[..2].copy_from_slice(&VOUCHER_MAGIC);
            message[at] = byte;
            assert_eq!(Voucher::decode(&message).unwrap_err(), SessionError::VoucherBadMagic);
        }
    }

    #[test]
    fn a_voucher_lives_while_now_is_before_its_expiry() {
        let terms = |expires_at| Terms { cumulative: 1, expires_at };
        let live = |expires_at, now| terms(expires_at).require_live(&mut || Ok(now)).is_ok();
        assert!(live(100, 99));
        assert!(!live(100, 100));
        assert!(!live(100, 101));
        assert!(live(0, i64::MAX));
        assert!(!live(-1, 0));
    }

    #[test]
    fn a_voucher_that_never_expires_asks_no_clock() {
        terms_without_clock(Terms { cumulative: 1, expires_at: 0 });
        fn terms_without_clock(terms: Terms) {
            terms.require_live(&mut || panic!("the clock was asked")).unwrap();
        }
    }
}
