//! `reclaim` (byte 9): the rent of an empty channel goes back to who paid it.

use anchor_lang::prelude::*;
use pinocchio::AccountView;

use crate::errors::SessionError;
use crate::state::Channel;
use crate::views::{self, Result};

/// Anyone may call. Distributed → gone, from slot `open_slot + 1,501` on, when `open` can never derive this
/// address again. Every lamport goes to the recorded rent payer, whoever calls.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let [channel, rent_payer] = views::exactly(accounts)?;
    views::no_args(data)?;
    views::require_writable(rent_payer)?;
    let state = views::sole_channel_mut(channel)?;
    views::require_key(rent_payer, state.rent_payer.as_array(), SessionError::InvalidChannelRentPayer)?;
    state.reclaim(views::slot()?)?;
    views::deallocate(channel, rent_payer)
}

#[derive(Accounts)]
pub struct Reclaim<'info> {
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
    /// CHECK: compared with the channel's record.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}
