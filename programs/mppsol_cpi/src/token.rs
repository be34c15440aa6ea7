//! Moving tokens, so that what the receipt says is what happened: associated accounts only, no extension that could
//! change a balance behind our back (the channel program's allow-list), and the balances compared afterwards.

use anchor_lang::prelude::*;
use anchor_spl::associated_token::get_associated_token_address_with_program_id;
use anchor_spl::token_interface::{transfer_checked, Mint, TokenAccount, TokenInterface, TransferChecked};
use mppsol_session::token::extensions;

use crate::errors::PayError;

/// Where the extensions of a Token-2022 mint or account begin.
const EXTENSIONS_AT: usize = 166;

/// `account` is the associated token account of `owner`, and still belongs to it.
pub fn is_ata(account: &InterfaceAccount<TokenAccount>, owner: &Pubkey, mint: &Pubkey, program: &Pubkey) -> bool {
    *account.to_account_info().owner == *program
        && account.owner == *owner
        && account.mint == *mint
        && account.key() == get_associated_token_address_with_program_id(owner, mint, program)
}

/// The tokens of one payment.
pub struct Transfer<'a, 'info> {
    pub from: &'a mut InterfaceAccount<'info, TokenAccount>,
    pub to: &'a mut InterfaceAccount<'info, TokenAccount>,
    pub mint: &'a InterfaceAccount<'info, Mint>,
    pub authority: &'a Signer<'info>,
    pub program: &'a Interface<'info, TokenInterface>,
}

impl Transfer<'_, '_> {
    /// Refuses what could make the amount sent and the amount received differ.
    pub fn require_allowed_extensions(&self) -> Result<()> {
        let mint = check_extensions(&self.mint.to_account_info(), extensions::MINT_ALLOWED)?;
        require!(mint, PayError::MintExtensionNotAllowed);
        for account in [&self.from, &self.to] {
            let account = check_extensions(&account.to_account_info(), extensions::ACCOUNT_ALLOWED)?;
            require!(account, PayError::AccountExtensionNotAllowed);
        }
        Ok(())
    }

    /// Moves exactly `amount` base units. The authority's signature goes to the token program and nowhere else.
    pub fn run(self, amount: u64) -> Result<()> {
        self.require_allowed_extensions()?;
        let expected = (self.from.amount.checked_sub(amount), self.to.amount.checked_add(amount));
        let accounts = TransferChecked {
            from: self.from.to_account_info(),
            mint: self.mint.to_account_info(),
            to: self.to.to_account_info(),
            authority: self.authority.to_account_info(),
        };
        transfer_checked(CpiContext::new(self.program.key(), accounts), amount, self.mint.decimals)?;
        self.from.reload()?;
        self.to.reload()?;
        let moved = (Some(self.from.amount), Some(self.to.amount)) == expected;
        require!(moved, PayError::AmountNotMoved);
        Ok(())
    }
}

fn check_extensions(account: &AccountInfo, allowed: &[u16]) -> Result<bool> {
    let data = account.try_borrow_data()?;
    Ok(extensions::check(data.get(EXTENSIONS_AT..).unwrap_or_default(), allowed).is_ok())
}
