//! `accept_price`: the feed takes a price that it paid for.

use anchor_lang::prelude::*;
use mppsol_cpi::program::MppsolCpi;
use mppsol_cpi::{Expected, ExpectedResult, Verdict};

use crate::constants::FEED_SEED;
use crate::errors::OracleError;
use crate::hashes;
use crate::state::{Feed, Price};

#[derive(AnchorSerialize, AnchorDeserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptPriceArgs {
    /// That of the request.
    pub nonce: u64,
    pub price: Price,
}

/// Anyone. The price replaces the feed's, if the receipt says that the feed paid its provider the fee for this
/// request, that the provider attested this very price, and that nobody has used the receipt before; it is used up
/// here. No tokens move. No price is taken without a payment, and no payment buys two.
pub(crate) fn handler(ctx: Context<AcceptPrice>, args: AcceptPriceArgs) -> Result<()> {
    let accounts = ctx.accounts;
    let (address, program) = (accounts.feed.key(), accounts.pay_program.key());
    let feed = &mut accounts.feed;
    let expected = Expected {
        payer: Some(address),
        recipient: feed.provider,
        mint: feed.mint,
        amount: feed.fee,
        request_hash: hashes::request(&address, &feed.symbol, args.nonce),
        consumer: address,
        result: ExpectedResult::Hash(hashes::price(&address, &args.price)),
    };
    // A program that loads the receipt itself needs no CPI here: `Receipt::load(&info)?.check(&expected)`.
    let verify = mppsol_cpi::cpi::accounts::Verify { receipt: accounts.receipt.to_account_info() };
    mppsol_cpi::cpi::verify(CpiContext::new(program, verify), expected)?;
    Verdict::read(accounts.receipt.key)?;

    let consume = mppsol_cpi::cpi::accounts::Consume {
        receipt: accounts.receipt.to_account_info(),
        consumer: feed.to_account_info(),
    };
    let seeds: &[&[u8]] = &[FEED_SEED, feed.owner.as_ref(), &feed.symbol, &[feed.bump]];
    mppsol_cpi::cpi::consume(CpiContext::new_with_signer(program, consume, &[seeds]))?;

    feed.price = args.price;
    Ok(())
}

impl AcceptPrice<'_> {
    pub(crate) fn validate(&self, args: &AcceptPriceArgs) -> Result<()> {
        let (price, now) = (&args.price, Clock::get()?.unix_timestamp);
        require!(price.mantissa > 0, OracleError::PriceMustBePositive);
        let age = now.checked_sub(price.published_at);
        require!(age.is_some_and(|age| (0..=self.feed.max_age).contains(&age)), OracleError::PriceOutOfTime);
        require!(price.published_at > self.feed.price.published_at, OracleError::PriceNotNewer);
        Ok(())
    }
}

#[derive(Accounts)]
pub struct AcceptPrice<'info> {
    #[account(mut)]
    pub feed: Account<'info, Feed>,
    /// CHECK: `verify` says what it is worth.
    #[account(mut)]
    pub receipt: UncheckedAccount<'info>,
    pub pay_program: Program<'info, MppsolCpi>,
}
