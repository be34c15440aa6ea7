//! Proof that the channel's signer authorized an amount. `verify` and `verify_batch` are the only ways in: another
//! source of proof (an SBF verifier under SIMD-0568, say) replaces what is behind them and nothing else.

pub mod batch;
pub mod ed25519;
pub mod message;
pub mod signer;

use pinocchio::sysvars::instructions::{Instructions, INSTRUCTIONS_ID};
use pinocchio::AccountView;

use crate::errors::SessionError;

pub use batch::BatchVoucher;
pub use message::{Terms, Voucher, VOUCHER_LEN};

type Result<T> = core::result::Result<T, SessionError>;

/// The voucher for `channel` that `signer` signed and the Ed25519 precompile verified in the instruction right
/// before the current top-level one.
#[inline(always)]
pub fn verify(proof: &AccountView, channel: &[u8; 32], signer: &[u8; 32]) -> Result<Terms> {
    with_previous_instruction(proof, |data| {
        let signed = ed25519::parse::<VOUCHER_LEN>(data).map_err(|_| SessionError::MalformedEd25519Instruction)?;
        let voucher = Voucher::decode(signed.message)?;
        if !same_key(voucher.channel, channel) {
            return Err(SessionError::VoucherChannelMismatch);
        }
        if !same_key(signed.public_key, signer) {
            return Err(SessionError::VoucherSignerMismatch);
        }
        Ok(voucher.terms)
    })
}

/// The batch voucher that the precompile verified right before, and who signed it.
pub fn verify_batch<'a>(proof: &'a AccountView) -> Result<(BatchVoucher<'a>, &'a [u8; 32])> {
    with_previous_instruction(proof, |data| {
        let signed = ed25519::parse_any(data).map_err(|_| SessionError::MalformedEd25519Instruction)?;
        Ok((BatchVoucher::decode(signed.message)?, signed.public_key))
    })
}

/// Hands `read` the data of the Ed25519 instruction at the index before the current one.
#[inline(always)]
fn with_previous_instruction<'a, T>(proof: &'a AccountView, read: impl FnOnce(&'a [u8]) -> Result<T>) -> Result<T> {
    if !same_key(proof.address().as_array(), INSTRUCTIONS_ID.as_array()) {
        return Err(SessionError::InvalidInstructionsSysvar);
    }
    // SAFETY: the address is the sysvar's, whose data the runtime writes and nobody can borrow mutably.
    let data: &'a [u8] = unsafe { core::slice::from_raw_parts(proof.data_ptr(), proof.data_len()) };
    // SAFETY: as above, so the layout is the sysvar's.
    let instructions = unsafe { Instructions::new_unchecked(data) };
    let previous = instructions.load_current_index().checked_sub(1).ok_or(SessionError::MissingEd25519Verification)?;
    // SAFETY: an index below the current instruction's exists.
    let instruction = unsafe { instructions.deserialize_instruction_unchecked(previous as usize) };
    if !same_key(instruction.get_program_id().as_array(), &ed25519::PROGRAM_ID) {
        return Err(SessionError::MissingEd25519Verification);
    }
    let bytes = instruction.get_instruction_data();
    // SAFETY: the bytes lie in `data`, which lives for 'a; `instruction` only borrowed its pointer.
    read(unsafe { core::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) })
}

/// Compares two keys a word at a time: a third of the compute units of a slice comparison.
#[inline(always)]
pub fn same_key(a: &[u8; 32], b: &[u8; 32]) -> bool {
    word(a, 0) == word(b, 0) && word(a, 1) == word(b, 1) && word(a, 2) == word(b, 2) && word(a, 3) == word(b, 3)
}

#[inline(always)]
fn word(key: &[u8; 32], i: usize) -> u64 {
    let at = i.wrapping_mul(8);
    u64::from_le_bytes([
        key[at],
        key[at.wrapping_add(1)],
        key[at.wrapping_add(2)],
        key[at.wrapping_add(3)],
        key[at.wrapping_add(4)],
        key[at.wrapping_add(5)],
        key[at.wrapping_add(6)],
        key[at.wrapping_add(7)],
    ])
}
