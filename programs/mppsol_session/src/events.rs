//! Events, written by a self-CPI at byte 228 so that no log truncation can lose them. The first two are the
//! standard's, byte for byte; variant order is part of the format.

use anchor_lang::prelude::*;

/// A channel was opened.
#[event]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    pub channel: Pubkey,
    pub open_slot: u64,
}

/// A share, or the payer's refund, went to the treasury because its recipient's token account cannot be paid.
#[event]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayoutRedirected {
    pub channel: Pubkey,
    /// Owner of the account that could not be paid.
    pub owner: Pubkey,
    /// Base units.
    pub amount: u64,
    pub beneficiary: PayoutBeneficiary,
    pub reason: RedirectReason,
}

/// A channel was paid out and its unused deposit refunded; it stays open for the next session.
#[event]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rearmed {
    pub channel: Pubkey,
    /// The watermark at which the next session begins, in base units.
    pub settled: u64,
    /// Base units that went back to the payer.
    pub refunded: u64,
}

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PayoutBeneficiary {
    Recipient,
    Payee,
    Payer,
}

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RedirectReason {
    /// A Token-2022 extension that is not on the allow-list.
    UnsupportedExtension,
    /// Closed, missing, or not a token account.
    ClosedOrMalformed,
    /// Frozen or not initialized.
    NotInitialized,
    /// Its authority was handed to somebody else.
    ReassignedAuthority,
}
