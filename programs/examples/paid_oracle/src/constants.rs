//! Seeds and hash domains.

use anchor_lang::prelude::*;

/// First seed of a feed: `["feed", owner, symbol]`.
#[constant]
pub const FEED_SEED: &[u8] = b"feed";

/// Separates the hash of a request from every other hash.
#[constant]
pub const REQUEST_DOMAIN: &[u8] = b"paid_oracle:request:v1";

/// Separates the hash of a price from every other hash.
#[constant]
pub const PRICE_DOMAIN: &[u8] = b"paid_oracle:price:v1";
