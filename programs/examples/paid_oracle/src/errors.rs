//! Every refusal of the program, with its stable number. Numbers from 9000.

use anchor_lang::prelude::*;

#[error_code(offset = 9000)]
#[derive(PartialEq, Eq)]
pub enum OracleError {
    #[msg("the fee is zero")]
    FeeMustBeNonZero = 0,
    #[msg("the greatest age of a price is not positive")]
    MaxAgeMustBePositive = 1,
    #[msg("the account is not the feed's owner")]
    NotTheOwner = 2,
    #[msg("the account is not the feed's provider")]
    NotTheProvider = 3,
    #[msg("the account is not the feed's mint")]
    NotTheMint = 4,
    #[msg("the price was published in the future or is older than the feed allows")]
    PriceOutOfTime = 5,
    #[msg("the feed has a price of that time or a later one")]
    PriceNotNewer = 6,
    #[msg("the price is not positive")]
    PriceMustBePositive = 7,
    #[msg("the token account does not belong to the feed")]
    NotTheVault = 8,
    #[msg("the token account does not belong to the owner")]
    NotTheOwnersTokenAccount = 9,
}
