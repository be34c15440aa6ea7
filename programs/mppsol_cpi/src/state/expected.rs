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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::receipt::tests::{attested, paid, NOW};

    fn expected() -> Expected {
        let receipt = paid();
        Expected {
            payer: Some(receipt.payer),
            recipient: receipt.recipient,
            mint: receipt.mint,
            amount: receipt.amount,
            request_hash: receipt.request_hash,
            consumer: receipt.consumer,
            result: ExpectedResult::Hash([0xdd; 32]),
        }
    }

    fn refusal(receipt: &Receipt, change: impl FnOnce(&mut Expected)) -> Error {
        let mut terms = expected();
        change(&mut terms);
        receipt.check_at(&terms, NOW).unwrap_err()
    }

    #[test]
    fn a_receipt_on_the_expected_terms_passes() {
        assert!(attested().check_at(&expected(), NOW).is_ok());
        assert!(attested().check_at(&Expected { payer: None, ..expected() }, NOW).is_ok());
    }

    #[test]
    fn another_payer_is_refused() {
        assert_eq!(refusal(&attested(), |e| e.payer = Some(crate::ID)), PayError::PayerMismatch.into());
    }

    #[test]
    fn another_recipient_is_refused() {
        assert_eq!(refusal(&attested(), |e| e.recipient = crate::ID), PayError::RecipientMismatch.into());
    }

    #[test]
    fn another_mint_is_refused() {
        assert_eq!(refusal(&attested(), |e| e.mint = crate::ID), PayError::MintMismatch.into());
    }

    #[test]
    fn one_base_unit_more_or_less_is_refused() {
        assert_eq!(refusal(&attested(), |e| e.amount += 1), PayError::AmountMismatch.into());
        assert_eq!(refusal(&attested(), |e| e.amount -= 1), PayError::AmountMismatch.into());
    }

    #[test]
    fn another_request_is_refused() {
        assert_eq!(refusal(&attested(), |e| e.request_hash[31] ^= 1), PayError::RequestHashMismatch.into());
    }

    #[test]
    fn a_receipt_that_somebody_else_can_consume_is_refused() {
        assert_eq!(refusal(&attested(), |e| e.consumer = crate::ID), PayError::ConsumerMismatch.into());
    }

    #[test]
    fn another_result_is_refused() {
        let other = ExpectedResult::Hash([0xde; 32]);
        assert_eq!(refusal(&attested(), |e| e.result = other), PayError::ResultHashMismatch.into());
    }

    #[test]
    fn a_receipt_without_a_result_is_refused_where_one_is_asked() {
        for result in [ExpectedResult::Attested, ExpectedResult::Hash([0; 32]), ExpectedResult::AsPaid] {
            assert_eq!(refusal(&paid(), |e| e.result = result), PayError::ReceiptNotAttested.into());
        }
        let simple = Receipt { needs_attestation: false, ..paid() };
        assert!(simple.check_at(&Expected { result: ExpectedResult::AsPaid, ..expected() }, NOW).is_ok());
        assert_eq!(refusal(&simple, |e| e.result = ExpectedResult::Attested), PayError::ReceiptNotAttested.into());
    }

    #[test]
    fn a_consumed_receipt_is_refused_whatever_is_expected() {
        let mut receipt = attested();
        receipt.consume(NOW).unwrap();
        for result in [ExpectedResult::AsPaid, ExpectedResult::Attested, expected().result] {
            assert_eq!(refusal(&receipt, |e| e.result = result), PayError::ReceiptConsumed.into());
        }
    }

    #[test]
    fn a_receipt_passes_until_the_second_it_expires_in() {
        let receipt = attested();
        let at = |now| receipt.check_at(&expected(), now);
        assert!(at(receipt.expires_at - 1).is_ok());
        assert_eq!(at(receipt.expires_at).unwrap_err(), PayError::ReceiptExpired.into());
        assert_eq!(at(receipt.expires_at + 1).unwrap_err(), PayError::ReceiptExpired.into());
    }

    #[test]
    fn a_receipt_of_an_unknown_version_is_refused() {
        let receipt = Receipt { version: 2, ..attested() };
        assert_eq!(refusal(&receipt, |_| ()), PayError::UnsupportedReceiptVersion.into());
    }
}
