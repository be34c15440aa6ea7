//! A batch voucher: one signature over target watermarks of many channels that share a signer. The message is the
//! one that ADR-004 of solana-foundation/payment-channels proposes:
//! `0x56 0x02 || count (u8) || expires at (i64 LE) || channels hash (32) || target (u64 LE) × count`.

use solana_sha256_hasher::hashv;

use crate::constants::MAX_BATCH;
use crate::errors::SessionError;
use crate::voucher::message::Terms;

type Result<T> = core::result::Result<T, SessionError>;

pub const BATCH_MAGIC: [u8; 2] = [0x56, 0x02];

/// Separates the channel list's hash from every other hash.
pub const BATCH_DOMAIN: &[u8] = b"payment_channels:batch_voucher:v2";

const HEADER_LEN: usize = 43;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchVoucher<'a> {
    /// Unix seconds; 0 never expires.
    pub expires_at: i64,
    pub channels_hash: &'a [u8; 32],
    targets: &'a [[u8; 8]],
}

impl<'a> BatchVoucher<'a> {
    /// Reads `message` to the last byte.
    pub fn decode(message: &'a [u8]) -> Result<Self> {
        if message.get(..2) != Some(&BATCH_MAGIC) {
            return Err(SessionError::VoucherBadMagic);
        }
        let (header, targets) =
            message.split_first_chunk::<HEADER_LEN>().ok_or(SessionError::MalformedEd25519Instruction)?;
        let [_, _, count, rest @ ..] = header;
        if *count == 0 || *count > MAX_BATCH {
            return Err(SessionError::InvalidBatchCount);
        }
        let (expires_at, channels_hash) =
            rest.split_first_chunk::<8>().ok_or(SessionError::MalformedEd25519Instruction)?;
        let targets: &[[u8; 8]] =
            bytemuck::try_cast_slice(targets).map_err(|_| SessionError::MalformedEd25519Instruction)?;
        if targets.len() != usize::from(*count) {
            return Err(SessionError::MalformedEd25519Instruction);
        }
        Ok(Self {
            expires_at: i64::from_le_bytes(*expires_at),
            channels_hash: channels_hash.try_into().map_err(|_| SessionError::MalformedEd25519Instruction)?,
            targets,
        })
    }

    /// Base units, one a channel, in the order of the signed list.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = u64> + 'a {
        self.targets.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }

    pub fn require_live(&self, mut now: impl FnMut() -> Result<i64>) -> Result<()> {
        Terms { cumulative: 0, expires_at: self.expires_at }.require_live(&mut now)
    }
}

/// SHA-256 over the domain, the program, the count and the channels, in order. At most 60 channels.
pub fn channels_hash<'a>(
    program: &'a [u8; 32],
    channels: impl ExactSizeIterator<Item = &'a [u8; 32]>,
) -> Result<[u8; 32]> {
    let count = u8::try_from(channels.len()).map_err(|_| SessionError::InvalidBatchCount)?;
    if count > MAX_BATCH {
        return Err(SessionError::InvalidBatchCount);
    }
    let count_byte = [count];
    let mut parts: [&[u8]; 3 + MAX_BATCH as usize] = [&[]; 3 + MAX_BATCH as usize];
    parts[0] = BATCH_DOMAIN;
    parts[1] = program;
    parts[2] = &count_byte;
    for (part, channel) in parts[3..].iter_mut().zip(channels) {
        *part = channel;
    }
    Ok(hashv(&parts[..usize::from(count).wrapping_add(3)]).to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(count: u8, targets: &[u64]) -> Vec<u8> {
        let mut bytes = BATCH_MAGIC.to_vec();
        bytes.push(count);
        bytes.extend_from_slice(&77i64.to_le_bytes());
        bytes.extend_from_slice(&[5; 32]);
        targets.iter().for_each(|t| bytes.extend_from_slice(&t.to_le_bytes()));
        bytes
    }

    #[test]
    fn a_batch_decodes_to_its_targets() {
        let bytes = message(3, &[1, u64::MAX, 3]);
        let batch = BatchVoucher::decode(&bytes).unwrap();
        assert_eq!((batch.expires_at, batch.channels_hash), (77, &[5; 32]));
        assert_eq!(batch.targets().collect::<Vec<_>>(), [1, u64::MAX, 3]);
    }

    #[test]
    fn a_single_voucher_is_no_batch_and_counts_must_match() {
        let mut single = message(1, &[1]);
        single[1] = 1;
        assert_eq!(BatchVoucher::decode(&single).unwrap_err(), SessionError::VoucherBadMagic);
        assert_eq!(BatchVoucher::decode(&[]).unwrap_err(), SessionError::VoucherBadMagic);
        assert_eq!(BatchVoucher::decode(&message(0, &[])).unwrap_err(), SessionError::InvalidBatchCount);
        assert_eq!(BatchVoucher::decode(&message(61, &[1; 61])).unwrap_err(), SessionError::InvalidBatchCount);
        for bytes in [message(2, &[1]), message(1, &[1, 2]), message(1, &[1])[..50].to_vec()] {
            assert_eq!(BatchVoucher::decode(&bytes).unwrap_err(), SessionError::MalformedEd25519Instruction);
        }
    }

    #[test]
    fn the_list_hash_covers_program_count_and_order() {
        let (a, b, p, q) = ([1; 32], [2; 32], [3; 32], [4; 32]);
        let hash = |program, list: &[&[u8; 32]]| channels_hash(program, list.iter().copied()).unwrap();
        let base = hash(&p, &[&a, &b]);
        assert_eq!(base, hash(&p, &[&a, &b]));
        for other in [hash(&q, &[&a, &b]), hash(&p, &[&b, &a]), hash(&p, &[&a]), hash(&p, &[&a, &b, &b])] {
            assert_ne!(base, other);
        }
    }
}
