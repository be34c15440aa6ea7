//! Payment channels for machine payments: a payer locks a deposit once, signs cumulative vouchers off chain, and
//! the payee cashes the last one. Implements the channel program of draft-solana-session-00 instruction for
//! instruction; bytes from 32 up are ours. Specification: `spec/session.md`.
//!
//! Read from here: `state/` is what can happen, `instructions/` who may make it happen, `voucher/` and `token/`
//! what is believed and why.

#![deny(arithmetic_overflow, unused_must_use)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects))]

use anchor_lang::prelude::*;

pub mod args;
pub mod constants;
pub mod emit;
pub mod entrypoint;
pub mod errors;
pub mod events;
pub mod instructions;
pub mod splits;
pub mod state;
pub mod token;
pub mod views;
pub mod voucher;

pub use args::*;
pub use constants::*;
pub use errors::SessionError;
pub use events::*;
pub use instructions::*;
pub use state::{Channel, Status};

declare_id!("mpPyjEM3D1ZXmMCzX1m2VX7FmCfAdwvgvusATN239om");

#[cfg(not(any(feature = "no-entrypoint", feature = "cpi")))]
compile_error!("build mppsol_session with its default features: its entrypoint is not Anchor's");

/// A payer locks a deposit once and signs cumulative vouchers off chain; the payee cashes the last one.
//
// The interface, for the IDL and for callers by CPI. `entrypoint.rs` runs every instruction before Anchor would.
#[allow(unused_variables)]
#[program]
pub mod mppsol_session {
    use super::*;

    /// Payer and rent payer sign. Nothing → open. Creates the channel and its escrow and moves the deposit in.
    #[instruction(discriminator = 1)]
    pub fn open(ctx: Context<Open>, args: OpenArgs) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Anyone, with a voucher in the Ed25519 instruction right before. Raises the watermark; no tokens move.
    #[instruction(discriminator = 2)]
    pub fn debit(ctx: Context<Debit>) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Payer. Open → open. Adds to the deposit.
    #[instruction(discriminator = 3)]
    pub fn topup(ctx: Context<Topup>, args: TopupArgs) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Payee. Open or closing within grace → sealed, after one last voucher if there is one.
    #[instruction(discriminator = 4)]
    pub fn close(ctx: Context<Close>, args: CloseArgs) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Payer. Open → closing. Starts the grace period.
    #[instruction(discriminator = 5)]
    pub fn revoke(ctx: Context<Revoke>) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Anyone. Closing → sealed, after the grace period.
    #[instruction(discriminator = 6)]
    pub fn seal(ctx: Context<Seal>) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Anyone. Pays recipients and payee; from sealed also refunds the payer and closes the escrow. The recipients'
    /// associated token accounts follow as remaining accounts, in the order of the splits.
    #[instruction(discriminator = 7)]
    pub fn settle(ctx: Context<Settle>, args: SettleArgs) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Payer. Sealed → sealed. Refunds the payer, once.
    #[instruction(discriminator = 8)]
    pub fn withdraw_payer(ctx: Context<WithdrawPayer>) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Anyone. Distributed → gone, after slot open_slot + 1,500. Returns the rent to who paid it.
    #[instruction(discriminator = 9)]
    pub fn reclaim(ctx: Context<Reclaim>) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Anyone, with a batch voucher in the Ed25519 instruction right before. Raises the watermarks of up to 60
    /// channels of one signer, which follow as remaining accounts in rising order of their addresses.
    #[instruction(discriminator = 32)]
    pub fn debit_batch(ctx: Context<DebitBatch>) -> Result<()> {
        runs_in_entrypoint()
    }

    /// Payee. Open → open. Pays everyone, refunds the unspent deposit, and keeps the channel for the next session.
    #[instruction(discriminator = 33)]
    pub fn rearm(ctx: Context<Rearm>, args: RearmArgs) -> Result<()> {
        runs_in_entrypoint()
    }
}

fn runs_in_entrypoint() -> Result<()> {
    err!(SessionError::UnknownInstruction)
}
