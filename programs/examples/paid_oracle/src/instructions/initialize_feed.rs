//! `initialize_feed`: makes a feed.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::Mint;

use crate::constants::FEED_SEED;
use crate::errors::OracleError;
use crate::state::{Feed, Price};

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitializeFeedArgs {
    /// What the price is of, padded with zeros; part of the address.
    pub symbol: [u8; 16],
    /// Base units paid for one price; not 0.
    pub fee: u64,
    /// Seconds after which a price is too old to accept; above 0.
    pub max_age: i64,
}

impl InitializeFeedArgs {
    pub(crate) fn validate(&self) -> Result<()> {
        require!(self.fee > 0, OracleError::FeeMustBeNonZero);
        require!(self.max_age > 0, OracleError::MaxAgeMustBePositive);
        Ok(())
    }
}

/// The owner, who pays the rent. Nothing → a feed without a price. No tokens move. Its terms never change.
pub(crate) fn handler(ctx: Context<InitializeFeed>, args: InitializeFeedArgs) -> Result<()> {
    ctx.accounts.feed.set_inner(Feed {
        bump: ctx.bumps.feed,
        owner: ctx.accounts.owner.key(),
        provider: ctx.accounts.provider.key(),
        mint: ctx.accounts.mint.key(),
        symbol: args.symbol,
        fee: args.fee,
        max_age: args.max_age,
        price: Price::default(),
    });
    Ok(())
}

#[derive(Accounts)]
#[instruction(args: InitializeFeedArgs)]
pub struct InitializeFeed<'info> {
    #[account(mut)]
    pub owner: Signer<'info>,
    #[account(
        init,
        payer = owner,
        space = 8 + Feed::INIT_SPACE,
        seeds = [FEED_SEED, owner.key().as_ref(), &args.symbol],
        bump,
    )]
    pub feed: Account<'info, Feed>,
    /// CHECK: whoever the owner trusts for prices.
    pub provider: UncheckedAccount<'info>,
    pub mint: InterfaceAccount<'info, Mint>,
    pub system_program: Program<'info, System>,
}
