//! Arguments as the IDL shows them. Their Borsh bytes are what the handlers read.

use anchor_lang::prelude::*;

/// A share of what is settled: `bps` ten-thousandths to `recipient`.
#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub recipient: Pubkey,
    pub bps: u16,
}

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, PartialEq, Eq)]
pub struct OpenArgs {
    /// Tells channels between the same parties apart.
    pub salt: u64,
    /// Base units; not 0.
    pub deposit: u64,
    /// Seconds between `revoke` and `seal`; not 0.
    pub grace_period: u32,
    /// A slot of the last 1,500; part of the address.
    pub open_slot: u64,
    pub recipients: Vec<Split>,
}

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, PartialEq, Eq)]
pub struct TopupArgs {
    /// Base units; not 0.
    pub amount: u64,
}

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, PartialEq, Eq)]
pub struct CloseArgs {
    /// 0: seal at the present watermark. Anything else: cash the voucher in the instruction before, first.
    pub has_voucher: u8,
}

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, PartialEq, Eq)]
pub struct SettleArgs {
    /// The splits that the channel was opened with.
    pub recipients: Vec<Split>,
}

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, PartialEq, Eq)]
pub struct RearmArgs {
    /// As in `CloseArgs`.
    pub has_voucher: u8,
    /// The splits that the channel was opened with.
    pub recipients: Vec<Split>,
}
