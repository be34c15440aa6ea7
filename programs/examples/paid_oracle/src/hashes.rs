//! The two hashes that tie a payment to what it bought. Feed and provider compute them alike.

use anchor_lang::prelude::*;
use solana_sha256_hasher::hashv;

use crate::constants::{PRICE_DOMAIN, REQUEST_DOMAIN};
use crate::state::Price;

/// What the feed asks for: `domain || feed || symbol || nonce (u64 LE)`.
pub fn request(feed: &Pubkey, symbol: &[u8; 16], nonce: u64) -> [u8; 32] {
    hashv(&[REQUEST_DOMAIN, feed.as_ref(), symbol, &nonce.to_le_bytes()]).to_bytes()
}

/// What the provider answers: `domain || feed || mantissa (i64 LE) || exponent (i32 LE) || published at (i64 LE)`.
/// The receipt it is attested for says which request it answers.
pub fn price(feed: &Pubkey, price: &Price) -> [u8; 32] {
    let (mantissa, exponent) = (price.mantissa.to_le_bytes(), price.exponent.to_le_bytes());
    hashv(&[PRICE_DOMAIN, feed.as_ref(), &mantissa, &exponent, &price.published_at.to_le_bytes()]).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_hash_covers_feed_symbol_and_nonce() {
        let (a, b) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        let base = request(&a, &[3; 16], 4);
        assert_eq!(base, request(&a, &[3; 16], 4));
        for other in [request(&b, &[3; 16], 4), request(&a, &[4; 16], 4), request(&a, &[3; 16], 5)] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_price_hash_covers_every_part_of_the_price_and_is_no_request_hash() {
        let (a, b) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        let it = Price { mantissa: 1, exponent: 2, published_at: 3 };
        let base = price(&a, &it);
        for other in [
            price(&b, &it),
            price(&a, &Price { mantissa: 2, ..it }),
            price(&a, &Price { exponent: 3, ..it }),
            price(&a, &Price { published_at: 4, ..it }),
            request(&a, &[0; 16], 1),
        ] {
            assert_ne!(base, other);
        }
    }
}
