//! What the program keeps, and every transition it can make: pure, without accounts or a VM.

pub mod channel;
pub mod payout;
#[cfg(test)]
mod proptests;

pub use channel::{Channel, Status};
pub use payout::{share, Payout};
