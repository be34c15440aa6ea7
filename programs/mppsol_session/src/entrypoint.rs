//! Where execution begins: the first byte names the instruction. Anchor declares the interface (`lib.rs`); the
//! handlers run on the runtime's account memory as it is, which costs a small part of Anchor's account types
//! (docs/adr/0001).

use pinocchio::{AccountView, Address, ProgramResult};

use crate::errors::SessionError;
use crate::{emit, instructions as ix};

/// First byte of the events' self-CPI.
const EVENT: u8 = anchor_lang::event::EVENT_IX_TAG_LE[0];

/// Runs one instruction. The hot one is asked for first.
#[inline(always)]
pub fn process(_program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let Some((byte, args)) = data.split_first() else {
        return Err(SessionError::UnknownInstruction.into());
    };
    if *byte == 2 {
        return ix::debit::handler(accounts, args);
    }
    dispatch(*byte, accounts, args)
}

fn dispatch(byte: u8, accounts: &mut [AccountView], args: &[u8]) -> ProgramResult {
    match byte {
        1 => ix::open::handler(accounts, args),
        3 => ix::topup::handler(accounts, args),
        4 => ix::close::handler(accounts, args),
        5 => ix::revoke::handler(accounts, args),
        6 => ix::seal::handler(accounts, args),
        7 => ix::settle::handler(accounts, args),
        8 => ix::withdraw_payer::handler(accounts, args),
        9 => ix::reclaim::handler(accounts, args),
        32 => ix::debit_batch::handler(accounts, args),
        33 => ix::rearm::handler(accounts, args),
        EVENT => emit::receive(accounts, args),
        _ => Err(SessionError::UnknownInstruction.into()),
    }
}

#[cfg(not(feature = "cpi"))]
mod symbols {
    pinocchio::program_entrypoint!(super::process, 64);
    pinocchio::default_allocator!();
    pinocchio::default_panic_handler!();
}
