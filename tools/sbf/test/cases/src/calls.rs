//! Calls: more than five arguments, results of more than one register, pointers and vtables.
use crate::{Input, Put};
use core::hint::black_box;

#[inline(never)]
fn eight(a: u8, b: i16, c: u32, d: i64, e: u64, f: bool, g: &[u8], h: u128) -> u64 {
    let mut sum = a as u64 + b as u64 as u16 as u64 + c as u64;
    sum = sum.wrapping_mul(31).wrapping_add(d as u64).rotate_left(7) ^ e;
    sum = sum.wrapping_mul(31).wrapping_add(f as u64).wrapping_add(g.iter().map(|&x| x as u64).sum::<u64>());
    sum ^ (h >> 64) as u64 ^ (h as u64).rotate_left(1)
}

#[inline(never)]
fn twelve(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64, i: i8, j: i8, k: i32, l: bool) -> u64 {
    let parts = [a, b, c, d, e, f, g, h, i as u64, j as u64, k as u64, l as u64];
    parts.iter().fold(7, |sum, &x| (sum ^ x).wrapping_mul(0x100_0000_01b3).rotate_left(5))
}

pub fn many_arguments(x: &Input, out: &mut Vec<u8>) {
    eight(x.u8(0), x.i16(1), x.u32(3), x.i64(7), x.u64(15), x.u8(23) & 1 == 1, &x.bytes()[..x.u8(24) as usize % 33], x.u128(16)).put(out);
    twelve(x.u64(0), x.u64(1), x.u64(2), x.u64(3), x.u64(4), x.u64(5), x.u64(6), x.u64(7), x.i8(8), x.i8(9), x.i32(10), x.u8(14) & 1 == 0).put(out);
}

type Eight = fn(u8, i16, u32, i64, u64, bool, &[u8], u128) -> u64;

#[inline(never)]
fn eight_reversed(a: u8, b: i16, c: u32, d: i64, e: u64, f: bool, g: &[u8], h: u128) -> u64 {
    !eight(!a, !b, !c, !d, !e, !f, g, !h)
}

pub fn many_arguments_by_pointer(x: &Input, out: &mut Vec<u8>) {
    let chosen: Eight = black_box([eight as Eight, eight_reversed])[x.u8(31) as usize % 2];
    chosen(x.u8(0), x.i16(1), x.u32(3), x.i64(7), x.u64(15), x.u8(23) & 1 == 1, &x.bytes()[..5], x.u128(16)).put(out);
}

#[inline(never)]
fn three_wide(a: u128, b: i128, c: u128) -> u64 {
    (a ^ b as u128).wrapping_sub(c.rotate_left(3)) as u64 ^ ((a >> 64) as u64)
}

#[inline(never)]
fn narrow_between_wide(a: u64, b: u128, c: u64, d: u128, e: u8) -> u64 {
    a ^ (b >> 3) as u64 ^ c.rotate_left(9) ^ (d >> 64) as u64 ^ e as u64
}

pub fn wide_arguments(x: &Input, out: &mut Vec<u8>) {
    three_wide(x.u128(0), x.i128(8), x.u128(16)).put(out);
    narrow_between_wide(x.u64(0), x.u128(8), x.u64(24), x.u128(3), x.u8(31)).put(out);
}

#[inline(never)]
fn seven_floats(a: f64, b: f32, c: f64, d: f32, e: f64, f: f32, g: f64) -> f64 {
    black_box(if a < c { b as f64 } else if c < e { d as f64 } else if e < g { f as f64 } else { g })
}

pub fn float_arguments(x: &Input, out: &mut Vec<u8>) {
    seven_floats(x.f64(0), x.f32(8), x.f64(12), x.f32(20), x.f64(24), x.f32(3), x.f64(5)).put(out);
}

#[inline(never)]
fn wide(a: u64, b: u64) -> u128 {
    black_box((a as u128) << 64 | b as u128)
}

#[inline(never)]
fn maybe_wide(a: u64, b: u64) -> Option<u128> {
    black_box((a & 1 == 0).then(|| wide(a, b)))
}

#[inline(never)]
fn two(a: u64, b: u64) -> (u64, u64) {
    black_box((b.wrapping_add(1), a.wrapping_mul(3)))
}

