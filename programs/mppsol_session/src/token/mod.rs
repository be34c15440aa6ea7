//! Token accounts of SPL Token and Token-2022: what a channel accepts as mint, escrow and recipient.

pub mod ata;
pub mod cpi;
pub mod extensions;
pub mod payout;

use pinocchio::AccountView;

use crate::errors::SessionError;
use crate::voucher::same_key;

type Result<T> = core::result::Result<T, SessionError>;

/// `TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA`
pub const SPL_TOKEN: [u8; 32] = anchor_spl::token::ID.to_bytes();
/// `TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb`
pub const TOKEN_2022: [u8; 32] = anchor_spl::token_2022::ID.to_bytes();

const MINT_LEN: usize = 82;
/// A multisig of either program; the length alone tells it from a mint or an account with extensions.
const MULTISIG_LEN: usize = 355;
const ACCOUNT_LEN: usize = 165;
/// Byte that says what a Token-2022 account with extensions is; the extensions follow it.
const ACCOUNT_TYPE_AT: usize = 165;
const EXTENSIONS_AT: usize = 166;
const TYPE_MINT: u8 = 1;
const TYPE_ACCOUNT: u8 = 2;
const STATE_INITIALIZED: u8 = 1;

/// The mint and the token program of an instruction, checked against each other.
pub struct TokenContext<'a> {
    pub mint: &'a AccountView,
    pub program: &'a AccountView,
    pub decimals: u8,
    is_2022: bool,
}

impl<'a> TokenContext<'a> {
    /// `program` is one of the two token programs and owns `mint`, which is a mint without forbidden extensions.
    pub fn new(mint: &'a AccountView, program: &'a AccountView) -> Result<Self> {
        let id = program.address().as_array();
        let is_2022 = same_key(id, &TOKEN_2022);
        if !is_2022 && !same_key(id, &SPL_TOKEN) {
            return Err(SessionError::InvalidMintTokenProgram);
        }
        if !same_key(mint.owner().as_array(), id) {
            return Err(SessionError::MintAccountMismatch);
        }
        let data = mint.try_borrow().map_err(|_| SessionError::MintAccountMismatch)?;
        let decimals = check_mint(&data, is_2022)?;
        Ok(Self { mint, program, decimals, is_2022 })
    }

    pub fn program_id(&self) -> &[u8; 32] {
        self.program.address().as_array()
    }

    /// The token account's parts, without judging them.
    pub fn read(&self, account: &AccountView) -> core::result::Result<TokenAccount, Unusable> {
        if !same_key(account.owner().as_array(), self.program_id()) {
            return Err(Unusable::NotATokenAccount);
        }
        let data = account.try_borrow().map_err(|_| Unusable::NotATokenAccount)?;
        parse_account(&data, self.is_2022)
    }

    /// `account` is the associated token account of `owner`, holds this mint, and can be paid to and from.
    pub fn check_ata(&self, account: &AccountView, owner: &[u8; 32]) -> core::result::Result<TokenAccount, Unusable> {
        let mint = self.mint.address().as_array();
        ata::require(account, owner, self.program_id(), mint).map_err(|_| Unusable::WrongAddress)?;
        let token = self.read(account)?;
        if !token.is_initialized {
            return Err(Unusable::NotInitialized);
        }
        if !same_key(&token.mint, mint) || !same_key(&token.owner, owner) {
            return Err(Unusable::Reassigned);
        }
        match token.extensions {
            Ok(()) => Ok(token),
            Err(extensions::Refused::Malformed) => Err(Unusable::MalformedExtensions),
            Err(extensions::Refused::NotAllowed) => Err(Unusable::ForbiddenExtension),
        }
    }
}

/// Why an account cannot serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Not the associated token account: the caller passed a wrong account.
    WrongAddress,
    /// Closed, missing, of another program, or not a token account.
    NotATokenAccount,
    /// Frozen or never initialized.
    NotInitialized,
    /// Its owner was changed.
    Reassigned,
    ForbiddenExtension,
    MalformedExtensions,
}

