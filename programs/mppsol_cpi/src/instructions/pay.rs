//! `pay`: moves tokens and writes the receipt.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};

use crate::args::PayArgs;
use crate::constants::RECEIPT_SEED;
use crate::errors::PayError;
use crate::events::Paid;
use crate::receipt_account::NewReceipt;
use crate::state::{Parties, Receipt};
use crate::token::{is_ata, Transfer};

/// Payer and rent payer sign; the payer may be a program's address that carries data, and never needs SOL.
/// Nothing → paid. `amount` base units move from the payer's associated token account to the recipient's; the rent
/// payer pays the receipt's rent and is recorded to get it back. No address ever holds a second receipt, and no
/// receipt says more than what moved.
pub(crate) fn handler(ctx: Context<Pay>, args: PayArgs) -> Result<()> {
    let accounts = ctx.accounts;
    let parties = Parties {
        payer: accounts.payer.key(),
        recipient: accounts.recipient.key(),
        mint: accounts.mint.key(),
        rent_payer: accounts.rent_payer.key(),
        channel: Pubkey::default(),
    };
    NewReceipt {
        account: &accounts.receipt,
        rent_payer: &accounts.rent_payer,
        system_program: &accounts.system_program,
        source: parties.payer,
    }
    .write(&Receipt::paid(&parties, &args, ctx.bumps.receipt, &Clock::get()?))?;
    Transfer {
        from: &mut accounts.payer_token_account,
        to: &mut accounts.recipient_token_account,
        mint: &accounts.mint,
        authority: &accounts.payer,
        program: &accounts.token_program,
    }
    .run(args.amount)?;
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

#[derive(Accounts)]
#[instruction(args: PayArgs)]
pub struct Pay<'info> {
    pub payer: Signer<'info>,
    #[account(mut)]
    pub rent_payer: Signer<'info>,
    /// CHECK: any address but the payer's, programs' included; owns the token account that is paid.
    #[account(constraint = recipient.key() != payer.key() @ PayError::PayerRecipientMustDiffer)]
    pub recipient: UncheckedAccount<'info>,
    #[account(constraint = mint.to_account_info().owner == token_program.key @ PayError::MintProgramMismatch)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// CHECK: derived, and made here.
    #[account(
        mut,
        seeds = [RECEIPT_SEED, payer.key().as_ref(), &args.nonce.to_le_bytes(), &args.pay_slot.to_le_bytes()],
        bump,
    )]
    pub receipt: UncheckedAccount<'info>,
    #[account(
        mut,
        constraint = is_ata(&payer_token_account, payer.key, &mint.key(), token_program.key)
            @ PayError::PayerTokenAccountMismatch,
    )]
    pub payer_token_account: Box<InterfaceAccount<'info, TokenAccount>>,
    /// Differs from the payer's, because the owners differ; `dup` keeps Anchor from answering first.
    #[account(
        mut,
        dup,
        constraint = is_ata(&recipient_token_account, recipient.key, &mint.key(), token_program.key)
            @ PayError::RecipientTokenAccountMismatch,
    )]
    pub recipient_token_account: Box<InterfaceAccount<'info, TokenAccount>>,
    pub token_program: Interface<'info, TokenInterface>,
    pub system_program: Program<'info, System>,
}