#[inline(never)]
fn five(a: u64, b: u64, c: u64, d: u64, e: u64) -> [u64; 5] {
    black_box([e, d, c, b, a])
}

#[inline(never)]
fn failing(a: u64) -> Result<u128, (u32, u64)> {
    black_box(if a % 3 == 0 { Err((a as u32, !a)) } else { Ok(wide(!a, a)) })
}

pub fn wide_results(x: &Input, out: &mut Vec<u8>) {
    let (a, b) = (x.u64(0), x.u64(8));
    wide(a, b).put(out);
    maybe_wide(a, b).put(out);
    let (c, d) = two(a, b);
    c.put(out);
    d.put(out);
    five(a, b, c, d, 5).iter().fold(0u64, |sum, &v| sum.rotate_left(11) ^ v).put(out);
    match failing(a) {
        Ok(v) => v.put(out),
        Err((v, w)) => {
            v.put(out);
            w.put(out);
        }
    }
}

#[inline(never)]
fn collatz(n: u128, depth: u32) -> (u128, u32) {
    if n <= 1 || depth >= 12 {
        return (n, depth);
    }
    let (end, steps) = collatz(if n % 2 == 0 { n / 2 } else { n.wrapping_mul(3).wrapping_add(1) }, depth + 1);
    (end ^ n, steps)
}

pub fn wide_recursion(x: &Input, out: &mut Vec<u8>) {
    let (end, steps) = collatz(x.u64(0) as u128, 0);
    end.put(out);
    steps.put(out);
}

trait Shape {
    fn area(&self) -> u128;
    fn name(&self) -> &'static str;
    fn label(&self, prefix: &str) -> String;
    fn moved(&self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> Option<u128>;
}
struct Square(u64);
struct Oblong(u64, u64);

impl Shape for Square {
    fn area(&self) -> u128 {
        self.0 as u128 * self.0 as u128
    }
    fn name(&self) -> &'static str {
        "square"
    }
    fn label(&self, prefix: &str) -> String {
        [prefix, self.name()].concat()
    }
    fn moved(&self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> Option<u128> {
        (a > b).then_some((self.0 ^ c ^ d ^ e) as u128 * f as u128)
    }
}

impl Shape for Oblong {
    fn area(&self) -> u128 {
        self.0 as u128 * self.1 as u128
    }
    fn name(&self) -> &'static str {
        "an oblong"
    }
    fn label(&self, prefix: &str) -> String {
        [self.name(), prefix, prefix].concat()
    }
    fn moved(&self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> Option<u128> {
        (a < b).then_some((self.1 ^ c ^ d ^ e) as u128 * f as u128)
    }
}

pub fn vtables(x: &Input, out: &mut Vec<u8>) {
    let shape: Box<dyn Shape> = if x.u8(31) & 1 == 0 { Box::new(Square(x.u64(0))) } else { Box::new(Oblong(x.u64(0), x.u64(8))) };
    let shape = black_box(shape);
    shape.area().put(out);
    out.extend_from_slice(shape.name().as_bytes());
    out.extend_from_slice(shape.label("+").as_bytes());
    shape.moved(x.u64(0), x.u64(8), x.u64(16), x.u64(24), 5, x.u64(1)).put(out);
}

pub fn closures(x: &Input, out: &mut Vec<u8>) {
    let (a, b) = (x.u128(0), x.u64(16));
    let steps: Vec<Box<dyn Fn(u128) -> u128>> =
        vec![Box::new(move |v| v ^ a), Box::new(move |v| v.wrapping_add(b as u128)), Box::new(|v| v.rotate_right(17))];
    black_box(steps).iter().fold(a, |v, step| step(v)).put(out);
}

pub fn pointer_table(x: &Input, out: &mut Vec<u8>) {
    const TABLE: [fn(u64, u64) -> u64; 5] =
        [u64::wrapping_add, u64::wrapping_sub, |a, b| a & b, |a, b| if a > b { a } else { b }, |a, b| a.wrapping_mul(b)];
    let table = black_box(&TABLE);
    for i in 0..4 {
        table[x.u8(24 + i) as usize % 5](x.u64(0), x.u64(8)).put(out);
    }
}
