//! Random sequences of every transition, by honest and hostile actors, against a model that keeps the money: after
//! each step, what was deposited is paid, refunded or in escrow, and `paid <= settled <= deposit`.

use anchor_lang::prelude::Pubkey;
use bytemuck::Zeroable;
use proptest::prelude::*;

use crate::constants::{CHANNEL_LEN, OPEN_SLOT_WINDOW};
use crate::errors::SessionError;
use crate::state::channel::require_in_window;
use crate::state::{share, Channel, Status};
use crate::voucher::Terms;

const GRACE: u32 = 900;
const OPENED_AT: i64 = 1_000_000;

fn channel(deposit: u64) -> Channel {
    Channel {
        version: 1,
        deposit,
        grace_period: GRACE,
        payer: Pubkey::new_from_array([1; 32]),
        open_slot: 5_000,
        ..Channel::zeroed()
    }
}

/// What somebody tries.
#[derive(Debug, Clone)]
enum Step {
    /// A voucher relative to the watermark and deposit, so that most are near a boundary.
    Debit {
        cumulative: Near,
        expires_in: Option<i64>,
    },
    DebitTarget {
        target: Near,
    },
    Topup {
        amount: u64,
    },
    Close {
        voucher: Option<Near>,
    },
    Revoke,
    Seal,
    Settle,
    WithdrawPayer,
    Rearm,
    Wait {
        seconds: i64,
    },
}

#[derive(Debug, Clone)]
enum Near {
    Settled(i64),
    Deposit(i64),
    Exactly(u64),
}

impl Near {
    fn of(&self, channel: &Channel) -> u64 {
        match self {
            Near::Settled(by) => channel.settled.saturating_add_signed(*by),
            Near::Deposit(by) => channel.deposit.saturating_add_signed(*by),
            Near::Exactly(n) => *n,
        }
    }
}

