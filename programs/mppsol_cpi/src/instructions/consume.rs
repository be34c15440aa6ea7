//! `consume`: uses a receipt up.

use anchor_lang::prelude::*;

use crate::errors::PayError;
use crate::events::Consumed;
use crate::state::Receipt;

/// The consumer that was named when it was paid. Attested, or paid where no attestation is needed → consumed, before
/// the receipt expires. Nothing moves. No receipt is consumed twice.
pub(crate) fn handler(ctx: Context<Consume>) -> Result<()> {
    let receipt = &mut ctx.accounts.receipt;
    receipt.require_known_version()?;
    receipt.consume(Clock::get()?.unix_timestamp)?;
    emit!(Consumed { receipt: receipt.key(), consumer: receipt.consumer });
    Ok(())
}

#[derive(Accounts)]
pub struct Consume<'info> {
    #[account(mut, has_one = consumer @ PayError::NotTheConsumer)]
    pub receipt: Account<'info, Receipt>,
    pub consumer: Signer<'info>,
}
