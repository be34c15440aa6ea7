//! One file an instruction: what it does first, the accounts it takes below.

pub mod accept_price;
pub mod initialize_feed;
pub mod request_price;
pub mod withdraw;

pub use accept_price::*;
pub use initialize_feed::*;
pub use request_price::*;
pub use withdraw::*;
