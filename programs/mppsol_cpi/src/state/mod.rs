//! What the program keeps, and every transition it can make: pure, without accounts or a VM.

pub mod expected;
#[cfg(test)]
mod proptests;
pub mod receipt;

pub use expected::{Expected, ExpectedResult};
pub use receipt::{Parties, Receipt, Status};
