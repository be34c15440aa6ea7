//! What a receipt must say to be worth anything to whoever asks. `verify` asks by CPI, `Receipt::check` without one.

use anchor_lang::prelude::*;

use crate::errors::PayError;
use crate::state::receipt::{Receipt, Status};

/// The terms that somebody expects of a receipt.
#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// None accepts any payer.
    pub payer: Option<Pubkey>,
    pub recipient: Pubkey,
    pub mint: Pubkey,
    /// Base units, exactly.
    pub amount: u64,
    pub request_hash: [u8; 32],
    /// Who may consume it: whoever relies on a receipt should be the one that can use it up.
    pub consumer: Pubkey,
    pub result: ExpectedResult,
}

/// What the recipient must have attested.
#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedResult {
    /// Something, if the receipt was paid on that condition.
    AsPaid,
    /// Something.
    Attested,
    /// This.
    Hash([u8; 32]),
}

impl Receipt {
    /// The receipt is good at this moment for these terms: every term is as expected, it is not expired, not
    /// consumed, and attested where that is asked. It is not consumed by asking.
    pub fn check(&self, expected: &Expected) -> Result<()> {
        self.check_at(expected, Clock::get()?.unix_timestamp)
    }

    /// As `check`, at the time `now` in unix seconds.
    pub fn check_at(&self, expected: &Expected, now: i64) -> Result<()> {
        self.require_known_version()?;
        require!(expected.payer.is_none_or(|payer| payer == self.payer), PayError::PayerMismatch);
        require!(expected.recipient == self.recipient, PayError::RecipientMismatch);
        require!(expected.mint == self.mint, PayError::MintMismatch);
        require!(expected.amount == self.amount, PayError::AmountMismatch);
        require!(expected.request_hash == self.request_hash, PayError::RequestHashMismatch);
        require!(expected.consumer == self.consumer, PayError::ConsumerMismatch);
        self.require_live(now)?;
        match expected.result {
            ExpectedResult::AsPaid => self.require_attested_as_paid(),
            ExpectedResult::Attested => self.require_attested(),
            ExpectedResult::Hash(hash) => {
                self.require_attested()?;
                require!(hash == self.result_hash, PayError::ResultHashMismatch);
                Ok(())
            }
        }
    }

    fn require_attested(&self) -> Result<()> {
        require!(self.status == Status::Attested, PayError::ReceiptNotAttested);
        Ok(())
    }
}
