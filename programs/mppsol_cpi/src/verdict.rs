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
