//! Account checks that several instructions share, over the runtime's own account memory (pinocchio's views):
//! who signed, which account is the channel, what the sysvars say.

use pinocchio::account::{Ref, RefMut};
use pinocchio::cpi::Seed;
use pinocchio::error::ProgramError;
use pinocchio::sysvars::clock::Clock;
use pinocchio::sysvars::Sysvar;
use pinocchio::{AccountView, Address};

use crate::constants::CHANNEL_SEED;
use crate::errors::SessionError;
use crate::state::Channel;
use crate::voucher::same_key;

pub type Result<T> = core::result::Result<T, ProgramError>;

/// This program's address, as the views type it.
pub const PROGRAM: Address = Address::new_from_array(crate::ID.to_bytes());

pub const SYSTEM_PROGRAM: Address = Address::new_from_array([0; 32]);

/// The accounts of an instruction that takes exactly `N`.
#[inline(always)]
pub fn exactly<const N: usize>(accounts: &mut [AccountView]) -> Result<&mut [AccountView; N]> {
    accounts.try_into().map_err(|_| SessionError::NotEnoughAccountKeys.into())
}

/// For instructions without arguments.
#[inline(always)]
pub fn no_args(data: &[u8]) -> Result<()> {
    if data.is_empty() {
        Ok(())
    } else {
        Err(SessionError::InvalidInstructionData.into())
    }
}

/// For instructions whose argument is one u64.
pub fn u64_arg(data: &[u8]) -> Result<u64> {
    let bytes: [u8; 8] = data.try_into().map_err(|_| SessionError::InvalidInstructionData)?;
    Ok(u64::from_le_bytes(bytes))
}

#[inline(always)]
pub fn require_signer(account: &AccountView) -> Result<()> {
    if account.is_signer() {
        Ok(())
    } else {
        Err(SessionError::MissingRequiredSignature.into())
    }
}

#[inline(always)]
pub fn require_writable(account: &AccountView) -> Result<()> {
    if account.is_writable() {
        Ok(())
    } else {
        Err(SessionError::AccountNotWritable.into())
    }
}

#[inline(always)]
pub fn require_key(account: &AccountView, key: &[u8; 32], error: SessionError) -> Result<()> {
    if same_key(account.address().as_array(), key) {
        Ok(())
    } else {
        Err(error.into())
    }
}

#[inline(always)]
fn require_channel(account: &AccountView) -> Result<()> {
    if same_key(account.owner().as_array(), PROGRAM.as_array()) {
        Ok(())
    } else {
        Err(SessionError::ChannelOwnerMismatch.into())
    }
}

/// The channel that `account` holds. Its owner and header say that it is one; its address needs no derivation,
/// because this program writes such accounts at derived addresses only.
#[inline(always)]
pub fn channel(account: &AccountView) -> Result<Ref<'_, Channel>> {
    require_channel(account)?;
    Ref::try_map(account.try_borrow()?, Channel::load).map_err(|(_, e)| e.into())
}

/// As `channel`, to write.
#[inline(always)]
pub fn channel_mut(account: &mut AccountView) -> Result<RefMut<'_, Channel>> {
    require_channel(account)?;
    require_writable(account)?;
    RefMut::try_map(account.try_borrow_mut()?, Channel::load_mut).map_err(|(_, e)| e.into())
}

/// As `channel_mut`, without the bookkeeping of borrows, for instructions that look into no other account's data.
#[inline(always)]
pub fn sole_channel_mut(account: &mut AccountView) -> Result<&mut Channel> {
    require_channel(account)?;
    require_writable(account)?;
    // SAFETY: `account` is borrowed for as long as the result, and the caller reads no other account that could be
    // the same one under another name: the instructions sysvar's address is compared, and it is not ours.
    Ok(Channel::load_mut(unsafe { account.borrow_unchecked_mut() })?)
}

/// Unix seconds.
#[inline(always)]
pub fn now() -> core::result::Result<i64, SessionError> {
    match Clock::get() {
        Ok(clock) => Ok(clock.unix_timestamp),
        Err(_) => Err(SessionError::ClockOutOfRange),
    }
}

#[inline(always)]
pub fn slot() -> Result<u64> {
    Ok(Clock::get()?.slot)
}

/// The seeds under which the program signs for a channel: owned copies, for CPIs that need the channel unborrowed.
pub struct ChannelSeeds {
    salt: [u8; 8],
    open_slot: [u8; 8],
    bump: [u8; 1],
    keys: [[u8; 32]; 4],
}

impl ChannelSeeds {
    /// From a channel on chain.
    pub fn of(channel: &Channel) -> Self {
        let keys = [channel.payer, channel.payee, channel.mint, channel.authorized_signer].map(|key| key.to_bytes());
        Self::new(keys, channel.salt, channel.open_slot, channel.bump)
    }

    /// `keys`: payer, payee, mint, authorized signer.
    pub fn new(keys: [[u8; 32]; 4], salt: u64, open_slot: u64, bump: u8) -> Self {
        Self { salt: salt.to_le_bytes(), open_slot: open_slot.to_le_bytes(), bump: [bump], keys }
    }

    /// In derivation order, bump last.
    pub fn seeds(&self) -> [Seed<'_>; 8] {
        let [payer, payee, mint, signer] = &self.keys;
        [
            Seed::from(CHANNEL_SEED),
            Seed::from(payer.as_slice()),
            Seed::from(payee.as_slice()),
            Seed::from(mint.as_slice()),
            Seed::from(signer.as_slice()),
            Seed::from(self.salt.as_slice()),
            Seed::from(self.open_slot.as_slice()),
            Seed::from(self.bump.as_slice()),
        ]
    }
}

/// Frees a channel's address: every lamport to the rent payer, no data, owned by the system program.
pub fn deallocate(channel: &mut AccountView, rent_payer: &mut AccountView) -> Result<()> {
    let total = rent_payer.lamports().checked_add(channel.lamports()).ok_or(SessionError::RentPayerBalanceOverflow)?;
    rent_payer.set_lamports(total);
    channel.set_lamports(0);
    channel.close()
}
