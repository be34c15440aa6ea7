//! Whatever is done to receipts, in whatever order: none is consumed twice, none is attested twice, none that needs
//! an attestation is consumed without, and no address is paid into again once it was freed.

use anchor_lang::prelude::*;
use proptest::prelude::*;

use crate::args::PayArgs;
use crate::constants::PAY_SLOT_WINDOW;
use crate::state::{Expected, ExpectedResult, Parties, Receipt, Status};

const CONSUMER: Pubkey = Pubkey::new_from_array([7; 32]);

#[derive(Debug, Clone, Copy)]
enum Action {
    Pay,
    Attest(u8),
    Consume,
    Close,
    Wait { slots: u64, seconds: i64 },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => Just(Action::Pay),
        3 => (0u8..3).prop_map(Action::Attest),
        3 => Just(Action::Consume),
        3 => Just(Action::Close),
        2 => (0u64..=PAY_SLOT_WINDOW + 1, 0i64..200).prop_map(|(slots, seconds)| Action::Wait { slots, seconds }),
        1 => (PAY_SLOT_WINDOW - 1..=PAY_SLOT_WINDOW + 1).prop_map(|slots| Action::Wait { slots, seconds: 1 }),
    ]
}

/// One address, and all that ever happened at it.
struct Address {
    args: PayArgs,
    clock: Clock,
    account: Option<Receipt>,
    /// Receipts ever written here.
    paid: u32,
    attested: u32,
    consumed: u32,
    closed: u32,
}

impl Address {
    fn expected(&self) -> Expected {
        Expected {
            payer: None,
            recipient: Pubkey::default(),
            mint: Pubkey::default(),
            amount: self.args.amount,
            request_hash: self.args.request_hash,
            consumer: CONSUMER,
            result: ExpectedResult::AsPaid,
        }
    }

    /// What the handlers do, without accounts.
    fn run(&mut self, action: Action) {
        let (clock, now) = (self.clock.clone(), self.clock.unix_timestamp);
        match (action, &mut self.account) {
            (Action::Pay, account @ None) => {
                if self.args.validate(&clock).is_ok() {
                    let parties = Parties {
                        payer: CONSUMER,
                        recipient: Pubkey::default(),
                        mint: Pubkey::default(),
                        rent_payer: CONSUMER,
                        channel: Pubkey::default(),
                    };
                    *account = Some(Receipt::paid(&parties, &self.args, 255, &clock));
                    self.paid += 1;
                }
            }
            (Action::Attest(hash), Some(receipt)) => {
                let before = *receipt;
                match receipt.attest([hash; 32], now) {
                    Ok(()) => self.attested += 1,
                    Err(_) => assert_eq!(*receipt, before),
                }
            }
            (Action::Consume, Some(receipt)) => {
                let before = *receipt;
                match receipt.consume(now) {
                    Ok(()) => {
                        self.consumed += 1;
                        assert!(!before.needs_attestation || before.status == Status::Attested);
                        assert!(!before.is_expired(now));
                    }
                    Err(_) => assert_eq!(*receipt, before),
                }
            }
            (Action::Close, account @ Some(_)) => {
                if account.unwrap().require_closable(&clock).is_ok() {
                    *account = None;
                    self.closed += 1;
                }
            }
            (Action::Wait { slots, seconds }, _) => {
                self.clock.slot += slots;
                self.clock.unix_timestamp += seconds;
            }
            (Action::Pay, Some(_)) | (_, None) => (),
        }
    }

    fn invariant(&self) {
        assert!(self.paid <= 1, "an address held two receipts");
        assert!(self.attested <= 1 && self.consumed <= 1 && self.closed <= 1);
        if let Some(receipt) = &self.account {
            assert_eq!(receipt.status == Status::Consumed, self.consumed == 1);
            assert_eq!(receipt.result_hash != [0; 32], self.attested == 1);
            if receipt.check_at(&self.expected(), self.clock.unix_timestamp).is_ok() {
                let mut copy = *receipt;
                assert!(copy.consume(self.clock.unix_timestamp).is_ok(), "a good receipt can be consumed");
                assert!(receipt.require_closable(&self.clock).is_err(), "a good receipt cannot be closed");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_address_sees_one_payment_one_attestation_one_consumption(
        actions in prop::collection::vec(action(), 1..60),
        age in 0u64..=PAY_SLOT_WINDOW + 1,
        lifetime in 0i64..400,
        needs_attestation: bool,
    ) {
        let args = PayArgs {
            amount: 5,
            request_hash: [9; 32],
            nonce: 0,
            pay_slot: 10_000 - age,
            expires_at: if lifetime == 0 { 0 } else { 1_000 + lifetime },
            consumer: CONSUMER,
            needs_attestation,
        };
        let clock = Clock { slot: 10_000, unix_timestamp: 1_000, ..Clock::default() };
        let mut address = Address { args, clock, account: None, paid: 0, attested: 0, consumed: 0, closed: 0 };
        for action in actions {
            address.run(action);
            address.invariant();
        }
    }

    #[test]
    fn once_a_receipt_can_be_closed_no_payment_reaches_its_address(
        slot: u64,
        age in -5i64..2 * PAY_SLOT_WINDOW as i64,
        expires_at in 1i64..,
    ) {
        let pay_slot = slot.wrapping_sub(age as u64);
        let args = PayArgs {
            amount: 1,
            request_hash: [1; 32],
            nonce: 0,
            pay_slot,
            expires_at,
            consumer: CONSUMER,
            needs_attestation: false,
        };
        let parties = Parties {
            payer: CONSUMER,
            recipient: Pubkey::default(),
            mint: Pubkey::default(),
            rent_payer: CONSUMER,
            channel: Pubkey::default(),
        };
        let clock = Clock { slot, unix_timestamp: 0, ..Clock::default() };
        let mut receipt = Receipt::paid(&parties, &args, 255, &clock);
        receipt.consume(0).unwrap();
        prop_assert!(!(receipt.require_closable(&clock).is_ok() && args.validate(&clock).is_ok()));
    }

    #[test]
    fn every_receipt_survives_its_bytes(
        numbers: [u64; 4], times: [i64; 4], keys: [[u8; 32]; 6], hashes: [[u8; 32]; 2], status in 0u8..3, needs_attestation: bool,
    ) {
        let [payer, recipient, mint, consumer, rent_payer, channel] = keys.map(Pubkey::new_from_array);
        let receipt = Receipt {
            version: 1,
            bump: 254,
            status: [Status::Paid, Status::Attested, Status::Consumed][usize::from(status)],
            needs_attestation,
            nonce: numbers[0],
            pay_slot: numbers[1],
            slot: numbers[2],
            paid_at: times[0],
            expires_at: times[1],
            attested_at: times[2],
            consumed_at: times[3],
            amount: numbers[3],
            payer, recipient, mint, consumer, rent_payer, channel,
            request_hash: hashes[0],
            result_hash: hashes[1],
        };
        let mut data = vec![];
        receipt.try_serialize(&mut data).unwrap();
        prop_assert_eq!(data.len(), crate::constants::RECEIPT_LEN);
        prop_assert_eq!(Receipt::try_deserialize(&mut &data[..]).unwrap(), receipt);
    }
}
