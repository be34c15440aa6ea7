//! `open` (byte 1): locks a deposit for a payee.

use anchor_lang::prelude::*;
use anchor_spl::associated_token::AssociatedToken;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use pinocchio::cpi::Signer as Seeds;
use pinocchio::sysvars::rent::{Rent as RentView, RENT_ID};
use pinocchio::{AccountView, Address};
use pinocchio_associated_token_account::instructions::CreateIdempotent;
use pinocchio_system::instructions::{Allocate, Assign, CreateAccount, Transfer};

use crate::constants::{CHANNEL_LEN, CHANNEL_SEED, CHANNEL_VERSION};
use crate::emit::Events;
use crate::errors::SessionError;
use crate::events::Opened;
use crate::splits::Splits;
use crate::state::channel::require_in_window;
use crate::state::{Channel, Status};
use crate::token::{ata, cpi, RoleErrors, TokenContext};
use crate::views::{self, ChannelSeeds, Result, PROGRAM, SYSTEM_PROGRAM};
use crate::voucher::signer::is_canonical_full_order;

/// The fixed part of the arguments, before the splits.
struct Header {
    salt: u64,
    deposit: u64,
    grace_period: u32,
    open_slot: u64,
}

impl Header {
    fn parse(data: &[u8]) -> Result<(Self, &[u8])> {
        let short = SessionError::InvalidInstructionData;
        let (salt, rest) = data.split_first_chunk().ok_or(short)?;
        let (deposit, rest) = rest.split_first_chunk().ok_or(short)?;
        let (grace_period, rest) = rest.split_first_chunk().ok_or(short)?;
        let (open_slot, splits) = rest.split_first_chunk().ok_or(short)?;
        let header = Self {
            salt: u64::from_le_bytes(*salt),
            deposit: u64::from_le_bytes(*deposit),
            grace_period: u32::from_le_bytes(*grace_period),
            open_slot: u64::from_le_bytes(*open_slot),
        };
        Ok((header, splits))
    }

    fn validate(&self, payer: &AccountView, payee: &AccountView, signer: &AccountView) -> Result<()> {
        if payer.address() == payee.address() {
            return Err(SessionError::PayerPayeeMustDiffer.into());
        }
        if self.deposit == 0 {
            return Err(SessionError::DepositMustBeNonZero.into());
        }
        if self.grace_period == 0 {
            return Err(SessionError::GracePeriodMustBeNonZero.into());
        }
        let key = signer.address();
        if !is_canonical_full_order(key.as_array()) || !key.is_on_curve() {
            return Err(SessionError::InvalidAuthorizedSigner.into());
        }
        Ok(require_in_window(self.open_slot, views::slot()?)?)
    }
}

