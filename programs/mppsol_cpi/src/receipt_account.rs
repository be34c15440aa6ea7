//! Makes a receipt's account. Anchor's `init` would fail on an address that somebody sent lamports to, wherever the
//! runtime has no `CreateAccountAllowPrefund` yet; these three steps work everywhere.

use anchor_lang::prelude::*;
use anchor_lang::system_program::{self, Allocate, Assign, Transfer};

use crate::constants::{RECEIPT_LEN, RECEIPT_SEED};
use crate::errors::PayError;
use crate::state::Receipt;

/// An address for a receipt, with nothing in it yet.
pub struct NewReceipt<'a, 'info> {
    pub account: &'a UncheckedAccount<'info>,
    pub rent_payer: &'a Signer<'info>,
    pub system_program: &'a Program<'info, System>,
    /// The payer, or the channel: the second seed.
    pub source: Pubkey,
}

impl NewReceipt<'_, '_> {
    /// Nothing → `receipt`, paid for by the rent payer. An address that holds lamports already takes only what is
    /// missing; one that holds data is refused.
    pub fn write(&self, receipt: &Receipt) -> Result<()> {
        let is_free = *self.account.owner == system_program::ID && self.account.data_is_empty();
        require!(is_free, PayError::ReceiptAlreadyExists);

        let (nonce, pay_slot) = (receipt.nonce.to_le_bytes(), receipt.pay_slot.to_le_bytes());
        let seeds: &[&[u8]] = &[RECEIPT_SEED, self.source.as_ref(), &nonce, &pay_slot, &[receipt.bump]];
        let (program, account) = (self.system_program.key(), self.account.to_account_info());

        let missing = Rent::get()?.minimum_balance(RECEIPT_LEN).saturating_sub(account.lamports());
        if missing > 0 {
            let accounts = Transfer { from: self.rent_payer.to_account_info(), to: account.clone() };
            system_program::transfer(CpiContext::new(program, accounts), missing)?;
        }
        let accounts = Allocate { account_to_allocate: account.clone() };
        system_program::allocate(CpiContext::new_with_signer(program, accounts, &[seeds]), RECEIPT_LEN as u64)?;
        let accounts = Assign { account_to_assign: account.clone() };
        system_program::assign(CpiContext::new_with_signer(program, accounts, &[seeds]), &crate::ID)?;

        let mut data = self.account.try_borrow_mut_data()?;
        receipt.try_serialize(&mut &mut data[..])
    }
}
