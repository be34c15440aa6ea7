//! The channel account: 256 bytes, and the transitions between its states. Each transition checks first and
//! writes last; who may call it is the handler's business.

use anchor_lang::prelude::*;

use crate::constants::{CHANNEL_LEN, CHANNEL_VERSION, OPEN_SLOT_WINDOW};
use crate::errors::SessionError;
use crate::voucher::Terms;

type Result<T> = core::result::Result<T, SessionError>;

/// Where a channel stands. The byte values are the standard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Takes vouchers and deposits.
    Open = 0,
    /// The watermark is final; what remains is to pay.
    Sealed = 1,
    /// The payer asked to leave; the payee has the grace period to cash its last voucher.
    Closing = 2,
    /// Paid out and empty; only its rent is left.
    Distributed = 3,
}

/// One payment channel. Field order is the standard's byte layout; amounts are base units, times unix seconds.
///
/// Always: `payout_watermark <= settled <= deposit`.
#[account(zero_copy(unsafe), discriminator = 1)]
#[derive(Debug, PartialEq, Eq)]
#[repr(C, packed)]
pub struct Channel {
    /// `CHANNEL_VERSION`.
    pub version: u8,
    /// Canonical bump of the channel's address.
    pub bump: u8,
    /// A `Status`.
    pub status: u8,
    /// Chosen by the payer; a seed.
    pub salt: u64,
    /// All that was ever deposited and not refunded by `rearm`.
    pub deposit: u64,
    /// Cumulative amount that vouchers have authorized.
    pub settled: u64,
    /// The part of `settled` that was paid out.
    pub payout_watermark: u64,
    /// When the payer asked to leave; 0 unless closing.
    pub closure_started_at: i64,
    /// When the payer's refund was paid; 0 until then.
    pub payer_withdrawn_at: i64,
    /// Seconds from `revoke` to `seal`; never 0.
    pub grace_period: u32,
    /// SHA-256 of the splits.
    pub distribution_hash: [u8; 32],
    /// Deposits, and gets the refund.
    pub payer: Pubkey,
    /// Gets what the splits leave over.
    pub payee: Pubkey,
    /// Signs vouchers.
    pub authorized_signer: Pubkey,
    pub mint: Pubkey,
    /// Paid the rent, and gets it back.
    pub rent_payer: Pubkey,
    /// Chosen by the payer, checked at `open`; a seed, so that no address holds two channels.
    pub open_slot: u64,
}

const _: () = assert!(core::mem::size_of::<Channel>() + Channel::DISCRIMINATOR.len() == CHANNEL_LEN);
const _: () = assert!(core::mem::align_of::<Channel>() == 1);

impl Channel {
    /// Reads the bytes of a channel account; the caller has checked its owner.
    pub fn load(data: &[u8]) -> Result<&Self> {
        let body = Self::check_header(data)?;
        bytemuck::try_from_bytes(&data[body..]).map_err(|_| SessionError::ChannelSizeMismatch)
    }

    /// As `load`, to write.
    pub fn load_mut(data: &mut [u8]) -> Result<&mut Self> {
        let body = Self::check_header(data)?;
        bytemuck::try_from_bytes_mut(&mut data[body..]).map_err(|_| SessionError::ChannelSizeMismatch)
    }

    #[inline(always)]
    fn check_header(data: &[u8]) -> Result<usize> {
        if data.len() != CHANNEL_LEN {
            return Err(SessionError::ChannelSizeMismatch);
        }
        if data[0] != Self::DISCRIMINATOR[0] {
            return Err(SessionError::InvalidAccountDiscriminator);
        }
        if data[1] != CHANNEL_VERSION {
            return Err(SessionError::UnsupportedChannelVersion);
        }
        Ok(1)
    }

    #[inline(always)]
    pub fn status(&self) -> Result<Status> {
        match self.status {
            0 => Ok(Status::Open),
            1 => Ok(Status::Sealed),
            2 => Ok(Status::Closing),
            3 => Ok(Status::Distributed),
            _ => Err(SessionError::InvalidChannelStatus),
        }
    }

