//! A program that makes the calls it is told to make, for tests of callers by CPI: program-owned payers and payees,
//! two calls under one outer instruction. It guards nothing; nobody may ever deploy it for anything else.
//!
//! Data: calls, one after the other, each
//! `program (u8) || count (u8) || (account (u8) || flags (u8: 1 signer, 2 writable)) × count || length (u16 LE) || data`,
//! where program and accounts are indexes into this instruction's accounts. The address of seed "proxy" signs.

use pinocchio::cpi::{invoke_signed_with_slice, Seed, Signer};
use pinocchio::error::ProgramError;
use pinocchio::instruction::{InstructionAccount, InstructionView};
use pinocchio::{AccountView, Address, ProgramResult};

const SEED: &[u8] = b"proxy";
const MOST_ACCOUNTS: usize = 24;

pub fn process(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let (_, bump) = Address::find_program_address(&[SEED], program);
    let mut rest = data;
    while !rest.is_empty() {
        rest = call(accounts, rest, bump).ok_or(ProgramError::InvalidInstructionData)??;
    }
    Ok(())
}

/// Makes the first call in `data`; returns what follows it, or None when the data ends early.
fn call<'a>(accounts: &[AccountView], data: &'a [u8], bump: u8) -> Option<Result<&'a [u8], ProgramError>> {
    let [program, count, rest @ ..] = data else { return None };
    let program = accounts.get(usize::from(*program))?;
    let count = usize::from(*count);
    if count > MOST_ACCOUNTS {
        return None;
    }
    let mut metas = [const { InstructionAccount::readonly(&ZERO) }; MOST_ACCOUNTS];
    let mut views = [program; MOST_ACCOUNTS];
    let mut rest = rest;
    for (meta, view) in metas.iter_mut().zip(views.iter_mut()).take(count) {
        let [index, flags, after @ ..] = rest else { return None };
        *view = accounts.get(usize::from(*index))?;
        *meta = InstructionAccount::new(view.address(), flags & 2 != 0, flags & 1 != 0);
        rest = after;
    }
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (body, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let instruction = InstructionView { program_id: program.address(), accounts: &metas[..count], data: body };
    let bump = [bump];
    let seeds = [Seed::from(SEED), Seed::from(bump.as_slice())];
    Some(invoke_signed_with_slice(&instruction, &views[..count], &[Signer::from(&seeds)]).map(|()| rest))
}

static ZERO: Address = Address::new_from_array([0; 32]);

#[cfg(not(feature = "no-entrypoint"))]
mod symbols {
    pinocchio::program_entrypoint!(super::process, 64);
    pinocchio::default_allocator!();
    pinocchio::default_panic_handler!();
}
