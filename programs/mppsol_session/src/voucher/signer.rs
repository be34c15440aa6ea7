//! Which keys may sign vouchers: those under which the precompile's strict verification can succeed.

/// The y coordinates (sign bit cleared) of the eight points of small order on edwards25519: order 4, 1, 2 and
/// twice 8 (RFC 8032 curve; facts as in libsodium's list). Strict verification refuses them as keys.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Whether `key` encodes its y coordinate below the field's prime and is no point of small order. That it is on
/// the curve at all is a question for the runtime.
pub fn is_canonical_full_order(key: &[u8; 32]) -> bool {
    let mut y = *key;
    y[31] &= 0x7f;
    let reaches_prime = y[31] == 0x7f && y[1..31].iter().all(|b| *b == 0xff) && y[0] >= 0xed;
    !reaches_prime && !SMALL_ORDER.contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_signs_of_every_small_order_point_are_refused() {
        for mut key in SMALL_ORDER {
            assert!(!is_canonical_full_order(&key));
            key[31] |= 0x80;
            assert!(!is_canonical_full_order(&key));
        }
    }

    #[test]
    fn encodings_from_the_prime_up_are_refused_and_the_one_below_the_last_small_order_point_is_not() {
        let mut key = [0xff; 32];
        for low in 0xed..=0xff {
            key[0] = low;
            key[31] = 0x7f;
            assert!(!is_canonical_full_order(&key));
        }
        key[0] = 0xeb;
        assert!(is_canonical_full_order(&key));
    }

    #[test]
    fn the_base_point_is_accepted() {
        let mut base = [0x66; 32];
        base[0] = 0x58;
        assert!(is_canonical_full_order(&base));
    }
}
