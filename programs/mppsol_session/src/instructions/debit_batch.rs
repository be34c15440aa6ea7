//! `debit_batch` (byte 32, ours; ADR-004 of solana-foundation/payment-channels proposes it): one signature cashes
//! vouchers of many channels.

use anchor_lang::prelude::*;
use pinocchio::AccountView;

use crate::constants::MAX_BATCH;
use crate::errors::SessionError;
use crate::views::{self, Result, PROGRAM};
use crate::voucher::{self, batch, same_key};

/// Anyone may call; the authority is the batch voucher that the Ed25519 instruction right before proves. For every
/// channel: as `debit`, except that a target already reached changes nothing. No tokens move. The signed list is
/// the accounts' list, all channels have the voucher's signer, and one bad channel fails all.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let (instructions, channels) = accounts.split_first_mut().ok_or(SessionError::NotEnoughAccountKeys)?;
    views::no_args(data)?;
    let (voucher, signer) = voucher::verify_batch(instructions)?;
    if channels.len() != voucher.targets().len() {
        return Err(SessionError::NotEnoughAccountKeys.into());
    }
    voucher.require_live(views::now)?;
    if !channels.windows(2).all(|pair| pair[0].address().as_array() < pair[1].address().as_array()) {
        return Err(SessionError::BatchNotSorted.into());
    }
    let addresses = channels.iter().map(|channel| channel.address().as_array());
    if batch::channels_hash(PROGRAM.as_array(), addresses)? != *voucher.channels_hash {
        return Err(SessionError::BatchChannelsMismatch.into());
    }
    for (channel, target) in channels.iter_mut().zip(voucher.targets()) {
        let mut state = views::channel_mut(channel)?;
        if !same_key(state.authorized_signer.as_array(), signer) {
            return Err(SessionError::VoucherSignerMismatch.into());
        }
        state.debit_target(target, views::now)?;
    }
    Ok(())
}

const _: () = assert!((MAX_BATCH as usize) < 64, "instructions sysvar and channels must fit 64 accounts");

#[derive(Accounts)]
pub struct DebitBatch<'info> {
    /// CHECK: the address is checked. The channels follow, in rising order of their addresses, writable.
    #[account(address = solana_sdk_ids::sysvar::instructions::ID)]
    pub instructions_sysvar: UncheckedAccount<'info>,
}
