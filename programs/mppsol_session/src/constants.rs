//! Every constant the program agrees on with its clients, and the treasury of each cluster.

use anchor_lang::prelude::*;

/// First seed of a channel: `["channel", payer, payee, mint, authorized_signer, salt LE, open_slot LE]`.
#[constant]
pub const CHANNEL_SEED: &[u8] = b"channel";

/// Bytes of a channel account, discriminator included.
pub const CHANNEL_LEN: usize = 256;

/// Layout version written at `open`; any other value is refused on load.
pub const CHANNEL_VERSION: u8 = 1;

/// Slots between the `open_slot` a payer chose and the last slot in which `open` may land. The address of a
/// channel can be freed only after the same window has passed, so no address ever holds two channels.
///
/// May only ever be lowered. Raising it would let `open` reach addresses that were freed under the smaller
/// window, and the vouchers signed for their earlier channel would be good again.
#[constant]
pub const OPEN_SLOT_WINDOW: u64 = 1_500;

/// The largest window that any deployment of this program id has used. Lower it with `OPEN_SLOT_WINDOW`.
const LARGEST_DEPLOYED_WINDOW: u64 = 1_500;
const _: () = assert!(
    OPEN_SLOT_WINDOW <= LARGEST_DEPLOYED_WINDOW,
    "OPEN_SLOT_WINDOW may only be lowered: raising it revives vouchers of channels that were reclaimed"
);

/// Most recipients that a channel's splits may name, the payee not counted.
#[constant]
pub const MAX_SPLITS: u32 = 32;

/// A share of 10,000 basis points is the whole.
pub const BPS_DENOMINATOR: u64 = 10_000;

/// Most channels that one batch voucher may name: what fits a transaction's 64 accounts.
#[constant]
pub const MAX_BATCH: u8 = 60;

/// Marks a treasury that nobody has set yet; no key for it is known.
const TREASURY_PLACEHOLDER: [u8; 32] = *b"mppsol: no treasury was set here";

#[cfg(feature = "mainnet")]
const TREASURY_BYTES: [u8; 32] = TREASURY_PLACEHOLDER;
#[cfg(all(feature = "devnet", not(feature = "mainnet")))]
const TREASURY_BYTES: [u8; 32] = TREASURY_PLACEHOLDER;
#[cfg(not(any(feature = "mainnet", feature = "devnet")))]
const TREASURY_BYTES: [u8; 32] = TREASURY_PLACEHOLDER;

#[cfg(any(feature = "mainnet", feature = "devnet"))]
const _: () = {
    let mut i = 0;
    let mut differs = false;
    while i < 32 {
        differs = differs || TREASURY_BYTES[i] != TREASURY_PLACEHOLDER[i];
        i += 1;
    }
    assert!(
        differs,
        "set the treasury of this cluster in constants.rs before building with --features mainnet or devnet"
    );
};

/// Owner of the token accounts that receive rounding dust, donations to an escrow, and shares whose
/// recipient cannot be paid.
#[constant]
pub const TREASURY: Pubkey = Pubkey::new_from_array(TREASURY_BYTES);

/// Seed of the address that signs the events' self-CPI. The standard's clients derive it.
#[constant]
pub const EVENT_AUTHORITY_SEED: &[u8] = b"event_authority";

const EVENT_AUTHORITY_AND_BUMP: ([u8; 32], u8) =
    anchor_lang::derive_program_address(&[EVENT_AUTHORITY_SEED], &crate::ID_CONST.to_bytes());

/// The address of `EVENT_AUTHORITY_SEED`.
pub const EVENT_AUTHORITY: Pubkey = Pubkey::new_from_array(EVENT_AUTHORITY_AND_BUMP.0);
pub const EVENT_AUTHORITY_BUMP: u8 = EVENT_AUTHORITY_AND_BUMP.1;