fn near() -> impl Strategy<Value = Near> {
    prop_oneof![
        4 => (-3i64..200).prop_map(Near::Settled),
        2 => (-3i64..4).prop_map(Near::Deposit),
        1 => prop_oneof![Just(0), Just(u64::MAX), any::<u64>()].prop_map(Near::Exactly),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (near(), proptest::option::of(-2i64..3)).prop_map(|(cumulative, expires_in)| Step::Debit { cumulative, expires_in }),
        2 => near().prop_map(|target| Step::DebitTarget { target }),
        3 => prop_oneof![0u64..1_000, Just(u64::MAX)].prop_map(|amount| Step::Topup { amount }),
        1 => proptest::option::of(near()).prop_map(|voucher| Step::Close { voucher }),
        1 => Just(Step::Revoke),
        2 => Just(Step::Seal),
        3 => Just(Step::Settle),
        2 => Just(Step::WithdrawPayer),
        2 => Just(Step::Rearm),
        2 => prop_oneof![0i64..3, Just(899), Just(900), Just(901), Just(-5)].prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// The money outside the program, and what the program may never take back.
#[derive(Default)]
struct Books {
    deposited: u128,
    paid: u128,
    refunded: u128,
    dust: u128,
    escrow: u128,
    highest_watermark: u64,
}

impl Books {
    /// Pays a payout over three shares and a payee as the handlers do.
    fn pay(&mut self, payout: &crate::state::Payout, bps: &[u16]) {
        let payee = 10_000u16.wrapping_sub(bps.iter().sum::<u16>());
        let out: u128 = bps.iter().chain([&payee]).map(|b| u128::from(payout.of(*b))).sum();
        self.paid += out;
        self.refunded += u128::from(payout.refund);
        self.escrow = self.escrow.checked_sub(out + u128::from(payout.refund)).expect("the escrow never runs short");
        if payout.is_final {
            self.dust += std::mem::take(&mut self.escrow);
        }
    }
}

fn attempt(
    channel: &mut Channel,
    step: &Step,
    now: &mut i64,
    books: &mut Books,
    bps: &[u16],
) -> Result<(), SessionError> {
    let clock = *now;
    let clock = || Ok(clock);
    match step {
        Step::Debit { cumulative, expires_in } => {
            let expires_at = expires_in.map_or(0, |by| *now + by);
            channel.debit(&Terms { cumulative: cumulative.of(channel), expires_at }, clock).map(drop)
        }
        Step::DebitTarget { target } => channel.debit_target(target.of(channel), clock).map(drop),
        Step::Topup { amount } => channel.topup(*amount).map(|()| {
            books.deposited += u128::from(*amount);
            books.escrow += u128::from(*amount);
        }),
        Step::Close { voucher } => {
            let terms = voucher.as_ref().map(|near| Terms { cumulative: near.of(channel), expires_at: 0 });
            channel.close(terms.as_ref(), clock)
        }
        Step::Revoke => channel.revoke(*now),
        Step::Seal => channel.seal(*now),
        Step::Settle => channel.settle(*now).map(|payout| books.pay(&payout, bps)),
        Step::WithdrawPayer => channel.withdraw_payer(*now).map(|refund| {
            books.refunded += u128::from(refund);
            books.escrow -= u128::from(refund);
        }),
        Step::Rearm => channel.rearm().map(|payout| books.pay(&payout, bps)),
        Step::Wait { seconds } => {
            *now += seconds;
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_500 } else { 20_000 }))]

    #[test]
    fn no_sequence_of_transitions_loses_or_makes_money(
        deposit in 1u64..5_000,
        bps in proptest::collection::vec(1u16..3_300, 0..4),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut state = channel(deposit);
        let mut now = OPENED_AT;
        let mut books = Books { deposited: u128::from(deposit), escrow: u128::from(deposit), ..Books::default() };
        for step in &steps {
            let before = state;
            let result = attempt(&mut state, step, &mut now, &mut books, &bps);
            if result.is_err() {
                // On chain the transaction is undone; the state that failed is never kept.
                state = before;
            }
            prop_assert!(state.invariant().is_ok(), "{step:?}");
            let (watermark, settled, status) = (state.payout_watermark, state.settled, state.status().unwrap());
            prop_assert!(settled >= books.highest_watermark, "the watermark never falls");
            books.highest_watermark = settled;
            let total = books.paid + books.refunded + books.dust + books.escrow;
            prop_assert_eq!(books.deposited, total, "{:?}", step);
            prop_assert!(books.paid <= u128::from(settled));
            prop_assert!(u128::from(watermark) <= u128::from(settled));
            if status == Status::Distributed {
                prop_assert_eq!(books.escrow, 0);
                prop_assert!(books.dust <= bps.len() as u128, "less than one unit a share is left over");
            }
            if status != Status::Closing {
                let started = state.closure_started_at;
                prop_assert_eq!(started, 0);
            }
        }
    }

    #[test]
    fn a_share_is_the_floor_of_the_128_bit_product(total: u64, bps in 0u16..=10_000) {
        prop_assert_eq!(u128::from(share(total, bps)), u128::from(total) * u128::from(bps) / 10_000);
    }

    #[test]
    fn shares_paid_often_and_shares_paid_once_are_the_same(
        points in proptest::collection::vec(any::<u64>(), 1..20),
        bps in 1u16..=10_000,
    ) {
        let mut points = points;
        points.sort_unstable();
        points.dedup();
        let mut state = channel(u64::MAX);
        let mut paid = 0u64;
        for point in &points {
            if state.debit(&Terms { cumulative: *point, expires_at: 0 }, || Ok(0)).is_ok() {
                paid += state.settle(OPENED_AT).unwrap().of(bps);
            }
        }
        prop_assert_eq!(paid, share(*points.last().unwrap(), bps));
    }

    #[test]
    fn from_the_first_second_after_grace_no_voucher_moves_a_closing_channel(late in 0i64..5_000) {
        let mut state = channel(1_000);
        state.revoke(OPENED_AT).unwrap();
        let now = OPENED_AT + i64::from(GRACE) + late;
        let terms = Terms { cumulative: 1, expires_at: 0 };
        prop_assert_eq!(state.debit(&terms, || Ok(now)), Err(SessionError::InvalidChannelStatus));
        prop_assert_eq!(state.debit_target(1, || Ok(now)), Err(SessionError::InvalidChannelStatus));
        prop_assert_eq!(state.close(Some(&terms), || Ok(now)), Err(SessionError::InvalidChannelStatus));
        prop_assert_eq!(state.close(None, || Ok(now)), Err(SessionError::InvalidChannelStatus));
        prop_assert!(state.seal(now).is_ok());
    }

    #[test]
    fn an_address_that_was_reclaimed_can_never_be_opened_again(open_slot in 0..u64::MAX - 10_000, freed in 0u64..9_000, later in 0u64..9_000) {
        let state = Channel { open_slot, status: Status::Distributed as u8, ..channel(1) };
        let slot = open_slot + freed;
        if state.reclaim(slot).is_ok() {
            prop_assert_eq!(require_in_window(open_slot, slot + later), Err(SessionError::OpenSlotOutOfWindow));
        } else {
            prop_assert!(freed <= OPEN_SLOT_WINDOW);
        }
    }

    #[test]
    fn no_bytes_but_a_channel_of_this_version_load(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let good = bytes.len() == CHANNEL_LEN && bytes[0] == 1 && bytes[1] == 1;
        prop_assert_eq!(Channel::load(&bytes).is_ok(), good);
        prop_assert_eq!(Channel::load_mut(&mut bytes).is_ok(), good);
    }
}

