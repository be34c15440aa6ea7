//! The Token-2022 allow-list (draft-solana-session-00, "Token-2022 Extension Policy"). Presence decides: an
//! extension that is not named here is refused, whatever it is set to and whoever wrote it.

/// Extension numbers of the Token-2022 program that can change nobody's balance.
const IMMUTABLE_OWNER: u16 = 7;
const METADATA_POINTER: u16 = 18;
const TOKEN_METADATA: u16 = 19;
const GROUP_POINTER: u16 = 20;
const TOKEN_GROUP: u16 = 21;
const GROUP_MEMBER_POINTER: u16 = 22;
const TOKEN_GROUP_MEMBER: u16 = 23;

pub const MINT_ALLOWED: &[u16] =
    &[METADATA_POINTER, TOKEN_METADATA, GROUP_POINTER, TOKEN_GROUP, GROUP_MEMBER_POINTER, TOKEN_GROUP_MEMBER];
pub const ACCOUNT_ALLOWED: &[u16] = &[IMMUTABLE_OWNER];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Malformed,
    NotAllowed,
}

/// Walks the entries `type (u16 LE) || length (u16 LE) || value`, which end at type 0 or at the end of the data.
pub fn check(mut entries: &[u8], allowed: &[u16]) -> Result<(), Refused> {
    loop {
        let kind = match entries {
            [low, high, ..] => u16::from_le_bytes([*low, *high]),
            [] | [0] => return Ok(()),
            _ => return Err(Refused::Malformed),
        };
        if kind == 0 {
            return Ok(());
        }
        let [_, _, low, high, rest @ ..] = entries else {
            return Err(Refused::Malformed);
        };
        if !allowed.contains(&kind) {
            return Err(Refused::NotAllowed);
        }
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        entries = rest.get(length..).ok_or(Refused::Malformed)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
        bytes.extend_from_slice(value);
        bytes
    }

    #[test]
    fn every_listed_extension_passes_on_its_kind_of_account_only() {
        for kind in MINT_ALLOWED {
            assert_eq!(check(&entry(*kind, &[1, 2]), MINT_ALLOWED), Ok(()));
            assert_eq!(check(&entry(*kind, &[1, 2]), ACCOUNT_ALLOWED), Err(Refused::NotAllowed));
        }
        assert_eq!(check(&entry(IMMUTABLE_OWNER, &[]), ACCOUNT_ALLOWED), Ok(()));
        assert_eq!(check(&entry(IMMUTABLE_OWNER, &[]), MINT_ALLOWED), Err(Refused::NotAllowed));
    }

    #[test]
    fn every_other_number_is_refused_even_behind_listed_ones() {
        for kind in (1..=u16::MAX).filter(|kind| !MINT_ALLOWED.contains(kind)) {
            assert_eq!(check(&entry(kind, &[]), MINT_ALLOWED), Err(Refused::NotAllowed));
        }
        let second = [entry(METADATA_POINTER, &[0; 64]), entry(1, &[0; 108])].concat();
        assert_eq!(check(&second, MINT_ALLOWED), Err(Refused::NotAllowed));
    }

    #[test]
    fn nothing_and_zero_padding_end_the_list() {
        for end in [&[][..], &[0], &[0; 64]] {
            assert_eq!(check(end, MINT_ALLOWED), Ok(()));
            let after = [entry(TOKEN_METADATA, &[9; 3]), end.to_vec()].concat();
            assert_eq!(check(&after, MINT_ALLOWED), Ok(()));
        }
    }

    #[test]
    fn entries_cut_short_are_malformed() {
        for cut in [&[7][..], &[18, 0], &[18, 0, 1], &[18, 0, 1, 0], &[18, 0, 2, 0, 9]] {
            assert_eq!(check(cut, MINT_ALLOWED), Err(Refused::Malformed));
        }
    }
}
