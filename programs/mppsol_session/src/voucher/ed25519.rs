//! Reads the data of an Ed25519 precompile instruction, in the one layout that is accepted: one signature, key at
//! 16, signature at 48, message at 112, all of it in the instruction's own data. The precompile accepts many
//! more; in each of them what it verified and what we would read could differ.

/// Address of the Ed25519 precompile, `Ed25519SigVerify111111111111111111111111111`.
pub const PROGRAM_ID: [u8; 32] = [
    3, 125, 70, 214, 124, 147, 251, 190, 18, 249, 66, 143, 131, 141, 64, 255, 5, 112, 116, 73, 39, 244, 138, 100, 252,
    202, 112, 68, 128, 0, 0, 0,
];

const PUBLIC_KEY_AT: usize = 16;
const SIGNATURE_AT: usize = 48;
const MESSAGE_AT: usize = 112;

/// "This instruction's own data", in an instruction index.
const OWN: u16 = u16::MAX;

/// What the precompile verified: `public_key` signed `message`.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed<'a, M: ?Sized> {
    pub public_key: &'a [u8; 32],
    pub message: &'a M,
}

/// Which rule the data breaks. On chain every one is `MalformedEd25519Instruction`; tests tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ed25519Error {
    /// Not exactly header, key, signature and message.
    Length,
    /// None would verify nothing; a second could cover anything.
    SignatureCount,
    Padding,
    /// A part lies in another instruction.
    CrossInstruction,
    /// A part lies elsewhere than we read it.
    Offset,
    /// The precompile covered another length than we read.
    MessageSize,
}

/// Data whose message has exactly `N` bytes.
#[inline(always)]
pub fn parse<const N: usize>(data: &[u8]) -> Result<Signed<'_, [u8; N]>, Ed25519Error> {
    if data.len() != MESSAGE_AT.wrapping_add(N) {
        return Err(Ed25519Error::Length);
    }
    check_header(data, N)?;
    // SAFETY: the length was checked; byte arrays have alignment 1.
    let message = unsafe { &*data.as_ptr().add(MESSAGE_AT).cast::<[u8; N]>() };
    Ok(Signed { public_key: public_key(data), message })
}

/// Data whose message has any length.
pub fn parse_any(data: &[u8]) -> Result<Signed<'_, [u8]>, Ed25519Error> {
    let length = data.len().checked_sub(MESSAGE_AT).ok_or(Ed25519Error::Length)?;
    check_header(data, length)?;
    Ok(Signed { public_key: public_key(data), message: &data[MESSAGE_AT..] })
}

/// Compares the 16 header bytes with the only acceptable ones, two words at a time; finds the reason when they
/// differ.
#[inline(always)]
fn check_header(data: &[u8], message_size: usize) -> Result<(), Ed25519Error> {
    let header = header(data);
    let (low, high) = (u128::from_le_bytes(*header) as u64, (u128::from_le_bytes(*header) >> 64) as u64);
    let size = u16::try_from(message_size).map_err(|_| Ed25519Error::Length)?;
    let want_low = 1 | (SIGNATURE_AT as u64) << 16 | (OWN as u64) << 32 | (PUBLIC_KEY_AT as u64) << 48;
    let want_high = OWN as u64 | (MESSAGE_AT as u64) << 16 | (size as u64) << 32 | (OWN as u64) << 48;
    if low == want_low && high == want_high {
        return Ok(());
    }
    Err(explain(header, size))
}

/// The first rule that a header breaks.
#[cold]
fn explain(header: &[u8; 16], size: u16) -> Ed25519Error {
    let [count, padding, fields @ ..] = header;
    let field = |i: usize| u16::from_le_bytes([fields[i], fields[i.wrapping_add(1)]]);
    if *count != 1 {
        Ed25519Error::SignatureCount
    } else if *padding != 0 {
        Ed25519Error::Padding
    } else if [field(2), field(6), field(12)] != [OWN; 3] {
        Ed25519Error::CrossInstruction
    } else if field(10) != size {
        Ed25519Error::MessageSize
    } else {
        Ed25519Error::Offset
    }
}

#[inline(always)]
fn header(data: &[u8]) -> &[u8; 16] {
    // SAFETY: both callers checked that the data is longer.
    unsafe { &*data.as_ptr().cast() }
}

#[inline(always)]
fn public_key(data: &[u8]) -> &[u8; 32] {
    // SAFETY: as in `header`.
    unsafe { &*data.as_ptr().add(PUBLIC_KEY_AT).cast() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(message: &[u8]) -> Vec<u8> {
        let mut data = vec![1, 0];
        for field in [48, OWN, 16, OWN, 112, message.len() as u16, OWN] {
            data.extend_from_slice(&field.to_le_bytes());
        }
        data.extend_from_slice(&[0xaa; 32]);
        data.extend_from_slice(&[0xbb; 64]);
        data.extend_from_slice(message);
        data
    }

    fn refuse(change: impl FnOnce(&mut Vec<u8>)) -> Ed25519Error {
        let mut data = canonical(&[7; 50]);
        change(&mut data);
        parse::<50>(&data).unwrap_err()
    }

    #[test]
    fn the_canonical_layout_is_162_bytes_and_accepted() {
        let data = canonical(&[7; 50]);
        assert_eq!(data.len(), 162);
        assert_eq!(parse::<50>(&data).unwrap(), Signed { public_key: &[0xaa; 32], message: &[7; 50] });
        assert_eq!(parse_any(&data).unwrap().message, &[7; 50]);
    }

    #[test]
    fn no_signature_and_two_signatures_are_refused() {
        assert_eq!(refuse(|d| d[0] = 0), Ed25519Error::SignatureCount);
        assert_eq!(refuse(|d| d[0] = 2), Ed25519Error::SignatureCount);
    }

    #[test]
    fn padding_is_refused() {
        assert_eq!(refuse(|d| d[1] = 1), Ed25519Error::Padding);
    }

    #[test]
    fn a_signature_key_or_message_in_another_instruction_is_refused() {
        for at in [4, 8, 14] {
            assert_eq!(refuse(|d| d[at..at + 2].copy_from_slice(&[0, 0])), Ed25519Error::CrossInstruction);
        }
    }

    #[test]
    fn a_signature_key_or_message_elsewhere_in_the_data_is_refused() {
        for at in [2, 6, 10] {
            assert_eq!(refuse(|d| d[at] = d[at].wrapping_add(1)), Ed25519Error::Offset);
        }
    }

    #[test]
    fn a_message_size_other_than_what_is_read_is_refused() {
        assert_eq!(refuse(|d| d[12] = 49), Ed25519Error::MessageSize);
        assert_eq!(refuse(|d| d[12] = 51), Ed25519Error::MessageSize);
    }

    #[test]
    fn shorter_and_longer_data_are_refused() {
        assert_eq!(refuse(|d| d.truncate(161)), Ed25519Error::Length);
        assert_eq!(refuse(|d| d.push(0)), Ed25519Error::Length);
        assert_eq!(refuse(|d| d.clear()), Ed25519Error::Length);
        assert_eq!(parse_any(&[]).unwrap_err(), Ed25519Error::Length);
        assert_eq!(parse_any(&[1; 111]).unwrap_err(), Ed25519Error::Length);
    }
}
