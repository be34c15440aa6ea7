//! Is this the associated token account? Deriving the address costs 1,500 CU for every bump tried; hashing the
//! seeds and comparing costs 170. See docs/adr/0003 for why the comparison is enough where a token account
//! exists.

use pinocchio::{AccountView, Address};
use solana_sha256_hasher::hashv;

use crate::voucher::same_key;

/// `ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL`
pub const PROGRAM_ID: [u8; 32] = anchor_spl::associated_token::ID.to_bytes();

/// Ends the hash of every derived address (solana-address, `PDA_MARKER`).
const MARKER: &[u8; 21] = b"ProgramDerivedAddress";

/// The account is not the one.
pub struct NotTheAta;

/// `account` is at the associated token address of `owner` and `mint`.
///
/// If it belongs to `token_program`, any bump may match: the associated token program signs for canonical bumps
/// only, so no token account exists at another. If it does not, somebody may have picked an empty address on
/// purpose, and the canonical bump decides.
pub fn require(
    account: &AccountView,
    owner: &[u8; 32],
    token_program: &[u8; 32],
    mint: &[u8; 32],
) -> Result<(), NotTheAta> {
    let address = account.address().as_array();
    let is_it = if same_key(account.owner().as_array(), token_program) {
        (0..=u8::MAX).rev().any(|bump| same_key(address, &candidate(owner, token_program, mint, bump)))
    } else {
        let seeds: [&[u8]; 3] = [owner, token_program, mint];
        let (canonical, _) = Address::find_program_address(&seeds, &Address::new_from_array(PROGRAM_ID));
        same_key(address, canonical.as_array())
    };
    if is_it {
        Ok(())
    } else {
        Err(NotTheAta)
    }
}

#[inline(always)]
fn candidate(owner: &[u8; 32], token_program: &[u8; 32], mint: &[u8; 32], bump: u8) -> [u8; 32] {
    hashv(&[owner, token_program, mint, &[bump], &PROGRAM_ID, MARKER]).to_bytes()
}
