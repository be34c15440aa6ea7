//! `withdraw`: the owner takes tokens out of the vault.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{transfer_checked, Mint, TokenAccount, TokenInterface, TransferChecked};

use crate::constants::FEED_SEED;
use crate::errors::OracleError;
use crate::state::Feed;

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithdrawArgs {
    /// Base units.
    pub amount: u64,
}

/// The owner. `amount` base units move from a token account of the feed to one of the owner. The feed stays.
pub(crate) fn handler(ctx: Context<Withdraw>, args: WithdrawArgs) -> Result<()> {
    let accounts = ctx.accounts;
    let feed = &accounts.feed;
    let transfer = TransferChecked {
        from: accounts.vault.to_account_info(),
        mint: accounts.mint.to_account_info(),
        to: accounts.owner_token_account.to_account_info(),
        authority: feed.to_account_info(),
    };
    let seeds: &[&[u8]] = &[FEED_SEED, feed.owner.as_ref(), &feed.symbol, &[feed.bump]];
    let (program, decimals) = (accounts.token_program.key(), accounts.mint.decimals);
    transfer_checked(CpiContext::new_with_signer(program, transfer, &[seeds]), args.amount, decimals)
}

#[derive(Accounts)]
pub struct Withdraw<'info> {
    pub owner: Signer<'info>,
    #[account(has_one = owner @ OracleError::NotTheOwner)]
    pub feed: Account<'info, Feed>,
    /// Any mint: what was sent to the feed by mistake can be taken back too.
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    #[account(mut, constraint = vault.owner == feed.key() @ OracleError::NotTheVault)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    #[account(mut, constraint = owner_token_account.owner == owner.key() @ OracleError::NotTheOwnersTokenAccount)]
    pub owner_token_account: Box<InterfaceAccount<'info, TokenAccount>>,
    pub token_program: Interface<'info, TokenInterface>,
}
