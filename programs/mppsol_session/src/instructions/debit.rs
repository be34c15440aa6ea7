//! `debit` (byte 2; the standard's `settle`): cashes a voucher into the watermark.

use anchor_lang::prelude::*;
use pinocchio::AccountView;

use crate::state::Channel;
use crate::views::{self, Result};
use crate::voucher;

/// Anyone may call; the authority is the voucher that the Ed25519 instruction right before proves.
/// Open, or closing within grace → the same. No tokens move. `settled` rises to the voucher's amount, which is
/// above it and at most the deposit; a voucher counts once.
#[inline(always)]
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let [channel, instructions] = views::exactly(accounts)?;
    views::no_args(data)?;
    let address = *channel.address().as_array();
    let state = views::sole_channel_mut(channel)?;
    let terms = voucher::verify(instructions, &address, state.authorized_signer.as_array())?;
    state.debit(&terms, views::now)?;
    Ok(())
}

#[derive(Accounts)]
pub struct Debit<'info> {
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
    /// CHECK: the address is checked.
    #[account(address = solana_sdk_ids::sysvar::instructions::ID)]
    pub instructions_sysvar: UncheckedAccount<'info>,
}