/// Payer and rent payer sign; the payer may be a program's address, and never needs SOL. Nothing → open.
/// `deposit` base units move from the payer to a new escrow; the rent payer pays the rent of both accounts and is
/// recorded to get it back. Lamports or tokens that somebody put at either address beforehand neither block this
/// nor count as deposit.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let [payer, rent_payer, payee, mint, signer, channel, payer_tokens, escrow, token_program, system_program, rent, ata_program, event_authority, this_program] =
        views::exactly(accounts)?;
    views::require_signer(payer)?;
    views::require_signer(rent_payer)?;
    let (header, splits) = Header::parse(data)?;
    header.validate(payer, payee, signer)?;
    let splits = Splits::parse(splits)?;

    let wrong_program = SessionError::InvalidProgramAccount;
    views::require_key(system_program, SYSTEM_PROGRAM.as_array(), wrong_program)?;
    views::require_key(rent, RENT_ID.as_array(), wrong_program)?;
    views::require_key(ata_program, &ata::PROGRAM_ID, wrong_program)?;
    let events = Events::new(event_authority, this_program)?;

    let keys = [&*payer, payee, mint, signer].map(|account| *account.address().as_array());
    let (address, bump) = derive(&keys, &header);
    views::require_key(channel, address.as_array(), SessionError::ChannelAddressMismatch)?;
    let channel_key = Pubkey::new_from_array(*address.as_array());
    if splits.names(&channel_key) {
        return Err(SessionError::InvalidSplitConfig.into());
    }
    let token = TokenContext::new(mint, token_program)?;
    token.check_ata(payer_tokens, &keys[0]).map_err(|why| RoleErrors::PAYER.of(why))?;

    let seeds = ChannelSeeds::new(keys, header.salt, header.open_slot, bump);
    create_channel(rent_payer, channel, rent, &[Seeds::from(&seeds.seeds())])?;
    // The associated token program checks the escrow's address, and its owner and mint when it exists.
    CreateIdempotent {
        funding_account: rent_payer,
        account: escrow,
        wallet: channel,
        mint,
        system_program,
        token_program,
    }
    .invoke()?;
    cpi::transfer(&token, payer_tokens, escrow, payer, header.deposit, &[])?;

    let [payer, payee, mint, authorized_signer] = keys.map(Pubkey::new_from_array);
    let state = Channel {
        version: CHANNEL_VERSION,
        bump,
        status: Status::Open as u8,
        salt: header.salt,
        deposit: header.deposit,
        settled: 0,
        payout_watermark: 0,
        closure_started_at: 0,
        payer_withdrawn_at: 0,
        grace_period: header.grace_period,
        distribution_hash: splits.hash(),
        payer,
        payee,
        authorized_signer,
        mint,
        rent_payer: Pubkey::new_from_array(*rent_payer.address().as_array()),
        open_slot: header.open_slot,
    };
    state.invariant()?;
    {
        let mut data = channel.try_borrow_mut()?;
        data[..1].copy_from_slice(Channel::DISCRIMINATOR);
        data[1..].copy_from_slice(bytemuck::bytes_of(&state));
    }
    events.emit(&Opened { channel: channel_key, open_slot: header.open_slot })
}

fn derive(keys: &[[u8; 32]; 4], header: &Header) -> (Address, u8) {
    let [payer, payee, mint, signer] = keys;
    let (salt, open_slot) = (header.salt.to_le_bytes(), header.open_slot.to_le_bytes());
    let seeds: [&[u8]; 7] = [CHANNEL_SEED, payer, payee, mint, signer, &salt, &open_slot];
    Address::find_program_address(&seeds, &PROGRAM)
}

/// Makes the channel account, whatever lamports it holds already.
fn create_channel(from: &AccountView, channel: &AccountView, rent: &AccountView, signers: &[Seeds]) -> Result<()> {
    if channel.owner() != SYSTEM_PROGRAM || !channel.is_data_empty() {
        return Err(SessionError::ChannelAlreadyExists.into());
    }
    let lamports = RentView::from_account_view(rent)?.try_minimum_balance(CHANNEL_LEN)?;
    let space = CHANNEL_LEN as u64;
    if channel.lamports() == 0 {
        return CreateAccount { from, to: channel, lamports, space, owner: &PROGRAM }.invoke_signed(signers);
    }
    let missing = lamports.saturating_sub(channel.lamports());
    if missing > 0 {
        Transfer { from, to: channel, lamports: missing }.invoke()?;
    }
    Allocate { account: channel, space }.invoke_signed(signers)?;
    Assign { account: channel, owner: &PROGRAM }.invoke_signed(signers)
}

#[derive(Accounts)]
pub struct Open<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    #[account(mut)]
    pub rent_payer: Signer<'info>,
    /// CHECK: any address but the payer's, programs' included.
    pub payee: UncheckedAccount<'info>,
    pub mint: InterfaceAccount<'info, Mint>,
    /// CHECK: a key that can sign; it need not sign here.
    pub authorized_signer: UncheckedAccount<'info>,
    /// CHECK: derived, and made here.
    #[account(mut)]
    pub channel: UncheckedAccount<'info>,
    #[account(mut)]
    pub payer_token_account: InterfaceAccount<'info, TokenAccount>,
    /// CHECK: derived, and made here unless it exists.
    #[account(mut)]
    pub channel_token_account: UncheckedAccount<'info>,
    pub token_program: Interface<'info, TokenInterface>,
    pub system_program: Program<'info, System>,
    pub rent: Sysvar<'info, Rent>,
    pub associated_token_program: Program<'info, AssociatedToken>,
    /// CHECK: the address is checked.
    #[account(address = crate::constants::EVENT_AUTHORITY)]
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the address is checked.
    #[account(address = crate::ID)]
    pub self_program: UncheckedAccount<'info>,
}
