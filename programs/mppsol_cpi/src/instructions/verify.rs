//! `verify`: answers whether a receipt is good for the terms that the caller expects.

use anchor_lang::prelude::*;

use crate::state::{Expected, Receipt};
use crate::verdict::Verdict;

/// Anyone. Changes nothing. Fails with the number of the first term that differs; otherwise returns a verdict, which
/// `Verdict::read` takes from the return data. It never says yes to a receipt that is expired, consumed, or another
/// program's.
pub(crate) fn handler(ctx: Context<Verify>, expected: Expected) -> Result<Verdict> {
    let receipt = &ctx.accounts.receipt;
    receipt.check(&expected)?;
    Ok(Verdict::on(receipt.key(), receipt))
}

#[derive(Accounts)]
pub struct Verify<'info> {
    pub receipt: Account<'info, Receipt>,
}
