//! Events, as logs. Logs may be cut short; the receipt account is the record. A self-CPI would cost a level of call
//! depth that callers by CPI need.

use anchor_lang::prelude::*;

/// A payment was made and its receipt written.
#[event]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    pub receipt: Pubkey,
    pub payer: Pubkey,
    pub recipient: Pubkey,
    pub mint: Pubkey,
    /// Base units.
    pub amount: u64,
    pub request_hash: [u8; 32],
    pub consumer: Pubkey,
    /// Zero unless the payment drew on a channel.
    pub channel: Pubkey,
}

/// The recipient bound a result to a receipt.
#[event]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attested {
    pub receipt: Pubkey,
    pub result_hash: [u8; 32],
}

/// A receipt was used.
#[event]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consumed {
    pub receipt: Pubkey,
    pub consumer: Pubkey,
}

/// A receipt is gone and its rent returned.
#[event]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptClosed {
    pub receipt: Pubkey,
    pub rent_payer: Pubkey,
}
