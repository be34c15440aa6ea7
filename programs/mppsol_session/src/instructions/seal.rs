//! `seal` (byte 6): the end of a forced close.

use anchor_lang::prelude::*;
use pinocchio::AccountView;

use crate::state::Channel;
use crate::views::{self, Result};

/// Anyone may call. Closing → sealed, once now ≥ `closure_started_at + grace_period`. No tokens move; the
/// watermark is final.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let [channel] = views::exactly(accounts)?;
    views::no_args(data)?;
    views::sole_channel_mut(channel)?.seal(views::now()?)?;
    Ok(())
}

#[derive(Accounts)]
pub struct Seal<'info> {
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
}
