//! Every refusal of the program, with its stable number. Numbers below 7000 are the standard's: a client of
//! any conforming channel program reads them alike (solana-foundation/payment-channels, `errors.rs`).
//! Numbers from 7000 are ours.

use anchor_lang::prelude::*;
use pinocchio::error::ProgramError as ViewError;

#[error_code(offset = 0)]
#[derive(PartialEq, Eq)]
pub enum SessionError {
    // Any instruction.
    #[msg("a signature is missing")]
    MissingRequiredSignature = 1,
    #[msg("the channel's status does not allow this")]
    InvalidChannelStatus = 2,
    #[msg("the account is not a channel")]
    InvalidAccountDiscriminator = 3,
    #[msg("the channel has a layout version that this program does not know")]
    UnsupportedChannelVersion = 4,
    #[msg("the account is not the channel's payer")]
    InvalidChannelPayer = 5,
    #[msg("the account is not the channel's payee")]
    InvalidChannelPayee = 6,
    #[msg("the account is not the channel's mint")]
    InvalidChannelMint = 7,
    #[msg("the event authority or the program account is wrong")]
    InvalidEventAuthority = 8,
    #[msg("the instruction takes another number of accounts")]
    NotEnoughAccountKeys = 9,
    #[msg("the account is not the channel's rent payer")]
    InvalidChannelRentPayer = 10,

    // Token accounts and mints.
    #[msg("the escrow is not the channel's associated token account, or it is not usable")]
    ChannelAccountMismatch = 50,
    #[msg("the escrow is not a token account")]
    InvalidChannelTokenAccount = 51,
    #[msg("the escrow carries a Token-2022 extension that is not allowed")]
    InvalidChannelTokenExtensions = 52,
    #[msg("the mint is not a mint of the given token program")]
    MintAccountMismatch = 53,
    #[msg("the token program is neither SPL Token nor Token-2022")]
    InvalidMintTokenProgram = 54,
    #[msg("the mint's data is malformed")]
    MalformedMintTokenAccountData = 55,
    #[msg("the mint carries a Token-2022 extension that is not allowed")]
    MalformedMintTokenExtensions = 56,
    #[msg("the payer's token account is not its associated token account, or it is not usable")]
    PayerAccountMismatch = 57,
    #[msg("the payer's token account is not a token account")]
    InvalidPayerTokenAccount = 58,
    #[msg("the payer's token account carries a Token-2022 extension that is not allowed")]
    InvalidPayerTokenExtensions = 59,
    #[msg("the payee's token account is not its associated token account")]
    PayeeAccountMismatch = 60,
    #[msg("the payee's token account is not a token account")]
    InvalidPayeeTokenAccount = 61,
    #[msg("the payee's token account carries malformed extensions")]
    InvalidPayeeTokenExtensions = 62,

    // Arguments.
    #[msg("an amount of zero was given")]
    DepositMustBeNonZero = 200,
    #[msg("the grace period is zero")]
    GracePeriodMustBeNonZero = 201,

    // Vouchers.
    #[msg("the instruction before this one is not an Ed25519 verification")]
    MissingEd25519Verification = 230,
    #[msg("the Ed25519 instruction does not have the canonical layout")]
    MalformedEd25519Instruction = 231,
    #[msg("the voucher names another channel")]
    VoucherChannelMismatch = 232,
    #[msg("the voucher has expired")]
    VoucherExpired = 233,
    #[msg("the voucher's amount is not above what is settled")]
    VoucherWatermarkNotMonotonic = 234,
    #[msg("the voucher's amount is above the deposit")]
    VoucherOverDeposit = 235,
    #[msg("the voucher is signed by another key than the channel's authorized signer")]
    VoucherSignerMismatch = 237,
    #[msg("the signed message is not a voucher of this version")]
    VoucherBadMagic = 238,

    // Splits.
    #[msg("more recipients than a channel may have")]
    InvalidRecipientCount = 260,
    #[msg("a share is zero, the shares exceed 10,000, or the channel itself is a recipient")]
    InvalidSplitConfig = 261,
    #[msg("a recipient is named twice")]
    DuplicateRecipient = 263,