/// The three numbers with which one role's account is refused.
#[derive(Clone, Copy)]
pub struct RoleErrors {
    pub mismatch: SessionError,
    pub invalid: SessionError,
    pub extensions: SessionError,
}

impl RoleErrors {
    pub const ESCROW: Self = Self {
        mismatch: SessionError::ChannelAccountMismatch,
        invalid: SessionError::InvalidChannelTokenAccount,
        extensions: SessionError::InvalidChannelTokenExtensions,
    };
    pub const PAYER: Self = Self {
        mismatch: SessionError::PayerAccountMismatch,
        invalid: SessionError::InvalidPayerTokenAccount,
        extensions: SessionError::InvalidPayerTokenExtensions,
    };
    pub const PAYEE: Self = Self {
        mismatch: SessionError::PayeeAccountMismatch,
        invalid: SessionError::InvalidPayeeTokenAccount,
        extensions: SessionError::InvalidPayeeTokenExtensions,
    };
    pub const RECIPIENT: Self = Self {
        mismatch: SessionError::RecipientAccountMismatch,
        invalid: SessionError::InvalidRecipientTokenAccount,
        extensions: SessionError::InvalidRecipientTokenExtensions,
    };
    pub const TREASURY: Self = Self {
        mismatch: SessionError::TreasuryAccountMismatch,
        invalid: SessionError::InvalidTreasuryTokenAccount,
        extensions: SessionError::InvalidTreasuryTokenExtensions,
    };

    pub fn of(self, why: Unusable) -> SessionError {
        match why {
            Unusable::WrongAddress | Unusable::NotInitialized | Unusable::Reassigned => self.mismatch,
            Unusable::NotATokenAccount => self.invalid,
            Unusable::ForbiddenExtension | Unusable::MalformedExtensions => self.extensions,
        }
    }
}

/// What the program reads of a token account.
#[derive(Debug, Clone, Copy)]
pub struct TokenAccount {
    pub mint: [u8; 32],
    pub owner: [u8; 32],
    /// Base units.
    pub amount: u64,
    pub is_initialized: bool,
    pub extensions: core::result::Result<(), extensions::Refused>,
}

/// Decimals of a mint in `data`, whose owner was checked.
fn check_mint(data: &[u8], is_2022: bool) -> Result<u8> {
    const DECIMALS_AT: usize = 44;
    const IS_INITIALIZED_AT: usize = 45;
    if data.len() < MINT_LEN || data.len() == MULTISIG_LEN || data[IS_INITIALIZED_AT] != 1 {
        return Err(SessionError::MintAccountMismatch);
    }
    if data.len() > MINT_LEN {
        if !is_2022 || data.len() <= ACCOUNT_TYPE_AT || data[ACCOUNT_TYPE_AT] != TYPE_MINT {
            return Err(SessionError::MintAccountMismatch);
        }
        if data[MINT_LEN..ACCOUNT_TYPE_AT].iter().any(|b| *b != 0) {
            return Err(SessionError::MalformedMintTokenAccountData);
        }
        extensions::check(&data[EXTENSIONS_AT..], extensions::MINT_ALLOWED)
            .map_err(|_| SessionError::MalformedMintTokenExtensions)?;
    }
    Ok(data[DECIMALS_AT])
}

