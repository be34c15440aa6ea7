//! `close` (byte 4; the standard's `settleAndSeal`): the payee ends the session.

use anchor_lang::prelude::*;
use pinocchio::AccountView;

use crate::errors::SessionError;
use crate::state::Channel;
use crate::views::{self, Result};
use crate::voucher::{self, Terms};

/// The payee calls. Open, or closing within grace → sealed. No tokens move. With a voucher the watermark rises
/// first, by the rules of `debit`; without one it stays. After this no voucher counts any more.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let [payee, channel, instructions] = views::exactly(accounts)?;
    let [has_voucher] = data else {
        return Err(SessionError::InvalidInstructionData.into());
    };
    views::require_signer(payee)?;
    let address = *channel.address().as_array();
    let state = views::sole_channel_mut(channel)?;
    views::require_key(payee, state.payee.as_array(), SessionError::InvalidChannelPayee)?;
    let last = last_voucher(*has_voucher, instructions, &address, state)?;
    state.close(last.as_ref(), views::now)?;
    Ok(())
}

/// The voucher to apply before closing or rearming, if the caller says that there is one.
#[inline(always)]
pub fn last_voucher(
    has_voucher: u8,
    instructions: &AccountView,
    address: &[u8; 32],
    state: &Channel,
) -> Result<Option<Terms>> {
    if has_voucher == 0 {
        return Ok(None);
    }
    Ok(Some(voucher::verify(instructions, address, state.authorized_signer.as_array())?))
}

#[derive(Accounts)]
pub struct Close<'info> {
    pub payee: Signer<'info>,
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
    /// CHECK: the address is checked when there is a voucher.
    #[account(address = solana_sdk_ids::sysvar::instructions::ID)]
    pub instructions_sysvar: UncheckedAccount<'info>,
}
