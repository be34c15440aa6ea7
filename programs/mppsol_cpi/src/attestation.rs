//! The recipient's statement of what it delivered, off chain: the 98 bytes its signature covers, and the proof that
//! it signed them. `verify` is the only way in: another source of proof (an SBF verifier under SIMD-0568, say)
//! replaces what is behind it and nothing else.
//!
//! `0x52 0x01 || receipt (32) || request hash (32) || result hash (32)`

use anchor_lang::prelude::*;
use mppsol_session::voucher::ed25519;
use solana_instructions_sysvar::get_instruction_relative;

use crate::constants::{ATTESTATION_LEN, ATTESTATION_MAGIC};
use crate::errors::PayError;

/// The bytes by which a recipient attests `result_hash`. The receipt's address binds this program and every seed.
pub fn message(receipt: &Pubkey, request_hash: &[u8; 32], result_hash: &[u8; 32]) -> [u8; ATTESTATION_LEN] {
    let mut bytes = [0; ATTESTATION_LEN];
    bytes[..2].copy_from_slice(&ATTESTATION_MAGIC);
    bytes[2..34].copy_from_slice(receipt.as_ref());
    bytes[34..66].copy_from_slice(request_hash);
    bytes[66..].copy_from_slice(result_hash);
    bytes
}

/// The Ed25519 precompile verified, in the instruction right before the current top-level one, that `signer`
/// signed `message`.
pub fn verify(sysvar: &AccountInfo, signer: &Pubkey, message: &[u8; ATTESTATION_LEN]) -> Result<()> {
    let previous = get_instruction_relative(-1, sysvar).map_err(|_| error!(PayError::MissingEd25519Verification))?;
    require!(previous.program_id.to_bytes() == ed25519::PROGRAM_ID, PayError::MissingEd25519Verification);
    verify_data(&previous.data, signer, message)
}

/// As `verify`, for the data of the precompile's instruction.
fn verify_data(data: &[u8], signer: &Pubkey, message: &[u8; ATTESTATION_LEN]) -> Result<()> {
    let signed = ed25519::parse::<ATTESTATION_LEN>(data).map_err(|_| error!(PayError::MalformedEd25519Instruction))?;
    require!(*signed.public_key == signer.to_bytes(), PayError::AttestationSignerMismatch);
    require!(signed.message == message, PayError::AttestationMessageMismatch);
    Ok(())
}
