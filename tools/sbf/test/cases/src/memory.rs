//! Memory: copies, moves, fills, compares, frames, atomics, reference counts.
use crate::{Input, Put};
use core::hint::black_box;
use core::sync::atomic::{fence, AtomicBool, AtomicI64, AtomicU16, AtomicU32, AtomicU64, AtomicU8, Ordering};
use std::rc::Rc;
use std::sync::Arc;

fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ byte as u64).wrapping_mul(0x100_0000_01b3))
}

/// `size` bytes that depend on the input.
fn stream<const SIZE: usize>(x: &Input) -> [u8; SIZE] {
    core::array::from_fn(|i| x.bytes()[i % 32].wrapping_mul(i as u8 | 1).wrapping_add((i >> 5) as u8))
}

#[derive(Clone, Copy)]
struct Big {
    head: u64,
    body: [u8; 500],
    tail: u16,
}

#[inline(never)]
fn make(x: &Input) -> Big {
    Big { head: x.u64(0), body: stream(x), tail: x.u16(8) }
}

#[inline(never)]
fn swap(a: &mut Big, b: &mut Big) {
    core::mem::swap(a, b);
}

pub fn large_copies(x: &Input, out: &mut Vec<u8>) {
    let mut a = make(x);
    let mut b = black_box(a);
    b.head ^= 1;
    b.body[x.u8(0) as usize] ^= 0xff;
    swap(&mut a, &mut b);
    let boxed = Box::new(black_box(a));
    for big in [&a, &b, &*boxed] {
        (digest(&big.body) ^ big.head ^ big.tail as u64).put(out);
    }
    let small: [u8; 65] = black_box(stream(x));
    digest(&black_box(small)).put(out);
}

pub fn overlapping_moves(x: &Input, out: &mut Vec<u8>) {
    let mut bytes: [u8; 200] = stream(x);
    let (from, to, size) = (x.u8(0) as usize % 100, x.u8(1) as usize % 100, x.u8(2) as usize % 100);
    bytes.copy_within(from..from + size, to);
    digest(&bytes).put(out);
    bytes.copy_within(1..150, 0);
    bytes.copy_within(0..90, 7);
    digest(&bytes).put(out);
    let mut list = bytes.to_vec();
    list.insert(x.u8(3) as usize % 200, 1);
    list.remove(x.u8(4) as usize % 200);
    digest(&list).put(out);
}

pub fn fills(x: &Input, out: &mut Vec<u8>) {
    let mut bytes: [u8; 300] = stream(x);
    let (from, size) = (x.u8(0) as usize, x.u8(1) as usize % 45);
    bytes[from..from + size].fill(x.u8(2));
    digest(&bytes).put(out);
    bytes[10..200].fill(0xa5);
    digest(&bytes).put(out);
    digest(&black_box([x.u8(3); 128])).put(out);
}

pub fn equality(x: &Input, out: &mut Vec<u8>) {
    let a: [u8; 80] = black_box(stream(x));
    let mut b = a;
    let at = x.u8(0) as usize % 96;
    if at < 80 {
        b[at] ^= 1 << (x.u8(1) % 8);
    }
    let b = black_box(b);
    (a[..32] == b[..32]).put(out);
    (a[..64] == b[..64]).put(out);
    (a[..8] == b[..8]).put(out);
    (a[3..19] == b[3..19]).put(out);
    (a == b).put(out);
    let size = x.u8(2) as usize % 81;
    (a[..size] == b[..size]).put(out);
    a.starts_with(&b[..size / 2]).put(out);
}

pub fn ordering(x: &Input, out: &mut Vec<u8>) {
    let (a, b) = (&x.bytes()[..16], &x.bytes()[16..]);
    (a.cmp(b) as i8).put(out);
    (a[..x.u8(0) as usize % 17].cmp(&b[..x.u8(1) as usize % 17]) as i8).put(out);
    let mut c: [u8; 16] = black_box([0; 16]);
    c.copy_from_slice(a);
    c[x.u8(2) as usize % 16] ^= x.u8(3);
    (a.cmp(&c[..]) as i8).put(out);
}

pub fn misaligned(x: &Input, out: &mut Vec<u8>) {
    let mut bytes: [u8; 64] = stream(x);
    let at = x.u8(0) as usize % 48;
    unsafe {
        let pointer = bytes.as_mut_ptr().add(at);
        (pointer as *const u64).read_unaligned().put(out);
        (pointer.add(1) as *const u32).read_unaligned().put(out);
        (pointer as *mut u128).write_unaligned(x.u128(5));
    }
    digest(&bytes).put(out);
}

#[inline(never)]
fn with_frame(x: &Input) -> u64 {
    let mut all: [u8; 3900] = [x.u8(0); 3900];
    black_box(&mut all);
    all[x.u16(2) as usize % 3900] = x.u8(1);
    black_box(&mut all);
    all[0] as u64 | (all[3899] as u64) << 8 | (all[x.u16(2) as usize % 3900] as u64) << 16
}

pub fn nearly_full_frame(x: &Input, out: &mut Vec<u8>) {
    let before = black_box(stream::<100>(x));
    with_frame(x).put(out);
    digest(&before).put(out);
}

pub fn atomics(x: &Input, out: &mut Vec<u8>) {
    let a = black_box(AtomicU64::new(x.u64(0)));
    a.fetch_add(x.u64(8), Ordering::SeqCst).put(out);
    a.fetch_sub(x.u64(16), Ordering::AcqRel).put(out);
    a.swap(x.u64(3), Ordering::Relaxed).put(out);
    a.fetch_or(x.u64(4), Ordering::Release);
    a.fetch_xor(x.u64(5), Ordering::Acquire);
    a.fetch_nand(x.u64(6), Ordering::SeqCst);
    a.fetch_max(x.u64(7), Ordering::SeqCst);
    fence(Ordering::SeqCst);
    (a.compare_exchange(x.u64(7), 1, Ordering::SeqCst, Ordering::Relaxed).is_ok()).put(out);
    a.load(Ordering::SeqCst).put(out);
    let b = black_box(AtomicI64::new(x.i64(0)));
    b.fetch_min(x.i64(8), Ordering::SeqCst);
    b.load(Ordering::Acquire).put(out);
    let c = black_box(AtomicU32::new(x.u32(0)));
    c.fetch_add(x.u32(4), Ordering::SeqCst);
    c.load(Ordering::SeqCst).put(out);
    let d = black_box(AtomicU16::new(x.u16(0)));
    d.fetch_sub(x.u16(2), Ordering::SeqCst).put(out);
    let e = black_box(AtomicU8::new(x.u8(0)));
    e.store(x.u8(1), Ordering::Release);
    e.fetch_and(x.u8(2), Ordering::SeqCst).put(out);
    let f = black_box(AtomicBool::new(x.u8(0) & 1 == 0));
    f.swap(x.u8(1) & 1 == 0, Ordering::SeqCst).put(out);
}

pub fn reference_counts(x: &Input, out: &mut Vec<u8>) {
    let shared = Arc::new(x.u64(0));
    let copies: Vec<Arc<u64>> = (0..x.u8(8) % 5).map(|_| Arc::clone(&shared)).collect();
    (Arc::strong_count(&shared) as u8).put(out);
    drop(copies);
    Arc::try_unwrap(shared).ok().put(out);
    let local = Rc::new(core::cell::RefCell::new(x.u64(8)));
    *Rc::clone(&local).borrow_mut() ^= 1;
    (*local.borrow()).put(out);
}
