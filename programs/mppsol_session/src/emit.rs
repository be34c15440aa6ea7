//! Writes an event as Anchor's `emit_cpi!` does: a call to ourselves at byte 228, signed by the event authority.
//! The authority's seed is the standard's, so that its clients find it; Anchor's has two underscores more.

use anchor_lang::event::EVENT_IX_TAG_LE;
use anchor_lang::{AnchorSerialize, Discriminator};
use pinocchio::cpi::{invoke_signed, Seed, Signer};
use pinocchio::instruction::{InstructionAccount, InstructionView};
use pinocchio::AccountView;

use crate::constants::{EVENT_AUTHORITY, EVENT_AUTHORITY_BUMP, EVENT_AUTHORITY_SEED};
use crate::errors::SessionError;
use crate::views::{require_key, Result, PROGRAM};

/// The longest event is `PayoutRedirected`, 74 bytes behind two tags.
const LONGEST: usize = 90;

/// The two accounts that an instruction with events carries.
pub struct Events<'a> {
    authority: &'a AccountView,
    program: &'a AccountView,
}

impl<'a> Events<'a> {
    pub fn new(authority: &'a AccountView, program: &'a AccountView) -> Result<Self> {
        let wrong = SessionError::InvalidEventAuthority;
        require_key(authority, EVENT_AUTHORITY.as_array(), wrong)?;
        require_key(program, PROGRAM.as_array(), wrong)?;
        Ok(Self { authority, program })
    }

    pub fn emit<E: AnchorSerialize + Discriminator>(&self, event: &E) -> Result<()> {
        let mut data = [0u8; LONGEST];
        data[..8].copy_from_slice(EVENT_IX_TAG_LE);
        data[8..16].copy_from_slice(E::DISCRIMINATOR);
        let mut rest = &mut data[16..];
        event.serialize(&mut rest).map_err(|_| SessionError::InvalidInstructionData)?;
        let length = LONGEST.saturating_sub(rest.len());
        let bump = [EVENT_AUTHORITY_BUMP];
        let seeds = [Seed::from(EVENT_AUTHORITY_SEED), Seed::from(bump.as_slice())];
        let accounts = [InstructionAccount::readonly_signer(self.authority.address())];
        let instruction =
            InstructionView { program_id: self.program.address(), accounts: &accounts, data: &data[..length] };
        invoke_signed(&instruction, &[self.authority], &[Signer::from(&seeds)])
    }
}

/// The other end of `emit`: refuses everybody but this program's event authority.
pub fn receive(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let [authority] = crate::views::exactly(accounts)?;
    if !data.starts_with(&EVENT_IX_TAG_LE[1..]) {
        return Err(SessionError::UnknownInstruction.into());
    }
    crate::views::require_signer(authority)?;
    require_key(authority, EVENT_AUTHORITY.as_array(), SessionError::InvalidEventAuthority)
}
