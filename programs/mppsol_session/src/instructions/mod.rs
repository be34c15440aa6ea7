//! One file an instruction: what it does first, the accounts it takes below.

pub mod close;
pub mod debit;
pub mod debit_batch;
pub mod open;
pub mod rearm;
pub mod reclaim;
pub mod revoke;
pub mod seal;
pub mod settle;
pub mod topup;
pub mod withdraw_payer;

pub use close::*;
pub use debit::*;
pub use debit_batch::*;
pub use open::*;
pub use rearm::*;
pub use reclaim::*;
pub use revoke::*;
pub use seal::*;
pub use settle::*;
pub use topup::*;
pub use withdraw_payer::*;
