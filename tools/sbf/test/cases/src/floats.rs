//! Floating point in software.
use crate::{Input, Put};
use core::hint::black_box;

pub fn add_f64(x: &Input, out: &mut Vec<u8>) {
    let (a, b) = (x.f64(0), x.f64(8));
    (a + b).put(out);
    (a - b).put(out);
    (a + a * 0.5).put(out);
}

pub fn mul_f64(x: &Input, out: &mut Vec<u8>) {
    (x.f64(0) * x.f64(8)).put(out);
}

pub fn div_f64(x: &Input, out: &mut Vec<u8>) {
    (x.f64(0) / x.f64(8)).put(out);
}

pub fn rem_f64(x: &Input, out: &mut Vec<u8>) {
    // Neighbouring exponents: the loop runs once for each bit between them.
    let b = f64::from_bits(x.u64(8) & !(0x7ff << 52) | ((x.u64(0) >> 52 & 0x7ff).saturating_sub(x.u8(16) as u64 % 64)) << 52);
    (x.f64(0) % b).put(out);
}

pub fn compare_f64(x: &Input, out: &mut Vec<u8>) {
    for (a, b) in [(x.f64(0), x.f64(8)), (x.f64(0), x.f64(0)), (x.f64(8), -x.f64(8)), (x.f64(0), f64::NAN)] {
        let (a, b) = (black_box(a), black_box(b));
        (a < b).put(out);
        (a <= b).put(out);
        (a > b).put(out);
        (a >= b).put(out);
        (a == b).put(out);
        (a != b).put(out);
        (a < b || a > b).put(out);
        (!(a < b) && !(a > b)).put(out);
        (!(a >= b)).put(out);
        (a.partial_cmp(&b).map_or(9, |order| order as i8)).put(out);
    }
}

pub fn sqrt_f64(x: &Input, out: &mut Vec<u8>) {
    x.f64(0).sqrt().put(out);
    x.f64(0).abs().sqrt().put(out);
}

pub fn round_f64(x: &Input, out: &mut Vec<u8>) {
    let a = if x.u8(16) & 1 == 0 { x.f64(0) } else { x.i32(8) as f64 / 8.0 };
    a.floor().put(out);
    a.ceil().put(out);
    a.trunc().put(out);
    a.round().put(out);
    a.round_ties_even().put(out);
    a.fract().put(out);
}

pub fn signs_f64(x: &Input, out: &mut Vec<u8>) {
    let (a, b) = (black_box(x.f64(0)), black_box(x.f64(8)));
    (-a).put(out);
    a.abs().put(out);
    a.copysign(b).put(out);
    if a != b {
        // the sign of an extreme of two zeros is left open
        a.min(b).put(out);
        a.max(b).put(out);
    }
    (a.is_nan(), a.is_infinite()).0.put(out);
    a.is_finite().put(out);
    a.is_sign_negative().put(out);
}

pub fn arithmetic_f32(x: &Input, out: &mut Vec<u8>) {
    let (a, b) = (x.f32(0), x.f32(4));
    (a + b).put(out);
    (a - b).put(out);
    (a * b).put(out);
    (a / b).put(out);
}

pub fn functions_f32(x: &Input, out: &mut Vec<u8>) {
    let a = x.f32(0);
    a.sqrt().put(out);
    (a % f32::from_bits(x.u32(4) & !(0xff << 23) | (x.u32(0) >> 23 & 0xff).saturating_sub(9) << 23)).put(out);
    a.floor().put(out);
    a.ceil().put(out);
    a.round().put(out);
    a.trunc().put(out);
}

pub fn compare_f32(x: &Input, out: &mut Vec<u8>) {
    let (a, b) = (black_box(x.f32(0)), black_box(x.f32(4)));
    [a < b, a <= b, a > b, a >= b, a == b, a != b, a.is_nan()].iter().for_each(|&r| r.put(out));
    (-a).put(out);
    a.abs().put(out);
    a.copysign(b).put(out);
    if a != b {
        a.min(b).put(out);
        a.clamp(-1.0, 1.0).put(out);
    }
}

pub fn convert_floats(x: &Input, out: &mut Vec<u8>) {
    (x.f64(0) as f32).put(out);
    (x.f32(8) as f64).put(out);
    (x.f32(12) as f64 * 1.000_000_1).put(out);
    ((x.f32(8) as f64 * x.f32(12) as f64) as f32).put(out);
}

pub fn from_integers(x: &Input, out: &mut Vec<u8>) {
    (x.u8(0) as f64 + x.i8(1) as f64 + x.u16(2) as f64 + x.i16(4) as f64 + x.u32(6) as f64 + x.i32(10) as f64).put(out);
    (x.u64(0) as f64).put(out);
    (x.i64(0) as f64).put(out);
    (x.u128(0) as f64).put(out);
    (x.i128(0) as f64).put(out);
    (x.u32(0) as f32).put(out);
    (x.u64(0) as f32).put(out);
    (x.i64(0) as f32).put(out);
    (x.u128(0) as f32).put(out);
    (x.i128(0) as f32).put(out);
}

pub fn to_integers(x: &Input, out: &mut Vec<u8>) {
    let a = if x.u8(31) & 1 == 0 { x.f64(0) } else { x.i64(0) as f64 / 65536.0 };
    (a as u8).put(out);
    (a as i8).put(out);
    (a as u16).put(out);
    (a as i16).put(out);
    (a as u32).put(out);
    (a as i32).put(out);
    (a as u64).put(out);
    (a as i64).put(out);
    (x.f32(8) as u64).put(out);
    (x.f32(8) as i32).put(out);
    ((x.f64(16) as u128) ^ (x.f64(16) as i128 as u128)).put(out);
}

pub fn multiply_add(x: &Input, out: &mut Vec<u8>) {
    (x.f64(0) * x.f64(8) + x.f64(16)).put(out);
    (0..4).fold(0.0, |sum, i| sum + x.f64(8 * i) * 0.25).put(out);
}

pub fn rent(x: &Input, out: &mut Vec<u8>) {
    // As the rent sysvar has it: lamports per byte and year, an exemption threshold in years.
    let minimum = |size: u64, rate: u64, threshold: f64| ((128 + size) * rate) as f64 * threshold;
    (minimum(x.u32(0) as u64 % 10_485_760, 3480, 2.0) as u64).put(out);
    (minimum(x.u16(4) as u64, x.u16(6) as u64, black_box(x.u8(8) as f64 / 16.0)) as u64).put(out);
    ((x.u64(0) as f64 * (x.u8(9) as f64 / 100.0)) as u64).put(out);
}
