//! The two token instructions the program calls. Both token programs read them alike.

use pinocchio::cpi::{invoke_signed, Signer};
use pinocchio::instruction::{InstructionAccount, InstructionView};
use pinocchio::AccountView;

use crate::token::TokenContext;
use crate::views::Result;

const TRANSFER_CHECKED: u8 = 12;
const CLOSE_ACCOUNT: u8 = 9;

/// Moves `amount` base units; nothing happens for zero.
pub fn transfer(
    token: &TokenContext,
    from: &AccountView,
    to: &AccountView,
    authority: &AccountView,
    amount: u64,
    signers: &[Signer],
) -> Result<()> {
    if amount == 0 {
        return Ok(());
    }
    let mut data = [TRANSFER_CHECKED; 10];
    data[1..9].copy_from_slice(&amount.to_le_bytes());
    data[9] = token.decimals;
    let accounts = [
        InstructionAccount::writable(from.address()),
        InstructionAccount::readonly(token.mint.address()),
        InstructionAccount::writable(to.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let instruction = InstructionView { program_id: token.program.address(), accounts: &accounts, data: &data };
    invoke_signed(&instruction, &[from, token.mint, to, authority], signers)
}

/// Closes an empty token account; its lamports go to `destination`.
pub fn close(
    token: &TokenContext,
    account: &AccountView,
    destination: &AccountView,
    authority: &AccountView,
    signers: &[Signer],
) -> Result<()> {
    let accounts = [
        InstructionAccount::writable(account.address()),
        InstructionAccount::writable(destination.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let instruction =
        InstructionView { program_id: token.program.address(), accounts: &accounts, data: &[CLOSE_ACCOUNT] };
    invoke_signed(&instruction, &[account, destination, authority], signers)
}
