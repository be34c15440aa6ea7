//! `revoke` (byte 5; the standard's `requestClose`): the payer asks to leave.

use anchor_lang::prelude::*;
use pinocchio::AccountView;

use crate::errors::SessionError;
use crate::state::Channel;
use crate::views::{self, Result};

/// The payer calls. Open → closing; the grace period starts now. No tokens move. A second call is refused, so
/// the clock never restarts.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let [payer, channel] = views::exactly(accounts)?;
    views::no_args(data)?;
    views::require_signer(payer)?;
    let state = views::sole_channel_mut(channel)?;
    views::require_key(payer, state.payer.as_array(), SessionError::InvalidChannelPayer)?;
    state.revoke(views::now()?)?;
    Ok(())
}

#[derive(Accounts)]
pub struct Revoke<'info> {
    pub payer: Signer<'info>,
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
}
