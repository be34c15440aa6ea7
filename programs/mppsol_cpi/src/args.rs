//! Arguments of the instructions, and what makes a payment's terms sound.

use anchor_lang::prelude::*;

use crate::constants::PAY_SLOT_WINDOW;
use crate::errors::PayError;

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayArgs {
    /// Base units; not 0.
    pub amount: u64,
    /// What the payment is for, hashed by rules of payer and recipient; not all zero.
    pub request_hash: [u8; 32],
    /// Tells payments of one payer in one slot apart; part of the address.
    pub nonce: u64,
    /// A slot of the last 1,500; part of the address.
    pub pay_slot: u64,
    /// Unix seconds; the receipt counts while now < expires_at. 0 never expires.
    pub expires_at: i64,
    /// Who alone may consume the receipt.
    pub consumer: Pubkey,
    /// Whether the receipt counts only once the recipient has attested a result.
    pub needs_attestation: bool,
}

/// As `PayArgs`. A payment from a channel always needs an attestation.
#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayFromSessionArgs {
    /// Base units by which the voucher must raise the channel's watermark; not 0.
    pub amount: u64,
    pub request_hash: [u8; 32],
    /// Tells payments from one channel in one slot apart; part of the address.
    pub nonce: u64,
    pub pay_slot: u64,
    /// Unix seconds; not 0.
    pub expires_at: i64,
    pub consumer: Pubkey,
}

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttestArgs {
    /// What the recipient delivered, hashed by rules of payer and recipient; not all zero.
    pub result_hash: [u8; 32],
}

impl PayArgs {
    /// Whether a receipt on these terms may be made now.
    pub fn validate(&self, clock: &Clock) -> Result<()> {
        require!(self.amount > 0, PayError::AmountMustBeNonZero);
        require!(self.request_hash != [0; 32], PayError::RequestHashMustBeNonZero);
        require!(self.consumer != Pubkey::default(), PayError::ConsumerMustBeNamed);
        if self.expires_at == 0 {
            // Otherwise a silent recipient could hold the rent for ever.
            require!(!self.needs_attestation, PayError::ExpiryRequired);
        } else {
            require!(clock.unix_timestamp < self.expires_at, PayError::ExpiryNotInTheFuture);
        }
        match clock.slot.checked_sub(self.pay_slot) {
            Some(age) if age <= PAY_SLOT_WINDOW => Ok(()),
            _ => err!(PayError::PaySlotOutOfWindow),
        }
    }
}

impl PayFromSessionArgs {
    /// The same terms, as of a plain payment.
    pub fn terms(&self) -> PayArgs {
        PayArgs {
            amount: self.amount,
            request_hash: self.request_hash,
            nonce: self.nonce,
            pay_slot: self.pay_slot,
            expires_at: self.expires_at,
            consumer: self.consumer,
            // Only the payee knows whether it already delivered something for this voucher.
            needs_attestation: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock =
        Clock { slot: 10_000, epoch_start_timestamp: 0, epoch: 0, leader_schedule_epoch: 0, unix_timestamp: 1_000 };

    fn good() -> PayArgs {
        PayArgs {
            amount: 1,
            request_hash: [1; 32],
            nonce: 0,
            pay_slot: 10_000,
            expires_at: 1_001,
            consumer: Pubkey::new_from_array([2; 32]),
            needs_attestation: true,
        }
    }

    fn answer(change: impl FnOnce(&mut PayArgs)) -> std::result::Result<(), Error> {
        let mut args = good();
        change(&mut args);
        args.validate(&CLOCK)
    }

    #[test]
    fn sound_terms_are_accepted_up_to_each_boundary() {
        let changes: [fn(&mut PayArgs); 5] = [
            |_| (),
            |a| a.pay_slot = 8_500,
            |a| a.expires_at = i64::MAX,
            |a| (a.expires_at, a.needs_attestation) = (0, false),
            |a| a.amount = u64::MAX,
        ];
        for change in changes {
            assert!(answer(change).is_ok());
        }
    }

    #[test]
    fn each_unsound_term_has_its_own_number() {
        type Change = fn(&mut PayArgs);
        let cases: [(Change, PayError); 9] = [
            (|a| a.amount = 0, PayError::AmountMustBeNonZero),
            (|a| a.request_hash = [0; 32], PayError::RequestHashMustBeNonZero),
            (|a| a.consumer = Pubkey::default(), PayError::ConsumerMustBeNamed),
            (|a| a.expires_at = 1_000, PayError::ExpiryNotInTheFuture),
            (|a| a.expires_at = -1, PayError::ExpiryNotInTheFuture),
            (|a| a.expires_at = 0, PayError::ExpiryRequired),
            (|a| a.pay_slot = 10_001, PayError::PaySlotOutOfWindow),
            (|a| a.pay_slot = 8_499, PayError::PaySlotOutOfWindow),
            (|a| a.pay_slot = u64::MAX, PayError::PaySlotOutOfWindow),
        ];
        for (change, error) in cases {
            assert_eq!(answer(change).unwrap_err(), error.into());
        }
    }
}
