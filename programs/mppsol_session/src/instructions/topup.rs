//! `topup` (byte 3; the standard's `topUp`): more deposit.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use pinocchio::AccountView;

use crate::errors::SessionError;
use crate::state::Channel;
use crate::token::{cpi, RoleErrors, TokenContext};
use crate::views::{self, Result};

/// The payer calls. Open → open. `amount` base units move from the payer's token account to the escrow, and the
/// deposit grows by them. Never while closing: the grace period cannot be stretched.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let [payer, channel, payer_tokens, escrow, mint, token_program] = views::exactly(accounts)?;
    let amount = views::u64_arg(data)?;
    views::require_signer(payer)?;
    {
        let mut state = views::channel_mut(channel)?;
        views::require_key(payer, state.payer.as_array(), SessionError::InvalidChannelPayer)?;
        views::require_key(mint, state.mint.as_array(), SessionError::InvalidChannelMint)?;
        state.topup(amount)?;
        state.invariant()?;
    }
    let token = TokenContext::new(mint, token_program)?;
    let check = |account, owner: &AccountView, role: RoleErrors| {
        token.check_ata(account, owner.address().as_array()).map_err(|why| role.of(why))
    };
    check(escrow, channel, RoleErrors::ESCROW)?;
    check(payer_tokens, payer, RoleErrors::PAYER)?;
    cpi::transfer(&token, payer_tokens, escrow, payer, amount, &[])
}

#[derive(Accounts)]
pub struct Topup<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
    #[account(mut)]
    pub payer_token_account: InterfaceAccount<'info, TokenAccount>,
    #[account(mut)]
    pub channel_token_account: InterfaceAccount<'info, TokenAccount>,
    pub mint: InterfaceAccount<'info, Mint>,
    pub token_program: Interface<'info, TokenInterface>,
}
