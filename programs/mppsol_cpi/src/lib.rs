//! Payments between programs: `pay` moves tokens and writes a receipt that any program can check, the recipient
//! attests what it delivered, and the consumer named in the receipt uses it up, once. Specification: `spec/cpi.md`.
//!
//! Call it from another program with `mppsol_cpi = { features = ["cpi"] }`; `programs/examples/paid_oracle` shows
//! how. Read from here: `state/` is what can happen, `instructions/` who may make it happen.

#![deny(arithmetic_overflow, unused_must_use)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects))]

use anchor_lang::prelude::*;

pub mod args;
pub mod attestation;
pub mod constants;
pub mod errors;
pub mod events;
pub mod instructions;
pub mod receipt_account;
pub mod state;
pub mod token;
pub mod verdict;

pub use args::*;
pub use constants::*;
pub use errors::PayError;
pub use events::*;
pub use instructions::*;
pub use state::{Expected, ExpectedResult, Receipt, Status};
pub use verdict::Verdict;

declare_id!("mppT5WGtVNfbj1JH1zVQRZueSbAGrwRkjuXmAJdS5SM");

#[program]
pub mod mppsol_cpi {
    use super::*;

    /// Payer and rent payer sign. Nothing → paid. Moves the amount to the recipient and writes the receipt.
    #[access_control(args.validate(&Clock::get()?))]
    pub fn pay(ctx: Context<Pay>, args: PayArgs) -> Result<()> {
        instructions::pay::handler(ctx, args)
    }

    /// A channel's payer or authorized signer, with a voucher in the Ed25519 instruction right before. Nothing → paid.
    /// The channel's watermark rises by the amount, and the receipt waits for the payee's attestation.
    #[access_control(ctx.accounts.validate(&args))]
    pub fn pay_from_session(ctx: Context<PayFromSession>, args: PayFromSessionArgs) -> Result<()> {
        instructions::pay_from_session::handler(ctx, args)
    }

    /// The recipient, or anyone with its signed attestation in the Ed25519 instruction right before.
    /// Paid → attested, once.
    pub fn attest(ctx: Context<Attest>, args: AttestArgs) -> Result<()> {
        instructions::attest::handler(ctx, args)
    }

    /// Anyone. Answers by return data whether the receipt is good for the expected terms; changes nothing.
    pub fn verify(ctx: Context<Verify>, expected: Expected) -> Result<Verdict> {
        instructions::verify::handler(ctx, expected)
    }

    /// The consumer. Attested, or paid if no attestation is needed → consumed, once.
    pub fn consume(ctx: Context<Consume>) -> Result<()> {
        instructions::consume::handler(ctx)
    }

    /// Anyone. Consumed or expired → gone, after slot pay_slot + 1,500. Returns the rent to who paid it.
    pub fn close_receipt(ctx: Context<CloseReceipt>) -> Result<()> {
        instructions::close_receipt::handler(ctx)
    }
}
