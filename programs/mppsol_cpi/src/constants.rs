//! Every constant the program agrees on with its callers.

use anchor_lang::prelude::*;

/// First seed of a receipt: `["receipt", source, nonce LE, pay_slot LE]`. The source is the payer, or the channel
/// when the payment draws on one.
#[constant]
pub const RECEIPT_SEED: &[u8] = b"receipt";

/// Layout version written when a receipt is made; any other value is refused.
pub const RECEIPT_VERSION: u8 = 1;

/// Bytes of a receipt account, discriminator included.
pub const RECEIPT_LEN: usize = 332;

/// Slots between the `pay_slot` a payer chose and the last slot in which the payment may land. The address of a
/// receipt can be freed only after the same window has passed, so no address ever holds two receipts.
///
/// May only ever be lowered. Raising it would let `pay` reach addresses that were freed under the smaller window.
#[constant]
pub const PAY_SLOT_WINDOW: u64 = 1_500;

/// The largest window that any deployment of this program id has used. Lower it with `PAY_SLOT_WINDOW`.
const LARGEST_DEPLOYED_WINDOW: u64 = 1_500;
const _: () = assert!(
    PAY_SLOT_WINDOW <= LARGEST_DEPLOYED_WINDOW,
    "PAY_SLOT_WINDOW may only be lowered: raising it lets payments reach addresses of closed receipts"
);

/// First bytes of an attestation: the tag `R` and the format version. A voucher begins `V`, an off-chain message
/// 0xff, a versioned transaction 0x80 or more, and no transaction has 82 signers.
#[constant]
pub const ATTESTATION_MAGIC: [u8; 2] = [0x52, 0x01];

/// Bytes of an attestation.
pub const ATTESTATION_LEN: usize = 98;

/// First bytes of what `verify` returns.
#[constant]
pub const VERDICT_TAG: [u8; 4] = *b"mpv1";

/// SHA-256 of an empty list of splits (four zero bytes): such a channel leaves everything to its payee.
pub const NO_SPLITS_HASH: [u8; 32] = [
    0xdf, 0x3f, 0x61, 0x98, 0x04, 0xa9, 0x2f, 0xdb, 0x40, 0x57, 0x19, 0x2d, 0xc4, 0x3d, 0xd7, 0x48, 0xea, 0x77, 0x8a,
    0xdc, 0x52, 0xbc, 0x49, 0x8c, 0xe8, 0x05, 0x24, 0xc0, 0x14, 0xb8, 0x11, 0x19,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_no_splits_is_the_one_channels_store() {
        let splits = mppsol_session::splits::Splits::parse(&[0; 4]).unwrap();
        assert_eq!(splits.hash(), NO_SPLITS_HASH);
    }
}
