//! `rearm` (byte 33, ours; ADR-005 of solana-foundation/payment-channels proposes it): ends a session without
//! ending the channel.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use pinocchio::AccountView;

use crate::emit::Events;
use crate::errors::SessionError;
use crate::events::Rearmed;
use crate::instructions::close::last_voucher;
use crate::instructions::settle::Purse;
use crate::splits::Splits;
use crate::state::Channel;
use crate::token::{RoleErrors, TokenContext};
use crate::views::{self, ChannelSeeds, Result};

const FIXED_ACCOUNTS: usize = 10;

/// The payee calls, and may cash one last voucher. Open → open. From the escrow everyone gets what was earned
/// since the last payout, and the payer all that is unspent; the deposit is then what is settled, and the next
/// session starts with `topup`. Nothing goes to the treasury: if anyone cannot be paid, nothing happens.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let (head, tail) = accounts.split_first_chunk_mut::<FIXED_ACCOUNTS>().ok_or(SessionError::NotEnoughAccountKeys)?;
    let [payee, channel, escrow, payer_tokens, payee_tokens, mint, token_program, instructions, event_authority, this_program] =
        head;
    let (has_voucher, splits) = data.split_first().ok_or(SessionError::InvalidInstructionData)?;
    let splits = Splits::parse(splits)?;
    views::require_signer(payee)?;
    let events = Events::new(event_authority, this_program)?;
    let address = *channel.address().as_array();
    let (payout, after) = {
        let mut state = views::channel_mut(channel)?;
        views::require_key(payee, state.payee.as_array(), SessionError::InvalidChannelPayee)?;
        views::require_key(mint, state.mint.as_array(), SessionError::InvalidChannelMint)?;
        if let Some(terms) = last_voucher(*has_voucher, instructions, &address, &state)? {
            state.debit(&terms, views::now)?;
        }
        let payout = state.rearm()?;
        (payout, *state)
    };
    if splits.hash() != after.distribution_hash {
        return Err(SessionError::InvalidDistributionHash.into());
    }
    if tail.len() != splits.entries.len() {
        return Err(SessionError::RecipientAccountCountMismatch.into());
    }
    let token = TokenContext::new(mint, token_program)?;
    token.check_ata(escrow, &address).map_err(|why| RoleErrors::ESCROW.of(why))?;

    let seeds = ChannelSeeds::of(&after);
    let from = Purse { token: &token, channel, escrow, seeds: &seeds };
    let pay = |account: &AccountView, owner: &[u8; 32], role: RoleErrors, amount| {
        token.check_ata(account, owner).map_err(|why| role.of(why))?;
        from.transfer(account, amount)
    };
    for (entry, account) in splits.entries.iter().zip(tail.iter()) {
        pay(account, entry.recipient.as_array(), RoleErrors::RECIPIENT, payout.of(entry.bps))?;
    }
    pay(payee_tokens, after.payee.as_array(), RoleErrors::PAYEE, payout.of(splits.payee_bps))?;
    pay(payer_tokens, after.payer.as_array(), RoleErrors::PAYER, payout.refund)?;
    let channel = Pubkey::new_from_array(address);
    events.emit(&Rearmed { channel, settled: after.settled, refunded: payout.refund })
}

#[derive(Accounts)]
pub struct Rearm<'info> {
    pub payee: Signer<'info>,
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
    #[account(mut)]
    pub channel_token_account: InterfaceAccount<'info, TokenAccount>,
    #[account(mut)]
    pub payer_token_account: InterfaceAccount<'info, TokenAccount>,
    #[account(mut)]
    pub payee_token_account: InterfaceAccount<'info, TokenAccount>,
    pub mint: InterfaceAccount<'info, Mint>,
    pub token_program: Interface<'info, TokenInterface>,
    /// CHECK: the address is checked when there is a voucher.
    #[account(address = solana_sdk_ids::sysvar::instructions::ID)]
    pub instructions_sysvar: UncheckedAccount<'info>,
    /// CHECK: the address is checked.
    #[account(address = crate::constants::EVENT_AUTHORITY)]
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the address is checked.
    #[account(address = crate::ID)]
    pub self_program: UncheckedAccount<'info>,
}
