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

#[cfg(test)]
mod tests {
    use super::*;
    use mppsol_session::voucher::message::{Voucher, VOUCHER_LEN, VOUCHER_MAGIC};

    const SIGNER: Pubkey = Pubkey::new_from_array([0xaa; 32]);

    fn example() -> [u8; ATTESTATION_LEN] {
        message(&Pubkey::new_from_array([1; 32]), &[2; 32], &[3; 32])
    }

    /// A canonical Ed25519 instruction; the signature itself is the precompile's business.
    fn instruction(message: &[u8]) -> Vec<u8> {
        let mut data = vec![1, 0];
        for field in [48, u16::MAX, 16, u16::MAX, 112, message.len() as u16, u16::MAX] {
            data.extend_from_slice(&field.to_le_bytes());
        }
        data.extend_from_slice(SIGNER.as_ref());
        data.extend_from_slice(&[0xbb; 64]);
        data.extend_from_slice(message);
        data
    }

    #[test]
    fn the_message_is_98_bytes_with_every_part_in_its_place() {
        let bytes = example();
        assert_eq!(bytes.len(), 98);
        assert_eq!(bytes[..2], [0x52, 0x01]);
        assert_eq!((&bytes[2..34], &bytes[34..66], &bytes[66..]), (&[1; 32][..], &[2; 32][..], &[3; 32][..]));
    }

    #[test]
    fn an_attestation_is_no_voucher_and_no_voucher_is_an_attestation() {
        assert_ne!(ATTESTATION_MAGIC, VOUCHER_MAGIC);
        let mut start = [0; VOUCHER_LEN];
        start.copy_from_slice(&example()[..VOUCHER_LEN]);
        assert!(Voucher::decode(&start).is_err());
        let mut voucher = [0; VOUCHER_LEN];
        voucher[..2].copy_from_slice(&VOUCHER_MAGIC);
        let refusal = verify_data(&instruction(&voucher), &SIGNER, &example());
        assert_eq!(refusal.unwrap_err(), PayError::MalformedEd25519Instruction.into());
    }

    #[test]
    fn the_signed_message_is_accepted_from_its_signer_only() {
        let data = instruction(&example());
        assert!(verify_data(&data, &SIGNER, &example()).is_ok());
        let other = verify_data(&data, &crate::ID, &example());
        assert_eq!(other.unwrap_err(), PayError::AttestationSignerMismatch.into());
    }

    #[test]
    fn a_change_in_any_byte_is_another_message() {
        for at in 0..ATTESTATION_LEN {
            let mut signed = example();
            signed[at] ^= 1;
            let refusal = verify_data(&instruction(&signed), &SIGNER, &example());
            assert_eq!(refusal.unwrap_err(), PayError::AttestationMessageMismatch.into());
        }
    }

    #[test]
    fn any_other_layout_of_the_instruction_is_refused() {
        for at in (0..16).filter(|at| *at != 12 && *at != 13) {
            let mut data = instruction(&example());
            data[at] ^= 1;
            let refusal = verify_data(&data, &SIGNER, &example());
            assert_eq!(refusal.unwrap_err(), PayError::MalformedEd25519Instruction.into());
        }
        for length in [0, 97, 99] {
            let data = instruction(&vec![0x52; length]);
            let refusal = verify_data(&data, &SIGNER, &example());
            assert_eq!(refusal.unwrap_err(), PayError::MalformedEd25519Instruction.into());
        }
    }
}
