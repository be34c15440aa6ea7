//! `settle` (byte 7; the standard's `distribute`): pays out what vouchers earned.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenInterface};
use pinocchio::cpi::Signer as Seeds;
use pinocchio::AccountView;

use crate::constants::TREASURY;
use crate::emit::Events;
use crate::errors::SessionError;
use crate::events::{PayoutBeneficiary, PayoutRedirected};
use crate::splits::Splits;
use crate::state::Channel;
use crate::token::payout::Beneficiary;
use crate::token::{ata, cpi, RoleErrors, TokenContext};
use crate::views::{self, ChannelSeeds, Result};

const FIXED_ACCOUNTS: usize = 11;

/// Anyone may call; who gets what was fixed at `open`. Open → open, or sealed → distributed, or gone once the
/// window has passed. From the escrow each recipient and the payee get what their share earned since the last
/// payout. From sealed also: the refund to the payer unless it took it, what is left to the treasury, the escrow
/// closed. A share that cannot be paid goes to the treasury and is reported; it blocks nobody else.
pub(crate) fn handler(accounts: &mut [AccountView], data: &[u8]) -> Result<()> {
    let (head, tail) = accounts.split_first_chunk_mut::<FIXED_ACCOUNTS>().ok_or(SessionError::NotEnoughAccountKeys)?;
    let [channel, payer, rent_payer, escrow, payer_tokens, payee_tokens, treasury_tokens, mint, token_program, event_authority, this_program] =
        head;
    let splits = Splits::parse(data)?;
    let events = Events::new(event_authority, this_program)?;
    let (payout, before) = {
        let mut state = views::channel_mut(channel)?;
        views::require_key(payer, state.payer.as_array(), SessionError::InvalidChannelPayer)?;
        views::require_key(mint, state.mint.as_array(), SessionError::InvalidChannelMint)?;
        views::require_key(rent_payer, state.rent_payer.as_array(), SessionError::InvalidChannelRentPayer)?;
        let payout = state.settle(views::now()?)?;
        (payout, *state)
    };
    if splits.hash() != before.distribution_hash {
        return Err(SessionError::InvalidDistributionHash.into());
    }
    if tail.len() != splits.entries.len() {
        return Err(SessionError::RecipientAccountCountMismatch.into());
    }
    let token = TokenContext::new(mint, token_program)?;
    let held = token.check_ata(escrow, channel.address().as_array()).map_err(|why| RoleErrors::ESCROW.of(why))?.amount;
    ata::require(treasury_tokens, TREASURY.as_array(), token.program_id(), mint.address().as_array())
        .map_err(|_| SessionError::TreasuryAccountMismatch)?;

    let seeds = ChannelSeeds::of(&before);
    let from = Purse { token: &token, channel, escrow, seeds: &seeds };
    let mut books = Books { events: &events, paid: 0, redirected: 0 };
    for (entry, account) in splits.entries.iter().zip(tail.iter()) {
        let to = Beneficiary { role: PayoutBeneficiary::Recipient, account, owner: entry.recipient.as_array() };
        books.pay(&from, to, payout.of(entry.bps))?;
    }
    let payee = Beneficiary { role: PayoutBeneficiary::Payee, account: payee_tokens, owner: before.payee.as_array() };
    books.pay(&from, payee, payout.of(splits.payee_bps))?;
    if payout.refund > 0 {
        let payer =
            Beneficiary { role: PayoutBeneficiary::Payer, account: payer_tokens, owner: before.payer.as_array() };
        books.pay(&from, payer, payout.refund)?;
    }

    let rest = held.checked_sub(books.paid).ok_or(SessionError::DistributeBalanceCalculationOverflow)?;
    let to_treasury = if payout.is_final { rest } else { books.redirected };
    if to_treasury > 0 {
        // Only now: a treasury that cannot be paid holds up nobody while nothing is due to it.
        token.check_ata(treasury_tokens, TREASURY.as_array()).map_err(|why| RoleErrors::TREASURY.of(why))?;
        from.transfer(treasury_tokens, to_treasury)?;
    }
    if payout.is_final {
        from.close(rent_payer)?;
        if before.is_past_window(views::slot()?) {
            return views::deallocate(channel, rent_payer);
        }
    }
    Ok(())
}

/// The escrow, and the right to pay from it.
pub struct Purse<'a> {
    pub token: &'a TokenContext<'a>,
    pub channel: &'a AccountView,
    pub escrow: &'a AccountView,
    pub seeds: &'a ChannelSeeds,
}

impl Purse<'_> {
    pub fn transfer(&self, to: &AccountView, amount: u64) -> Result<()> {
        let seeds = self.seeds.seeds();
        cpi::transfer(self.token, self.escrow, to, self.channel, amount, &[Seeds::from(&seeds)])
    }

    /// After a call the runtime does not refresh what its caller sees of an executable account, and takes the old
    /// balance for the new one. A payer that made its rent payer a program could so keep everybody from being paid.
    fn close(&self, lamports_to: &mut AccountView) -> Result<()> {
        let due =
            lamports_to.lamports().checked_add(self.escrow.lamports()).ok_or(SessionError::RentPayerBalanceOverflow)?;
        let seeds = self.seeds.seeds();
        cpi::close(self.token, self.escrow, lamports_to, self.channel, &[Seeds::from(&seeds)])?;
        lamports_to.set_lamports(due);
        Ok(())
    }
}

/// What one payout moved, in base units.
struct Books<'a> {
    events: &'a Events<'a>,
    paid: u64,
    redirected: u64,
}

impl Books<'_> {
    fn pay(&mut self, from: &Purse, to: Beneficiary, amount: u64) -> Result<()> {
        let overflow = SessionError::DistributePoolOverflow;
        let Some(reason) = to.redirect_reason(from.token, amount)? else {
            self.paid = self.paid.checked_add(amount).ok_or(overflow)?;
            return from.transfer(to.account, amount);
        };
        self.redirected = self.redirected.checked_add(amount).ok_or(overflow)?;
        self.events.emit(&PayoutRedirected {
            channel: Pubkey::new_from_array(*from.channel.address().as_array()),
            owner: Pubkey::new_from_array(*to.owner),
            amount,
            beneficiary: to.role,
            reason,
        })
    }
}

#[derive(Accounts)]
pub struct Settle<'info> {
    #[account(mut)]
    pub channel: AccountLoader<'info, Channel>,
    /// CHECK: compared with the channel's record.
    #[account(mut)]
    pub payer: UncheckedAccount<'info>,
    /// CHECK: compared with the channel's record.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: the channel's associated token account.
    #[account(mut)]
    pub channel_token_account: UncheckedAccount<'info>,
    /// CHECK: the payer's associated token account; may be unusable.
    #[account(mut)]
    pub payer_token_account: UncheckedAccount<'info>,
    /// CHECK: the payee's associated token account; may be unusable.
    #[account(mut)]
    pub payee_token_account: UncheckedAccount<'info>,
    /// CHECK: the treasury's associated token account.
    #[account(mut)]
    pub treasury_token_account: UncheckedAccount<'info>,
    pub mint: InterfaceAccount<'info, Mint>,
    pub token_program: Interface<'info, TokenInterface>,
    /// CHECK: the address is checked.
    #[account(address = crate::constants::EVENT_AUTHORITY)]
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the address is checked.
    #[account(address = crate::ID)]
    pub self_program: UncheckedAccount<'info>,
}
