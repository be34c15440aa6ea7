//! `withdraw_payer` (byte 8; the standard's `withdrawPayer`): the payer takes its refund without waiting for
//! anybody's payout.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use pinocchio::cpi::Signer as Seeds;
use pinocchio::AccountView;

use crate::errors::SessionError;
use crate::state::Channel;
use crate::token::{cpi, RoleErrors, TokenContext};
use crate::views::{self, ChannelSeeds, Result};

/// The payer calls. Sealed → sealed. `deposit - settled` moves from the escrow to the payer, once. What is
/// settled stays for the payees, and the channel stays for `settle`.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let [payer, channel, escrow, payer_tokens, mint, token_program] = views::exactly(accounts)?;
    views::no_args(data)?;
    views::require_signer(payer)?;
    let (refund, seeds) = {
        let mut state = views::channel_mut(channel)?;
        views::require_key(payer, state.payer.as_array(), SessionError::InvalidChannelPayer)?;
        views::require_key(mint, state.mint.as_array(), SessionError::InvalidChannelMint)?;
        let refund = state.withdraw_payer(views::now()?)?;
        state.invariant()?;
        (refund, ChannelSeeds::of(&state))
    };
    let token = TokenContext::new(mint, token_program)?;
    let check = |account, owner: &AccountView, role: RoleErrors| {
        token.check_ata(account, owner.address().as_array()).map_err(|why| role.of(why))
    };
    check(escrow, channel, RoleErrors::ESCROW)?;
    check(payer_tokens, payer, RoleErrors::PAYER)?;
    cpi::transfer(&token, escrow, payer_tokens, channel, refund, &[Seeds::from(&seeds.seeds())])
}

#[derive(Accounts)]
pub struct WithdrawPayer<'info> {
    pub payer: Signer<'info>,
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
    #[account(mut)]
    pub channel_token_account: InterfaceAccount<'info, TokenAccount>,
    #[account(mut)]
    pub payer_token_account: InterfaceAccount<'info, TokenAccount>,
    pub mint: InterfaceAccount<'info, Mint>,
    pub token_program: Interface<'info, TokenInterface>,
}
