//! Functions compiled both natively and for SBF, a module for each lowering.
//!
//! A case takes 32 bytes and appends its result. No case may panic or depend on the machine.
//! `#[inline(never)]` and `black_box` keep the compiler from computing away what is under test.
mod calls;
mod floats;
mod integers;
mod library;
mod memory;

/// One function under test.
pub struct Case {
    /// A sentence: what holds when both sides agree.
    pub name: &'static str,
    run: fn(&Input, &mut Vec<u8>),
}

/// All cases; a selector is an index into this.
pub const CASES: &[Case] = &[
    Case { name: "functions of more than five arguments get all of them", run: calls::many_arguments },
    Case { name: "more than five arguments pass through function pointers", run: calls::many_arguments_by_pointer },
    Case { name: "wide arguments count as two registers", run: calls::wide_arguments },
    Case { name: "floats pass as arguments and results", run: calls::float_arguments },
    Case { name: "wide results return through memory", run: calls::wide_results },
    Case { name: "a recursive function returns a wide result", run: calls::wide_recursion },
    Case { name: "vtables dispatch methods with wide results and many arguments", run: calls::vtables },
    Case { name: "boxed closures keep what they captured", run: calls::closures },
    Case { name: "a table of function pointers calls the right one", run: calls::pointer_table },
    Case { name: "u128 multiplies", run: integers::mul_u128 },
    Case { name: "u128 divides and leaves the remainder", run: integers::div_u128 },
    Case { name: "i128 multiplies", run: integers::mul_i128 },
    Case { name: "i128 divides and leaves the remainder", run: integers::div_i128 },
    Case { name: "i64 and narrower divide and leave the remainder", run: integers::div_signed },
    Case { name: "signed division by constants rounds to zero", run: integers::div_constants },
    Case { name: "checked multiply of unsigned integers sees every overflow", run: integers::checked_unsigned },
    Case { name: "checked multiply of signed integers sees every overflow", run: integers::checked_signed },
    Case { name: "saturating and wrapping multiply agree", run: integers::saturating },
    Case { name: "powers of wide integers are checked", run: integers::powers },
    Case { name: "u128 shifts, rotates and counts bits", run: integers::bits_u128 },
    Case { name: "64-bit integers shift, rotate, swap and count bits", run: integers::bits_u64 },
    Case { name: "a price times a quantity over a divisor is exact", run: integers::mul_div },
    Case { name: "f64 adds and subtracts", run: floats::add_f64 },
    Case { name: "f64 multiplies", run: floats::mul_f64 },
    Case { name: "f64 divides", run: floats::div_f64 },
    Case { name: "f64 leaves the remainder", run: floats::rem_f64 },
    Case { name: "f64 compares, also unordered", run: floats::compare_f64 },
    Case { name: "f64 takes square roots", run: floats::sqrt_f64 },
    Case { name: "f64 rounds to whole numbers in every direction", run: floats::round_f64 },
    Case { name: "f64 negates, takes signs and extremes", run: floats::signs_f64 },
    Case { name: "f32 adds, subtracts, multiplies and divides", run: floats::arithmetic_f32 },
    Case { name: "f32 takes roots and remainders and rounds", run: floats::functions_f32 },
    Case { name: "f32 compares and takes extremes", run: floats::compare_f32 },
    Case { name: "f32 and f64 convert into each other", run: floats::convert_floats },
    Case { name: "integers of every width become floats", run: floats::from_integers },
    Case { name: "floats become integers of every width, saturating", run: floats::to_integers },
    Case { name: "multiply and add in one expression", run: floats::multiply_add },
    Case { name: "the rent formula in floats gives the same lamports", run: floats::rent },
    Case { name: "large structures copy whole", run: memory::large_copies },
    Case { name: "overlapping ranges move in both directions", run: memory::overlapping_moves },
    Case { name: "ranges fill with a byte", run: memory::fills },
    Case { name: "byte strings compare for equality at every length", run: memory::equality },
    Case { name: "byte strings order like memcmp", run: memory::ordering },
    Case { name: "misaligned words read and write", run: memory::misaligned },
    Case { name: "a frame of almost 4096 bytes works", run: memory::nearly_full_frame },
    Case { name: "atomics of every width and operation act as plain memory", run: memory::atomics },
    Case { name: "reference counts of Rc and Arc come out", run: memory::reference_counts },
    Case { name: "string constants have their bytes", run: library::strings },
    Case { name: "constant tables of tables are followed", run: library::tables },
    Case { name: "numbers format as text", run: library::formatting },
    Case { name: "text parses as numbers", run: library::parsing },
    Case { name: "slices sort and search", run: library::sorting },
    Case { name: "maps and sets of the standard library work", run: library::collections },
    Case { name: "values behind dyn Any are told apart by type", run: library::any },
    Case { name: "matches over many values take the right arm", run: library::matching },
];

/// Runs a case on each 32-byte input and gives the results one after the other.
pub fn run(selector: u16, inputs: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    for chunk in inputs.chunks_exact(32) {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(chunk);
        (CASES[selector as usize].run)(&Input(bytes), &mut out);
    }
    out
}

/// 32 bytes, read as whatever a case needs.
pub struct Input([u8; 32]);

macro_rules! readers {
    ($($name:ident: $type:ty),*) => {
        impl Input {
            $(
                /// The number at a byte offset.
                pub fn $name(&self, at: usize) -> $type {
                    let mut bytes = [0; core::mem::size_of::<$type>()];
                    bytes.copy_from_slice(&self.0[at..at + core::mem::size_of::<$type>()]);
                    <$type>::from_le_bytes(bytes)
                }
            )*
        }
    };
}
readers!(u8: u8, u16: u16, u32: u32, u64: u64, u128: u128, i8: i8, i16: i16, i32: i32, i64: i64, i128: i128, f32: f32, f64: f64);

impl Input {
    /// All of it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Appends a value's bytes.
pub trait Put {
    /// Appends the bytes of `self` to `out`.
    fn put(self, out: &mut Vec<u8>);
}

macro_rules! put_integers {
    ($($type:ty),*) => { $(impl Put for $type { fn put(self, out: &mut Vec<u8>) { out.extend_from_slice(&self.to_le_bytes()); } })* };
}
put_integers!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

impl Put for bool {
    fn put(self, out: &mut Vec<u8>) {
        out.push(self as u8);
    }
}

// Rust leaves a NaN's sign and payload open, so all NaNs count as the same result.
impl Put for f64 {
    fn put(self, out: &mut Vec<u8>) {
        if self.is_nan() { 0x7ff8_0000_0000_0000u64 } else { self.to_bits() }.put(out);
    }
}

impl Put for f32 {
    fn put(self, out: &mut Vec<u8>) {
        if self.is_nan() { 0x7fc0_0000u32 } else { self.to_bits() }.put(out);
    }
}

impl<T: Put> Put for Option<T> {
    fn put(self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
}

impl<T: Put> Put for (T, bool) {
    fn put(self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
}