/// The token account in `data`, whose owner was checked.
fn parse_account(data: &[u8], is_2022: bool) -> core::result::Result<TokenAccount, Unusable> {
    const OWNER_AT: usize = 32;
    const AMOUNT_AT: usize = 64;
    const STATE_AT: usize = 108;
    let (base, trailer) = data.split_first_chunk::<ACCOUNT_LEN>().ok_or(Unusable::NotATokenAccount)?;
    if data.len() == MULTISIG_LEN {
        return Err(Unusable::NotATokenAccount);
    }
    let extensions = match trailer {
        [] => Ok(()),
        [TYPE_ACCOUNT, entries @ ..] if is_2022 => extensions::check(entries, extensions::ACCOUNT_ALLOWED),
        _ => return Err(Unusable::NotATokenAccount),
    };
    Ok(TokenAccount {
        mint: chunk::<0, 32>(base),
        owner: chunk::<OWNER_AT, 32>(base),
        amount: u64::from_le_bytes(chunk::<AMOUNT_AT, 8>(base)),
        is_initialized: base[STATE_AT] == STATE_INITIALIZED,
        extensions,
    })
}

#[inline(always)]
fn chunk<const AT: usize, const N: usize>(base: &[u8; ACCOUNT_LEN]) -> [u8; N] {
    const { assert!(AT + N <= ACCOUNT_LEN) };
    // SAFETY: in bounds by the assertion; byte arrays have alignment 1.
    unsafe { *base.as_ptr().add(AT).cast::<[u8; N]>() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mint(len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        data[44] = 6;
        data[45] = 1;
        data
    }

    #[test]
    fn a_bare_mint_gives_its_decimals_under_both_programs() {
        assert_eq!(check_mint(&mint(82), false), Ok(6));
        assert_eq!(check_mint(&mint(82), true), Ok(6));
    }

    #[test]
    fn an_uninitialized_short_or_spl_mint_with_a_trailer_is_no_mint() {
        let mut empty = mint(82);
        empty[45] = 0;
        let mut typed = mint(166);
        typed[165] = 1;
        for (data, is_2022) in [(empty, true), (mint(81), true), (mint(83), true), (typed, false)] {
            assert_eq!(check_mint(&data, is_2022), Err(SessionError::MintAccountMismatch));
        }
    }

    #[test]
    fn a_token_account_of_the_2022_program_never_passes_as_a_mint() {
        let mut account = mint(170);
        account[165] = 2;
        assert_eq!(check_mint(&account, true), Err(SessionError::MintAccountMismatch));
    }

    #[test]
    fn a_mint_with_bytes_in_its_padding_is_malformed() {
        let mut data = mint(170);
        data[165] = 1;
        data[100] = 1;
        assert_eq!(check_mint(&data, true), Err(SessionError::MalformedMintTokenAccountData));
    }

    #[test]
    fn a_multisig_passes_as_neither_mint_nor_token_account_whatever_its_keys() {
        for kind in [TYPE_MINT, TYPE_ACCOUNT] {
            let mut multisig = mint(MULTISIG_LEN);
            multisig[165] = kind;
            multisig[108] = STATE_INITIALIZED;
            assert_eq!(check_mint(&multisig, true), Err(SessionError::MintAccountMismatch));
            assert_eq!(parse_account(&multisig, true).unwrap_err(), Unusable::NotATokenAccount);
        }
    }

    #[test]
    fn a_mint_never_passes_as_a_token_account() {
        let mut data = mint(170);
        data[165] = 1;
        assert_eq!(parse_account(&data, true).unwrap_err(), Unusable::NotATokenAccount);
        assert_eq!(parse_account(&mint(82), true).unwrap_err(), Unusable::NotATokenAccount);
        assert_eq!(parse_account(&[0; 166], false).unwrap_err(), Unusable::NotATokenAccount);
    }

    #[test]
    fn a_token_account_gives_mint_owner_amount_and_state() {
        let mut data = vec![1; 32];
        data.extend_from_slice(&[2; 32]);
        data.extend_from_slice(&99u64.to_le_bytes());
        data.resize(165, 0);
        for (state, is_initialized) in [(0, false), (1, true), (2, false)] {
            data[108] = state;
            let token = parse_account(&data, false).unwrap();
            assert_eq!((token.mint, token.owner, token.amount), ([1; 32], [2; 32], 99));
            assert_eq!(token.is_initialized, is_initialized);
        }
    }
}
