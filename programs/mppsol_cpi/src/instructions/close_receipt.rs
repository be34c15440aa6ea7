//! `close_receipt`: returns the rent.

use anchor_lang::prelude::*;

use crate::errors::PayError;
use crate::events::ReceiptClosed;
use crate::state::Receipt;

/// Anyone. Consumed or expired → gone, after slot pay_slot + 1,500. Every lamport goes to whoever paid the rent. From
/// then on no payment can reach the address, so nothing is ever paid, attested or consumed there again.
pub(crate) fn handler(ctx: Context<CloseReceipt>) -> Result<()> {
    let receipt = &ctx.accounts.receipt;
    receipt.require_known_version()?;
    receipt.require_closable(&Clock::get()?)?;
    emit!(ReceiptClosed { receipt: receipt.key(), rent_payer: receipt.rent_payer });
    Ok(())
}

#[derive(Accounts)]
pub struct CloseReceipt<'info> {
    #[account(mut, has_one = rent_payer @ PayError::NotTheRentPayer, close = rent_payer)]
    pub receipt: Account<'info, Receipt>,
    /// CHECK: the receipt names it.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}
