//! What `verify` answers by return data, and how a caller reads it: 77 bytes,
//! `"mpv1" || receipt (32) || attested (1) || result hash (32) || expires at (i64 LE)`.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::program::get_return_data;

use crate::constants::VERDICT_TAG;
use crate::errors::PayError;
use crate::state::{Receipt, Status};

/// A receipt matched the terms that `verify` was asked about.
#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// `VERDICT_TAG`.
    pub tag: [u8; 4],
    pub receipt: Pubkey,
    pub attested: bool,
    /// Zero unless attested.
    pub result_hash: [u8; 32],
    /// Unix seconds; 0 never expires.
    pub expires_at: i64,
}

impl Verdict {
    pub fn on(address: Pubkey, receipt: &Receipt) -> Self {
        Self {
            tag: VERDICT_TAG,
            receipt: address,
            attested: receipt.status == Status::Attested,
            result_hash: receipt.result_hash,
            expires_at: receipt.expires_at,
        }
    }

    /// The verdict on `receipt` that this program has just returned to the caller. Anything that was called in
    /// between may have set return data of its own, so this insists on the program, the tag and the receipt. Anchor's
    /// `Return::get` does not.
    pub fn read(receipt: &Pubkey) -> Result<Self> {
        let (program, data) = get_return_data().ok_or(error!(PayError::NotAVerdict))?;
        Self::decode(&program, &data, receipt)
    }

    fn decode(program: &Pubkey, data: &[u8], receipt: &Pubkey) -> Result<Self> {
        require!(*program == crate::ID, PayError::NotAVerdict);
        let verdict = Self::try_from_slice(data).map_err(|_| error!(PayError::NotAVerdict))?;
        require!(verdict.tag == VERDICT_TAG && verdict.receipt == *receipt, PayError::NotAVerdict);
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::receipt::tests::{attested, paid};

    const RECEIPT: Pubkey = Pubkey::new_from_array([8; 32]);

    fn bytes(verdict: &Verdict) -> Vec<u8> {
        let mut data = vec![];
        verdict.serialize(&mut data).unwrap();
        data
    }

    #[test]
    fn a_verdict_is_77_bytes_in_the_documented_order() {
        let receipt = attested();
        let data = bytes(&Verdict::on(RECEIPT, &receipt));
        assert_eq!(data.len(), 77);
        assert_eq!(&data[..4], b"mpv1");
        assert_eq!((&data[4..36], data[36]), (&[8; 32][..], 1));
        assert_eq!((&data[37..69], &data[69..]), (&[0xdd; 32][..], &receipt.expires_at.to_le_bytes()[..]));
    }

    #[test]
    fn a_receipt_without_a_result_says_so() {
        let verdict = Verdict::on(RECEIPT, &paid());
        assert_eq!((verdict.attested, verdict.result_hash), (false, [0; 32]));
    }

    #[test]
    fn only_this_programs_verdict_on_this_receipt_is_read() {
        let verdict = Verdict::on(RECEIPT, &paid());
        let data = bytes(&verdict);
        assert_eq!(Verdict::decode(&crate::ID, &data, &RECEIPT).unwrap(), verdict);
        let (other, mut tagged, mut longer) = (Pubkey::new_from_array([9; 32]), data.clone(), data.clone());
        tagged[3] = b'2';
        longer.push(0);
        for (program, data, receipt) in [
            (&other, &data, &RECEIPT),
            (&crate::ID, &data, &other),
            (&crate::ID, &tagged, &RECEIPT),
            (&crate::ID, &longer, &RECEIPT),
            (&crate::ID, &data[..76].to_vec(), &RECEIPT),
            (&crate::ID, &vec![], &RECEIPT),
        ] {
            assert_eq!(Verdict::decode(program, data, receipt).unwrap_err(), PayError::NotAVerdict.into());
        }
    }
}
