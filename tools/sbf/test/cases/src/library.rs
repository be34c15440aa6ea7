//! What programs use of the standard library: text, tables, sorting, maps.
use crate::{Input, Put};
use core::any::Any;
use core::fmt::Write;
use core::hint::black_box;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

const WORDS: [&str; 8] = ["", "a", "open", "charge", "voucher", "settlement of a channel", "ünïcödé", "the last string constant, longer than a register"];
static NESTED: [&[&[u16]]; 3] = [&[&[1, 2], &[3]], &[], &[&[500, 600, 700], &[], &[65535]]];

#[inline(never)]
fn word(i: u8) -> &'static str {
    black_box(&WORDS)[i as usize % 8]
}

pub fn strings(x: &Input, out: &mut Vec<u8>) {
    out.extend_from_slice(word(x.u8(0)).as_bytes());
    (word(x.u8(1)).chars().count() as u8).put(out);
    word(x.u8(0)).cmp(word(x.u8(1))).is_lt().put(out);
    word(x.u8(2)).contains("ch").put(out);
}

pub fn tables(x: &Input, out: &mut Vec<u8>) {
    let row = black_box(&NESTED)[x.u8(0) as usize % 3];
    (row.len() as u8).put(out);
    row.iter().flat_map(|cell| cell.iter()).fold(0u64, |sum, &v| sum * 31 + v as u64).put(out);
}

pub fn formatting(x: &Input, out: &mut Vec<u8>) {
    let mut text = String::new();
    let written = write!(text, "{} {} {:#06x} {}", x.i64(0), x.u32(8), x.u16(12), word(x.u8(14) % 4));
    written.is_ok().put(out);
    out.extend_from_slice(text.as_bytes());
}

pub fn parsing(x: &Input, out: &mut Vec<u8>) {
    let text = x.u64(0).to_string();
    text.parse::<u64>().ok().put(out);
    text.parse::<u32>().ok().put(out);
    text[..text.len() / 2].parse::<i128>().ok().put(out);
    core::str::from_utf8(&x.bytes()[8..12]).is_ok().put(out);
}

pub fn sorting(x: &Input, out: &mut Vec<u8>) {
    let mut bytes = *x.bytes();
    bytes.sort_unstable();
    bytes[7].put(out);
    bytes.binary_search(&x.u8(3)).is_ok().put(out);
    let mut wide = [x.u128(0), x.u128(3), x.u128(9), x.u128(16)];
    wide.sort();
    wide[1].put(out);
    let mut words: Vec<&str> = (0..6).map(|i| word(x.u8(i))).collect();
    words.sort_by_key(|w| core::cmp::Reverse(w.len()));
    (words[0].len() as u8).put(out);
}

pub fn collections(x: &Input, out: &mut Vec<u8>) {
    let tree: BTreeMap<u8, usize> = x.bytes()[..12].iter().copied().zip(0..).collect();
    tree.iter().fold(0u64, |sum, (&k, &v)| sum * 31 + k as u64 + v as u64).put(out);
    let hash: HashMap<u8, u64> = (0..8).map(|i| (x.u8(i), x.u64(i))).collect();
    hash.get(&x.u8(0)).copied().put(out);
    (hash.len() as u8).put(out);
    let set: BTreeSet<&str> = (0..5).map(|i| word(x.u8(i))).collect();
    (set.len() as u8).put(out);
    let mut queue: VecDeque<u8> = x.bytes()[..5].iter().copied().collect();
    queue.rotate_left(2);
    queue.pop_front().put(out);
}

pub fn any(x: &Input, out: &mut Vec<u8>) {
    let value: Box<dyn Any> = match x.u8(0) % 3 {
        0 => Box::new(x.u64(1)),
        1 => Box::new(x.u64(1).to_string()),
        _ => Box::new(Some(x.u8(1))),
    };
    let value = black_box(value);
    value.downcast_ref::<u64>().copied().put(out);
    value.downcast_ref::<String>().map(|text| text.len() as u8).put(out);
    value.downcast_ref::<Option<u8>>().copied().flatten().put(out);
}

#[inline(never)]
fn arm(v: u8, w: u64) -> u64 {
    match v % 40 {
        0 => w,
        1 => w.wrapping_mul(3),
        2 => !w,
        3 => w >> 5,
        4 => w.swap_bytes(),
        5 => w ^ 0x55,
        6 => w.count_ones() as u64,
        7 => w / 3,
        8 => w % 10,
        9 => w.wrapping_sub(9),
        n @ 10..=19 => w.rotate_left(n as u32),
        n @ 20..=29 if w & 1 == 0 => w.wrapping_add(n as u64),
        30 | 35 => 30,
        n => n as u64,
    }
}

pub fn matching(x: &Input, out: &mut Vec<u8>) {
    for i in 0..4 {
        arm(x.u8(i), x.u64(8 + i)).put(out);
    }
    match x.bytes()[..] {
        [1, ..] => 1u8,
        [.., 2] => 2,
        [a, b, ..] if a == b => 3,
        _ => 4,
    }
    .put(out);
}
