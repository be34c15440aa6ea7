//! Every refusal of the program, with its stable number, grouped by what is refused. Numbers from 8000.

use anchor_lang::prelude::*;

#[error_code(offset = 8000)]
#[derive(PartialEq, Eq)]
pub enum PayError {
    // The terms of a payment.
    #[msg("an amount of zero was given")]
    AmountMustBeNonZero = 0,
    #[msg("the request hash is all zero")]
    RequestHashMustBeNonZero = 1,
    #[msg("no consumer is named")]
    ConsumerMustBeNamed = 2,
    #[msg("payer and recipient are the same account")]
    PayerRecipientMustDiffer = 3,
    #[msg("the expiry is not in the future")]
    ExpiryNotInTheFuture = 4,
    #[msg("a receipt that waits for an attestation must expire")]
    ExpiryRequired = 5,
    #[msg("pay_slot is in the future or more than 1,500 slots old")]
    PaySlotOutOfWindow = 6,
    #[msg("something lives at the receipt's address already")]
    ReceiptAlreadyExists = 7,

    // Token accounts and mints.
    #[msg("the mint does not belong to the given token program")]
    MintProgramMismatch = 20,
    #[msg("the mint carries a Token-2022 extension that is not allowed")]
    MintExtensionNotAllowed = 21,
    #[msg("the payer's token account is not its associated token account")]
    PayerTokenAccountMismatch = 22,
    #[msg("the recipient's token account is not its associated token account")]
    RecipientTokenAccountMismatch = 23,
    #[msg("a token account carries a Token-2022 extension that is not allowed")]
    AccountExtensionNotAllowed = 24,
    #[msg("the balances did not change by the amount")]
    AmountNotMoved = 25,

    // Attestations.
    #[msg("the result hash is all zero")]
    ResultHashMustBeNonZero = 40,
    #[msg("the account is not the receipt's recipient")]
    NotTheRecipient = 41,
    #[msg("neither the recipient nor the instructions sysvar was given")]
    NoAttestationProof = 42,
    #[msg("the instructions sysvar account is not the real one")]
    InvalidInstructionsSysvar = 43,
    #[msg("the instruction before this one is not an Ed25519 verification")]
    MissingEd25519Verification = 44,
    #[msg("the Ed25519 instruction does not have the canonical layout")]
    MalformedEd25519Instruction = 45,
    #[msg("the attestation is signed by another key than the receipt's recipient")]
    AttestationSignerMismatch = 46,
    #[msg("the signed message is not the attestation of this result for this receipt")]
    AttestationMessageMismatch = 47,
    #[msg("the receipt is attested already")]
    ReceiptAlreadyAttested = 48,

    // Where a receipt stands.
    #[msg("the receipt has expired")]
    ReceiptExpired = 60,
    #[msg("the receipt is consumed")]
    ReceiptConsumed = 61,
    #[msg("the receipt is not attested")]
    ReceiptNotAttested = 62,
    #[msg("the account is not the receipt's consumer")]
    NotTheConsumer = 63,
    #[msg("the receipt is neither consumed nor expired")]
    ReceiptStillLive = 64,
    #[msg("the receipt can be closed only after slot pay_slot + 1,500")]
    ReceiptCloseTooEarly = 65,
    #[msg("the account is not the receipt's rent payer")]
    NotTheRentPayer = 66,

    // A receipt against expected terms.
    #[msg("the receipt was paid by another payer")]
    PayerMismatch = 80,
    #[msg("the receipt was paid to another recipient")]
    RecipientMismatch = 81,
    #[msg("the receipt was paid in another mint")]
    MintMismatch = 82,
    #[msg("the receipt is for another amount")]
    AmountMismatch = 83,
    #[msg("the receipt is for another request")]
    RequestHashMismatch = 84,
    #[msg("the receipt names another consumer")]
    ConsumerMismatch = 85,
    #[msg("the receipt attests another result")]
    ResultHashMismatch = 86,

    // Reading accounts and return data.
    #[msg("the account is not a receipt of this program")]
    NotAReceipt = 100,
    #[msg("the receipt has a layout version that this program does not know")]
    UnsupportedReceiptVersion = 101,
    #[msg("the return data is not this program's verdict on this receipt")]
    NotAVerdict = 102,

    // Payments from a channel.
    #[msg("the channel has a layout version that this program does not know")]
    UnsupportedChannelVersion = 120,
    #[msg("the signer is neither the channel's payer nor its authorized signer")]
    NotTheChannelsAuthority = 121,
    #[msg("the channel has splits: its payee does not get the whole amount")]
    ChannelHasSplits = 122,
    #[msg("the voucher raised the channel's watermark by another amount")]
    DebitMismatch = 123,
}