    // open
    #[msg("the channel is not at the address that its seeds derive")]
    ChannelAddressMismatch = 2000,
    #[msg("payer and payee are the same account")]
    PayerPayeeMustDiffer = 2001,
    #[msg("the authorized signer cannot have signed anything: not a canonical curve point of full order")]
    InvalidAuthorizedSigner = 2002,
    #[msg("open_slot is in the future or more than 1,500 slots old")]
    OpenSlotOutOfWindow = 2003,

    // topup
    #[msg("the deposit would exceed 64 bits")]
    TopUpDepositOverflow = 2100,

    // seal
    #[msg("the end of the grace period exceeds 64 bits")]
    SealDeadlineOverflow = 2200,
    #[msg("the grace period has not ended")]
    SealGracePeriodNotElapsed = 2201,

    // withdraw_payer
    #[msg("the payer's refund was already paid")]
    PayerAlreadyWithdrawn = 2300,
    #[msg("more is settled than was deposited")]
    RefundCalculationOverflow = 2301,

    // settle
    #[msg("a channel is settled while open or sealed only")]
    ChannelNotDistributable = 2400,
    #[msg("the treasury's token account is not its associated token account, or it is not usable")]
    TreasuryAccountMismatch = 2401,
    #[msg("the treasury's token account is not a token account")]
    InvalidTreasuryTokenAccount = 2402,
    #[msg("the treasury's token account carries a Token-2022 extension that is not allowed")]
    InvalidTreasuryTokenExtensions = 2403,
    #[msg("a recipient's token account is not its associated token account")]
    RecipientAccountMismatch = 2404,
    #[msg("a recipient's token account is not a token account")]
    InvalidRecipientTokenAccount = 2405,
    #[msg("a recipient's token account carries malformed extensions")]
    InvalidRecipientTokenExtensions = 2406,
    #[msg("the splits are not those that the channel was opened with")]
    InvalidDistributionHash = 2407,
    #[msg("nothing was settled since the last payout")]
    NothingToDistribute = 2408,
    #[msg("one token account a recipient is needed, in the order of the splits")]
    RecipientAccountCountMismatch = 2409,
    #[msg("more is paid out than was settled")]
    DistributePoolOverflow = 2410,
    #[msg("the escrow holds less than the channel owes")]
    DistributeBalanceCalculationOverflow = 2411,
    #[msg("the rent payer's lamports would exceed 64 bits")]
    RentPayerBalanceOverflow = 2412,
    #[msg("the channel's rent can be reclaimed only after slot open_slot + 1,500")]
    ChannelCloseTooEarly = 2414,

    // Ours: any instruction.
    #[msg("no instruction has this first byte")]
    UnknownInstruction = 7000,
    #[msg("the instruction's data does not have the length or form that it must have")]
    InvalidInstructionData = 7001,
    #[msg("the channel account does not belong to this program")]
    ChannelOwnerMismatch = 7002,
    #[msg("the channel account does not have 256 bytes")]
    ChannelSizeMismatch = 7003,
    #[msg("an account of the channel that must be writable is not")]
    AccountNotWritable = 7004,
    #[msg("a system program, sysvar or associated token program account is not the real one")]
    InvalidProgramAccount = 7005,
    #[msg("the instructions sysvar account is not the real one")]
    InvalidInstructionsSysvar = 7006,
    #[msg("something lives at the channel's address already")]
    ChannelAlreadyExists = 7007,
    #[msg("the channel's amounts contradict each other")]
    ChannelInvariantViolated = 7008,
    #[msg("the time is before the Unix epoch or exceeds 64 bits")]
    ClockOutOfRange = 7009,

    // Ours: debit_batch.
    #[msg("a batch names between 1 and 60 channels")]
    InvalidBatchCount = 7020,
    #[msg("the channels of a batch must be in strictly rising order of their addresses")]
    BatchNotSorted = 7021,
    #[msg("the batch voucher was signed for another list of channels")]
    BatchChannelsMismatch = 7022,
    #[msg("a batch voucher names an amount of zero")]
    BatchTargetZero = 7023,

    // Ours: rearm.
    #[msg("there is nothing to pay out and nothing to refund")]
    NothingToRearm = 7030,
}

impl SessionError {
    /// The number that the transaction fails with (`InstructionError::Custom`).
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl From<SessionError> for ViewError {
    fn from(e: SessionError) -> Self {
        ViewError::Custom(e.code())
    }
}