    fn require(&self, status: Status) -> Result<()> {
        if self.status == status as u8 {
            Ok(())
        } else {
            Err(SessionError::InvalidChannelStatus)
        }
    }

    /// First second at which a closing channel may be sealed.
    fn deadline(&self) -> Result<i64> {
        self.closure_started_at.checked_add(i64::from(self.grace_period)).ok_or(SessionError::SealDeadlineOverflow)
    }

    /// Whether vouchers still count: while open, and while closing until the grace period ends.
    #[inline(always)]
    fn require_cashable(&self, now: &mut impl FnMut() -> Result<i64>) -> Result<()> {
        match self.status()? {
            Status::Open => Ok(()),
            Status::Closing if now()? < self.deadline()? => Ok(()),
            _ => Err(SessionError::InvalidChannelStatus),
        }
    }

    /// Open or closing within grace → the same: raises the watermark to the voucher's amount.
    /// `now` is asked only when the answer depends on it. Returns by how much the watermark rose.
    #[inline(always)]
    pub fn debit(&mut self, terms: &Terms, mut now: impl FnMut() -> Result<i64>) -> Result<u64> {
        self.require_cashable(&mut now)?;
        terms.require_live(&mut now)?;
        if terms.cumulative > self.deposit {
            return Err(SessionError::VoucherOverDeposit);
        }
        if terms.cumulative <= self.settled {
            return Err(SessionError::VoucherWatermarkNotMonotonic);
        }
        let rise = terms.cumulative.wrapping_sub(self.settled);
        self.settled = terms.cumulative;
        Ok(rise)
    }

    /// As `debit`, for one entry of a batch whose expiry was checked: an amount already settled changes nothing,
    /// in whatever state the channel is.
    pub fn debit_target(&mut self, target: u64, mut now: impl FnMut() -> Result<i64>) -> Result<u64> {
        if target == 0 {
            return Err(SessionError::BatchTargetZero);
        }
        if target > self.deposit {
            return Err(SessionError::VoucherOverDeposit);
        }
        if target <= self.settled {
            return Ok(0);
        }
        self.require_cashable(&mut now)?;
        let rise = target.wrapping_sub(self.settled);
        self.settled = target;
        Ok(rise)
    }

    /// Open → open: the deposit grows.
    pub fn topup(&mut self, amount: u64) -> Result<()> {
        if amount == 0 {
            return Err(SessionError::DepositMustBeNonZero);
        }
        self.require(Status::Open)?;
        self.deposit = self.deposit.checked_add(amount).ok_or(SessionError::TopUpDepositOverflow)?;
        Ok(())
    }

    /// Open → closing: the grace period starts. Asking again changes nothing and is refused.
    pub fn revoke(&mut self, now: i64) -> Result<()> {
        self.require(Status::Open)?;
        if now <= 0 {
            return Err(SessionError::ClockOutOfRange);
        }
        self.closure_started_at = now;
        self.status = Status::Closing as u8;
        Ok(())
    }

    /// Closing → sealed, once the grace period has ended.
    pub fn seal(&mut self, now: i64) -> Result<()> {
        self.require(Status::Closing)?;
        if now < self.deadline()? {
            return Err(SessionError::SealGracePeriodNotElapsed);
        }
        self.freeze_watermark();
        Ok(())
    }

    /// Open, or closing within grace → sealed, after one last voucher if there is one.
    pub fn close(&mut self, last: Option<&Terms>, mut now: impl FnMut() -> Result<i64>) -> Result<()> {
        match last {
            Some(terms) => {
                self.debit(terms, now)?;
            }
            None => self.require_cashable(&mut now)?,
        }
        self.freeze_watermark();
        Ok(())
    }

    #[inline(always)]
    fn freeze_watermark(&mut self) {
        self.status = Status::Sealed as u8;
        self.closure_started_at = 0;
    }