#[test]
fn the_last_second_of_grace_still_takes_a_voucher_and_cannot_be_sealed() {
    let mut state = channel(1_000);
    state.revoke(OPENED_AT).unwrap();
    let last = OPENED_AT + i64::from(GRACE) - 1;
    assert_eq!(state.seal(last), Err(SessionError::SealGracePeriodNotElapsed));
    assert_eq!(state.debit(&Terms { cumulative: 7, expires_at: 0 }, || Ok(last)), Ok(7));
    assert_eq!(state.close(None, || Ok(last)), Ok(()));
}

#[test]
fn a_second_revoke_is_refused_and_does_not_restart_the_clock() {
    let mut state = channel(1_000);
    state.revoke(OPENED_AT).unwrap();
    assert_eq!(state.revoke(OPENED_AT + 100), Err(SessionError::InvalidChannelStatus));
    let started = state.closure_started_at;
    assert_eq!(started, OPENED_AT);
}

#[test]
fn a_grace_period_that_ends_beyond_64_bits_is_refused_instead_of_wrapping() {
    let mut state = channel(1_000);
    state.revoke(i64::MAX - 5).unwrap();
    assert_eq!(state.seal(i64::MAX), Err(SessionError::SealDeadlineOverflow));
}

#[test]
fn the_clock_going_back_never_shortens_grace() {
    let mut state = channel(1_000);
    state.revoke(OPENED_AT).unwrap();
    assert_eq!(state.seal(OPENED_AT - 1_000), Err(SessionError::SealGracePeriodNotElapsed));
}

#[test]
fn a_revoke_at_the_epoch_or_before_is_refused_because_zero_means_not_closing() {
    for now in [0, -1, i64::MIN] {
        assert_eq!(channel(1).revoke(now), Err(SessionError::ClockOutOfRange));
    }
}

#[test]
fn an_unknown_status_byte_stops_everything() {
    let stuck = Channel { status: 4, ..channel(10) };
    let terms = Terms { cumulative: 1, expires_at: 0 };
    let wrong = SessionError::InvalidChannelStatus;
    assert_eq!(
        {
            let mut c = stuck;
            c.debit(&terms, || Ok(1))
        },
        Err(wrong)
    );
    assert_eq!(
        {
            let mut c = stuck;
            c.settle(1).map(drop)
        },
        Err(wrong)
    );
    assert_eq!(
        {
            let mut c = stuck;
            c.close(None, || Ok(1))
        },
        Err(wrong)
    );
    assert_eq!(
        {
            let mut c = stuck;
            c.topup(1)
        },
        Err(wrong)
    );
    assert_eq!(stuck.reclaim(u64::MAX), Err(wrong));
}
