//! One file an instruction: what it does first, the accounts it takes below.

pub mod attest;
pub mod close_receipt;
pub mod consume;
pub mod pay;
pub mod pay_from_session;
pub mod verify;

pub use attest::*;
pub use close_receipt::*;
pub use consume::*;
pub use pay::*;
pub use pay_from_session::*;
pub use verify::*;