    /// Sealed → sealed: the payer's refund, once. Returns the base units to pay.
    pub fn withdraw_payer(&mut self, now: i64) -> Result<u64> {
        self.require(Status::Sealed)?;
        if self.payer_withdrawn_at != 0 {
            return Err(SessionError::PayerAlreadyWithdrawn);
        }
        if now <= 0 {
            return Err(SessionError::ClockOutOfRange);
        }
        self.payer_withdrawn_at = now;
        self.unspent()
    }

    /// What was deposited and is not authorized by any voucher, in base units.
    pub fn unspent(&self) -> Result<u64> {
        self.deposit.checked_sub(self.settled).ok_or(SessionError::RefundCalculationOverflow)
    }

    /// Whether the address may be freed: after this, `open` can never derive it again.
    pub fn is_past_window(&self, slot: u64) -> bool {
        matches!(self.open_slot.checked_add(OPEN_SLOT_WINDOW), Some(last) if slot > last)
    }

    /// Distributed → gone, once the window has passed.
    pub fn reclaim(&self, slot: u64) -> Result<()> {
        self.require(Status::Distributed)?;
        if !self.is_past_window(slot) {
            return Err(SessionError::ChannelCloseTooEarly);
        }
        Ok(())
    }

    /// Called after every write that is followed by a transfer.
    pub fn invariant(&self) -> Result<()> {
        if self.payout_watermark <= self.settled && self.settled <= self.deposit && self.grace_period > 0 {
            Ok(())
        } else {
            Err(SessionError::ChannelInvariantViolated)
        }
    }
}

/// Whether `open_slot` may be opened in slot `now`: not in the future, and at most the window old.
pub fn require_in_window(open_slot: u64, now: u64) -> Result<()> {
    match now.checked_sub(open_slot) {
        Some(age) if age <= OPEN_SLOT_WINDOW => Ok(()),
        _ => Err(SessionError::OpenSlotOutOfWindow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A channel as the first release wrote it. Never change these bytes: channels on chain have this layout.
    fn released() -> [u8; CHANNEL_LEN] {
        let mut bytes = [0; CHANNEL_LEN];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, &[1, 1, 254, 2]);
        put(4, &0x1122_3344_5566_7788u64.to_le_bytes());
        put(12, &1_000u64.to_le_bytes());
        put(20, &700u64.to_le_bytes());
        put(28, &300u64.to_le_bytes());
        put(36, &1_795_000_000i64.to_le_bytes());
        put(44, &0i64.to_le_bytes());
        put(52, &900u32.to_le_bytes());
        put(56, &[0xd1; 32]);
        put(88, &[0xa1; 32]);
        put(120, &[0xa2; 32]);
        put(152, &[0xa3; 32]);
        put(184, &[0xa4; 32]);
        put(216, &[0xa5; 32]);
        put(248, &4_321u64.to_le_bytes());
        bytes
    }

    #[test]
    fn a_channel_of_the_first_release_loads_field_by_field() {
        let bytes = released();
        let channel = *Channel::load(&bytes).unwrap();
        let key = |byte| Pubkey::new_from_array([byte; 32]);
        assert_eq!(channel.status(), Ok(Status::Closing));
        assert_eq!(
            channel,
            Channel {
                version: 1,
                bump: 254,
                status: 2,
                salt: 0x1122_3344_5566_7788,
                deposit: 1_000,
                settled: 700,
                payout_watermark: 300,
                closure_started_at: 1_795_000_000,
                payer_withdrawn_at: 0,
                grace_period: 900,
                distribution_hash: [0xd1; 32],
                payer: key(0xa1),
                payee: key(0xa2),
                authorized_signer: key(0xa3),
                mint: key(0xa4),
                rent_payer: key(0xa5),
                open_slot: 4_321,
            }
        );
    }

    #[test]
    fn what_is_written_is_what_was_released() {
        let mut bytes = released();
        let copy = *Channel::load(&bytes).unwrap();
        *Channel::load_mut(&mut bytes).unwrap() = copy;
        assert_eq!(bytes, released());
    }
}
