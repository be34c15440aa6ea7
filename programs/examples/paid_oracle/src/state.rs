//! The feed: whom it pays, how much, and the last price it bought.

use anchor_lang::prelude::*;

#[account]
#[derive(InitSpace, Debug, Copy, PartialEq, Eq)]
pub struct Feed {
    pub bump: u8,
    /// Asks for prices, and may empty the vault.
    pub owner: Pubkey,
    /// Is paid, and attests prices.
    pub provider: Pubkey,
    /// What the provider is paid in.
    pub mint: Pubkey,
    /// What the price is of, such as `SOL/USD`, padded with zeros.
    pub symbol: [u8; 16],
    /// Base units paid for one price.
    pub fee: u64,
    /// Seconds after which a price is too old to accept.
    pub max_age: i64,
    pub price: Price,
}

/// `mantissa` × 10^`exponent`, as of `published_at` in unix seconds; all zero until the first.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    pub mantissa: i64,
    pub exponent: i32,
    pub published_at: i64,
}
