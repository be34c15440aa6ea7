//! The splits of a channel: who, besides the payee, shares in what is settled. Only their hash is stored; the
//! list itself comes with the instruction (draft-solana-session-00, "Distribution Splits").

use anchor_lang::prelude::*;

use crate::constants::{BPS_DENOMINATOR, MAX_SPLITS};
use crate::errors::SessionError;

type Result<T> = core::result::Result<T, SessionError>;

/// One share, in place in the instruction's 34 bytes: `recipient` gets `bps` ten-thousandths.
#[derive(bytemuck::Pod, bytemuck::Zeroable, Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, packed)]
pub struct Entry {
    pub recipient: Pubkey,
    pub bps: u16,
}

const _: () = assert!(core::mem::size_of::<Entry>() == 34);

/// A list of shares that keeps every rule, over the bytes it was read from:
/// `count (u32 LE) || (recipient (32) || bps (u16 LE)) × count`.
#[derive(Debug, Clone, Copy)]
pub struct Splits<'a> {
    pub entries: &'a [Entry],
    /// What the payee gets: all that the entries leave over.
    pub payee_bps: u16,
    bytes: &'a [u8],
}

impl<'a> Splits<'a> {
    /// Reads `bytes` to the last: at most 32 shares, none zero, together at most 10,000, no recipient twice.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (count, rest) = bytes.split_first_chunk::<4>().ok_or(SessionError::InvalidInstructionData)?;
        let count = u32::from_le_bytes(*count);
        if count > MAX_SPLITS {
            return Err(SessionError::InvalidRecipientCount);
        }
        if rest.len() != (count as usize).wrapping_mul(core::mem::size_of::<Entry>()) {
            return Err(SessionError::InvalidInstructionData);
        }
        let entries: &[Entry] = bytemuck::try_cast_slice(rest).map_err(|_| SessionError::InvalidInstructionData)?;
        let mut left = BPS_DENOMINATOR as u16;
        for (i, entry) in entries.iter().enumerate() {
            let bps = entry.bps;
            if bps == 0 {
                return Err(SessionError::InvalidSplitConfig);
            }
            left = left.checked_sub(bps).ok_or(SessionError::InvalidSplitConfig)?;
            if entries[..i].iter().any(|earlier| earlier.recipient == entry.recipient) {
                return Err(SessionError::DuplicateRecipient);
            }
        }
        Ok(Self { entries, payee_bps: left, bytes })
    }

    pub fn names(&self, address: &Pubkey) -> bool {
        self.entries.iter().any(|entry| entry.recipient == *address)
    }

    /// SHA-256 over the bytes: what `open` stores and `settle` compares.
    pub fn hash(&self) -> [u8; 32] {
        solana_sha256_hasher::hash(self.bytes).to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(entries: &[(u8, u16)]) -> Vec<u8> {
        let mut bytes = (entries.len() as u32).to_le_bytes().to_vec();
        for (who, bps) in entries {
            bytes.extend_from_slice(&[*who; 32]);
            bytes.extend_from_slice(&bps.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn an_empty_list_leaves_everything_to_the_payee() {
        let bytes = encode(&[]);
        let splits = Splits::parse(&bytes).unwrap();
        assert_eq!((splits.entries.len(), splits.payee_bps), (0, 10_000));
    }

    #[test]
    fn the_whole_may_go_to_others_than_the_payee() {
        assert_eq!(Splits::parse(&encode(&[(1, 9_999), (2, 1)])).unwrap().payee_bps, 0);
    }

    #[test]
    fn each_broken_rule_has_its_own_number() {
        let too_many: Vec<_> = (0..33).map(|i| (i, 1)).collect();
        for (entries, error) in [
            (too_many.as_slice(), SessionError::InvalidRecipientCount),
            (&[(1, 0)], SessionError::InvalidSplitConfig),
            (&[(1, 9_999), (2, 2)], SessionError::InvalidSplitConfig),
            (&[(1, 65_535)], SessionError::InvalidSplitConfig),
            (&[(1, 5), (2, 5), (1, 5)], SessionError::DuplicateRecipient),
        ] {
            assert_eq!(Splits::parse(&encode(entries)).unwrap_err(), error);
        }
        let mut longer = encode(&[(1, 5)]);
        longer.push(0);
        let shorter = &encode(&[(1, 5)])[..37];
        for bytes in [longer.as_slice(), shorter, &[], &[0, 0, 0], &[1, 0, 0, 0]] {
            assert_eq!(Splits::parse(bytes).unwrap_err(), SessionError::InvalidInstructionData);
        }
    }

    #[test]
    fn a_list_of_32_is_the_longest() {
        let entries: Vec<_> = (0..32).map(|i| (i, 312)).collect();
        assert_eq!(Splits::parse(&encode(&entries)).unwrap().payee_bps, 16);
    }
}
