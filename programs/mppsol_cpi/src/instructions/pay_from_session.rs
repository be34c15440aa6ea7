//! `pay_from_session`: cashes a voucher of an open channel and writes the receipt.

use anchor_lang::prelude::*;
use mppsol_session::constants::CHANNEL_VERSION;
use mppsol_session::program::MppsolSession;
use mppsol_session::state::Channel;

use crate::args::PayFromSessionArgs;
use crate::constants::{NO_SPLITS_HASH, RECEIPT_SEED};
use crate::errors::PayError;
use crate::events::Paid;
use crate::receipt_account::NewReceipt;
use crate::state::{Parties, Receipt};

/// The channel's payer or its authorized signer signs, and the rent payer; the voucher is in the Ed25519 instruction
/// right before the top-level one. Nothing → paid, waiting for the payee's attestation. No tokens move: the channel's
/// watermark rises by exactly `amount`, which is then the payee's for certain. One voucher never makes two receipts,
/// and a channel with splits makes none.
pub(crate) fn handler(ctx: Context<PayFromSession>, args: PayFromSessionArgs) -> Result<()> {
    let accounts = ctx.accounts;
    let before = accounts.channel.load()?.settled;
    let debit = mppsol_session::cpi::accounts::Debit {
        channel: accounts.channel.to_account_info(),
        instructions_sysvar: accounts.instructions_sysvar.to_account_info(),
    };
    mppsol_session::cpi::debit(CpiContext::new(accounts.session_program.key(), debit))?;
    let parties = {
        let channel = accounts.channel.load()?;
        let rise = channel.settled.checked_sub(before);
        require!(rise == Some(args.amount), PayError::DebitMismatch);
        Parties {
            payer: channel.payer,
            recipient: channel.payee,
            mint: channel.mint,
            rent_payer: accounts.rent_payer.key(),
            channel: accounts.channel.key(),
        }
    };
    NewReceipt {
        account: &accounts.receipt,
        rent_payer: &accounts.rent_payer,
        system_program: &accounts.system_program,
        source: parties.channel,
    }
    .write(&Receipt::paid(&parties, &args.terms(), ctx.bumps.receipt, &Clock::get()?))?;
    emit!(Paid {
        receipt: accounts.receipt.key(),
        payer: parties.payer,
        recipient: parties.recipient,
        mint: parties.mint,
        amount: args.amount,
        request_hash: args.request_hash,
        consumer: args.consumer,
        channel: parties.channel,
    });
    Ok(())
}

impl PayFromSession<'_> {
    pub(crate) fn validate(&self, args: &PayFromSessionArgs) -> Result<()> {
        let channel = self.channel.load()?;
        let (payer, authorized_signer, hash) = (channel.payer, channel.authorized_signer, channel.distribution_hash);
        require!(channel.version == CHANNEL_VERSION, PayError::UnsupportedChannelVersion);
        require!([payer, authorized_signer].contains(self.authority.key), PayError::NotTheChannelsAuthority);
        require!(hash == NO_SPLITS_HASH, PayError::ChannelHasSplits);
        args.terms().validate(&Clock::get()?)
    }
}

#[derive(Accounts)]
#[instruction(args: PayFromSessionArgs)]
pub struct PayFromSession<'info> {
    pub authority: Signer<'info>,
    #[account(mut)]
    pub rent_payer: Signer<'info>,
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
    /// CHECK: derived, and made here.
    #[account(
        mut,
        seeds = [RECEIPT_SEED, channel.key().as_ref(), &args.nonce.to_le_bytes(), &args.pay_slot.to_le_bytes()],
        bump,
    )]
    pub receipt: UncheckedAccount<'info>,
    /// CHECK: the address is checked.
    #[account(address = solana_sdk_ids::sysvar::instructions::ID @ PayError::InvalidInstructionsSysvar)]
    pub instructions_sysvar: UncheckedAccount<'info>,
    pub session_program: Program<'info, MppsolSession>,
    pub system_program: Program<'info, System>,
}
