//! Example: a price feed on chain that buys its prices. The feed's own address pays the provider through mppsol_cpi,
//! the provider attests the price it answers with, and the feed takes a price only with that attested receipt, which
//! it uses up. Nobody has to trust whoever carries the price to the chain.
//!
//! ```text
//! owner    → request_price → mppsol_cpi::pay      (the feed pays, and is the receipt's consumer)
//! provider → mppsol_cpi::attest                   (off chain: one Ed25519 signature)
//! anyone   → accept_price → mppsol_cpi::verify    (is it paid, attested, unused, and for this price?)
//!                         → mppsol_cpi::consume   (never again)
//! ```

#![deny(arithmetic_overflow, unused_must_use)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects))]

use anchor_lang::prelude::*;

pub mod constants;
pub mod errors;
pub mod hashes;
pub mod instructions;
pub mod state;

pub use constants::*;
pub use errors::OracleError;
pub use instructions::*;
pub use state::Feed;

declare_id!("MPPzbMPuK9VQsMT396wjUzL8k8mLQmVCY5pVVEYLAfF");

#[program]
pub mod paid_oracle {
    use super::*;

    /// Owner. Nothing → a feed without a price. Its vault is the feed's associated token account, which anyone may
    /// make and fill.
    #[access_control(args.validate())]
    pub fn initialize_feed(ctx: Context<InitializeFeed>, args: InitializeFeedArgs) -> Result<()> {
        instructions::initialize_feed::handler(ctx, args)
    }

    /// Owner. The feed pays its provider the fee for one price.
    pub fn request_price(ctx: Context<RequestPrice>, args: RequestPriceArgs) -> Result<()> {
        instructions::request_price::handler(ctx, args)
    }

    /// Anyone who carries an attested receipt. The feed takes the price and uses the receipt up.
    #[access_control(ctx.accounts.validate(&args))]
    pub fn accept_price(ctx: Context<AcceptPrice>, args: AcceptPriceArgs) -> Result<()> {
        instructions::accept_price::handler(ctx, args)
    }

    /// Owner. Moves tokens from the vault to the owner.
    pub fn withdraw(ctx: Context<Withdraw>, args: WithdrawArgs) -> Result<()> {
        instructions::withdraw::handler(ctx, args)
    }
}
