//! `attest`: binds a result to the receipt.

use anchor_lang::prelude::*;

use crate::args::AttestArgs;
use crate::attestation;
use crate::errors::PayError;
use crate::events::Attested;
use crate::state::Receipt;

/// The recipient, by signing the transaction, or anyone with the recipient's attestation in the Ed25519 instruction
/// right before the top-level one. Who the recipient is, the receipt says and never the caller. Paid → attested,
/// before the receipt expires. Nothing moves. A result is never replaced.
pub(crate) fn handler(ctx: Context<Attest>, args: AttestArgs) -> Result<()> {
    let address = ctx.accounts.receipt.key();
    let receipt = &mut ctx.accounts.receipt;
    receipt.require_known_version()?;
    match (&ctx.accounts.recipient, &ctx.accounts.instructions_sysvar) {
        // Its constraint says that this is the receipt's recipient, and it signed.
        (Some(_), _) => (),
        (None, Some(sysvar)) => {
            let message = attestation::message(&address, &receipt.request_hash, &args.result_hash);
            attestation::verify(sysvar, &receipt.recipient, &message)?;
        }
        (None, None) => return err!(PayError::NoAttestationProof),
    }
    receipt.attest(args.result_hash, Clock::get()?.unix_timestamp)?;
    emit!(Attested { receipt: address, result_hash: args.result_hash });
    Ok(())
}

#[derive(Accounts)]
pub struct Attest<'info> {
    #[account(mut)]
    pub receipt: Account<'info, Receipt>,
    /// Signs, or is left out.
    #[account(address = receipt.recipient @ PayError::NotTheRecipient)]
    pub recipient: Option<Signer<'info>>,
    /// Needed when the recipient is left out.
    /// CHECK: the address is checked.
    #[account(address = solana_sdk_ids::sysvar::instructions::ID @ PayError::InvalidInstructionsSysvar)]
    pub instructions_sysvar: Option<UncheckedAccount<'info>>,
}
