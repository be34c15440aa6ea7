//! `request_price`: the feed pays its provider for one price.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenInterface};
use mppsol_cpi::program::MppsolCpi;
use mppsol_cpi::PayArgs;

use crate::constants::FEED_SEED;
use crate::errors::OracleError;
use crate::hashes;
use crate::state::Feed;

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestPriceArgs {
    /// Tells requests of the feed in one slot apart; part of the receipt's address.
    pub nonce: u64,
    /// A slot of the last 1,500; part of the receipt's address.
    pub pay_slot: u64,
    /// Unix seconds until which the price must be attested and accepted.
    pub expires_at: i64,
}

/// The owner, and whoever pays the receipt's rent. The fee moves from the vault to the provider, and the feed holds a
/// receipt that nobody else can use. The feed's price does not change.
pub(crate) fn handler(ctx: Context<RequestPrice>, args: RequestPriceArgs) -> Result<()> {
    let accounts = ctx.accounts;
    let feed = &accounts.feed;
    let pay = mppsol_cpi::cpi::accounts::Pay {
        payer: feed.to_account_info(),
        rent_payer: accounts.rent_payer.to_account_info(),
        recipient: accounts.provider.to_account_info(),
        mint: accounts.mint.to_account_info(),
        receipt: accounts.receipt.to_account_info(),
        payer_token_account: accounts.vault.to_account_info(),
        recipient_token_account: accounts.provider_token_account.to_account_info(),
        token_program: accounts.token_program.to_account_info(),
        system_program: accounts.system_program.to_account_info(),
    };
    let terms = PayArgs {
        amount: feed.fee,
        request_hash: hashes::request(&feed.key(), &feed.symbol, args.nonce),
        nonce: args.nonce,
        pay_slot: args.pay_slot,
        expires_at: args.expires_at,
        consumer: feed.key(),
        needs_attestation: true,
    };
    let seeds: &[&[u8]] = &[FEED_SEED, feed.owner.as_ref(), &feed.symbol, &[feed.bump]];
    mppsol_cpi::cpi::pay(CpiContext::new_with_signer(accounts.pay_program.key(), pay, &[seeds]), terms)
}

#[derive(Accounts)]
pub struct RequestPrice<'info> {
    pub owner: Signer<'info>,
    #[account(mut)]
    pub rent_payer: Signer<'info>,
    #[account(
        has_one = owner @ OracleError::NotTheOwner,
        has_one = provider @ OracleError::NotTheProvider,
        has_one = mint @ OracleError::NotTheMint,
    )]
    pub feed: Account<'info, Feed>,
    /// CHECK: the feed names it.
    pub provider: UncheckedAccount<'info>,
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// CHECK: `pay` takes the feed's associated token account only.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: `pay` takes the provider's associated token account only.
    #[account(mut)]
    pub provider_token_account: UncheckedAccount<'info>,
    /// CHECK: `pay` derives and makes it.
    #[account(mut)]
    pub receipt: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
    pub pay_program: Program<'info, MppsolCpi>,
    pub system_program: Program<'info, System>,
}
