//! Integer arithmetic: 128 bits, signed division, checked multiplication.
use crate::{Input, Put};
use core::hint::black_box;

pub fn mul_u128(x: &Input, out: &mut Vec<u8>) {
    black_box(x.u128(0)).wrapping_mul(black_box(x.u128(16))).put(out);
    (black_box(x.u64(0)) as u128 * black_box(x.u64(8)) as u128).put(out);
}

pub fn div_u128(x: &Input, out: &mut Vec<u8>) {
    let (a, b) = (black_box(x.u128(0)), black_box(x.u128(16)));
    a.checked_div(b).put(out);
    a.checked_rem(b).put(out);
    a.checked_div(b >> 64).put(out);
    (a / 10_000).put(out);
}

pub fn mul_i128(x: &Input, out: &mut Vec<u8>) {
    black_box(x.i128(0)).wrapping_mul(black_box(x.i128(16))).put(out);
    (black_box(x.i64(0)) as i128 * black_box(x.i64(8)) as i128).put(out);
}

pub fn div_i128(x: &Input, out: &mut Vec<u8>) {
    let (a, b) = (black_box(x.i128(0)), black_box(x.i128(16)));
    a.checked_div(b).put(out);
    a.checked_rem(b).put(out);
    a.checked_div_euclid(b >> 70).put(out);
}

pub fn div_signed(x: &Input, out: &mut Vec<u8>) {
    x.i64(0).checked_div(x.i64(8)).put(out);
    x.i64(0).checked_rem(x.i64(8)).put(out);
    x.i32(0).checked_div(x.i32(4)).put(out);
    x.i32(0).checked_rem(x.i32(4)).put(out);
    x.i16(0).checked_div(x.i16(2)).put(out);
    x.i8(0).checked_div(x.i8(1)).put(out);
    x.i8(0).checked_rem(x.i8(1)).put(out);
}

pub fn div_constants(x: &Input, out: &mut Vec<u8>) {
    (x.i64(0) / 8).put(out);
    (x.i64(0) / -7).put(out);
    (x.i64(0) % 1000).put(out);
    (x.i32(8) / 3).put(out);
    (x.i16(12) % 16).put(out);
    x.i64(16).rem_euclid(10).put(out);
}

macro_rules! overflowing {
    ($x:ident, $out:ident, $($type:ident),*) => { $(
        black_box($x.$type(0)).overflowing_mul(black_box($x.$type(16))).put($out);
    )* };
}

pub fn checked_unsigned(x: &Input, out: &mut Vec<u8>) {
    overflowing!(x, out, u8, u16, u32, u64, u128);
    x.u128(0).checked_mul(x.u64(16) as u128).put(out);
}

pub fn checked_signed(x: &Input, out: &mut Vec<u8>) {
    overflowing!(x, out, i8, i16, i32, i64, i128);
    x.i128(0).checked_mul(x.i8(16) as i128).put(out);
}

pub fn saturating(x: &Input, out: &mut Vec<u8>) {
    x.u64(0).saturating_mul(x.u64(8)).put(out);
    x.i64(0).saturating_mul(x.i64(8)).put(out);
    x.u128(0).saturating_mul(x.u128(16)).put(out);
    x.i128(0).saturating_mul(x.i128(16)).put(out);
    x.i128(0).saturating_add(x.i128(16)).put(out);
}

pub fn powers(x: &Input, out: &mut Vec<u8>) {
    (x.u8(0) as u128).checked_pow(x.u8(1) as u32 % 20).put(out);
    (x.i8(0) as i128).checked_pow(x.u8(1) as u32 % 20).put(out);
    (x.u8(0) as u64).checked_pow(x.u8(1) as u32 % 12).put(out);
    x.u128(0).isqrt().put(out);
}

pub fn bits_u128(x: &Input, out: &mut Vec<u8>) {
    let (a, by) = (black_box(x.u128(0)), black_box(x.u8(16) as u32));
    (a << (by % 128)).put(out);
    (a >> (by % 128)).put(out);
    (a.rotate_left(by) ^ (a as i128 >> (by % 128)) as u128).put(out);
    (a.leading_zeros() as u8).put(out);
    (a.trailing_zeros() as u8).put(out);
    (a.count_ones() as u8).put(out);
}

pub fn bits_u64(x: &Input, out: &mut Vec<u8>) {
    let (a, by) = (black_box(x.u64(0)), black_box(x.u8(16) as u32));
    (a << (by % 64) ^ a >> (by % 64) ^ (a as i64 >> (by % 64)) as u64).put(out);
    (a.rotate_left(by) ^ a.swap_bytes() ^ a.reverse_bits()).put(out);
    ((a as u32).rotate_right(by) ^ (a as u32).swap_bytes()).put(out);
    (a as u16).swap_bytes().put(out);
    [a.leading_zeros(), a.trailing_zeros(), a.count_ones(), (a as u32).leading_zeros(), (a as u8).leading_zeros()].iter().for_each(|&n| (n as u8).put(out));
}

pub fn mul_div(x: &Input, out: &mut Vec<u8>) {
    let product = x.u64(0) as u128 * x.u64(8) as u128;
    product.checked_div(x.u64(16) as u128).and_then(|q| u64::try_from(q).ok()).put(out);
}
