//! The receipt account: 332 bytes, and the transitions between its states. Each transition checks first and writes
//! last; who may call it is the handler's business.

use anchor_lang::prelude::*;

use crate::args::PayArgs;
use crate::constants::{PAY_SLOT_WINDOW, RECEIPT_LEN, RECEIPT_VERSION};
use crate::errors::PayError;

/// Where a receipt stands. Stored as one byte, from 0 in this order.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The money moved.
    Paid,
    /// The recipient bound a result to it.
    Attested,
    /// Used; for good.
    Consumed,
}

/// Proof that `payer` paid `amount` to `recipient` for one request. Field order is the byte layout; amounts are base
/// units, times unix seconds.
#[account]
#[derive(InitSpace, Debug, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// `RECEIPT_VERSION`.
    pub version: u8,
    /// Canonical bump of the receipt's address.
    pub bump: u8,
    pub status: Status,
    /// Whether the receipt counts only once attested.
    pub needs_attestation: bool,
    /// Chosen by the payer; a seed.
    pub nonce: u64,
    /// Chosen by the payer, checked when paid; a seed, so that no address holds two receipts.
    pub pay_slot: u64,
    /// Slot in which the payment landed.
    pub slot: u64,
    /// When the payment landed.
    pub paid_at: i64,
    /// The receipt counts while now < expires_at; 0 never expires.
    pub expires_at: i64,
    /// When the result was attested; 0 until then.
    pub attested_at: i64,
    /// When the receipt was consumed; 0 until then.
    pub consumed_at: i64,
    pub amount: u64,
    pub payer: Pubkey,
    /// Owner of the token account that was paid: never a token account.
    pub recipient: Pubkey,
    pub mint: Pubkey,
    /// Alone may consume.
    pub consumer: Pubkey,
    /// Paid the rent, and gets it back.
    pub rent_payer: Pubkey,
    /// The channel that the payment drew on; zero if tokens moved directly.
    pub channel: Pubkey,
    /// What was paid for.
    pub request_hash: [u8; 32],
    /// What the recipient says it delivered; zero until attested.
    pub result_hash: [u8; 32],
}

const _: () = assert!(Receipt::INIT_SPACE + Receipt::DISCRIMINATOR.len() == RECEIPT_LEN);

/// Whom a payment concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties {
    pub payer: Pubkey,
    pub recipient: Pubkey,
    pub mint: Pubkey,
    pub rent_payer: Pubkey,
    /// Zero if tokens moved directly.
    pub channel: Pubkey,
}

impl Receipt {
    /// Nothing → paid, on terms that `PayArgs::validate` accepted.
    pub fn paid(parties: &Parties, args: &PayArgs, bump: u8, clock: &Clock) -> Self {
        Self {
            version: RECEIPT_VERSION,
            bump,
            status: Status::Paid,
            needs_attestation: args.needs_attestation,
            nonce: args.nonce,
            pay_slot: args.pay_slot,
            slot: clock.slot,
            paid_at: clock.unix_timestamp,
            expires_at: args.expires_at,
            attested_at: 0,
            consumed_at: 0,
            amount: args.amount,
            payer: parties.payer,
            recipient: parties.recipient,
            mint: parties.mint,
            consumer: args.consumer,
            rent_payer: parties.rent_payer,
            channel: parties.channel,
            request_hash: args.request_hash,
            result_hash: [0; 32],
        }
    }

    /// The receipt in `account`, for programs that take it as an unchecked account: this program owns it, and it is
    /// a receipt. Its address needs no derivation, because this program writes receipts at derived addresses only.
    pub fn load(account: &AccountInfo) -> Result<Self> {
        require!(*account.owner == crate::ID, PayError::NotAReceipt);
        let data = account.try_borrow_data()?;
        require!(data.len() == RECEIPT_LEN, PayError::NotAReceipt);
        let receipt = Self::try_deserialize(&mut &data[..]).map_err(|_| error!(PayError::NotAReceipt))?;
        receipt.require_known_version()?;
        Ok(receipt)
    }

    pub fn require_known_version(&self) -> Result<()> {
        require!(self.version == RECEIPT_VERSION, PayError::UnsupportedReceiptVersion);
        Ok(())
    }

    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at != 0 && now >= self.expires_at
    }

    /// Not consumed and not expired.
    pub fn require_live(&self, now: i64) -> Result<()> {
        require!(self.status != Status::Consumed, PayError::ReceiptConsumed);
        require!(!self.is_expired(now), PayError::ReceiptExpired);
        Ok(())
    }

    /// Attested, if it was paid on that condition.
    pub fn require_attested_as_paid(&self) -> Result<()> {
        require!(!self.needs_attestation || self.status != Status::Paid, PayError::ReceiptNotAttested);
        Ok(())
    }

    /// Paid → attested, once, before it expires.
    pub fn attest(&mut self, result_hash: [u8; 32], now: i64) -> Result<()> {
        self.require_live(now)?;
        require!(self.status == Status::Paid, PayError::ReceiptAlreadyAttested);
        require!(result_hash != [0; 32], PayError::ResultHashMustBeNonZero);
        self.status = Status::Attested;
        self.attested_at = now;
        self.result_hash = result_hash;
        Ok(())
    }

    /// Attested, or paid if no attestation is needed → consumed, once, before it expires.
    pub fn consume(&mut self, now: i64) -> Result<()> {
        self.require_live(now)?;
        self.require_attested_as_paid()?;
        self.status = Status::Consumed;
        self.consumed_at = now;
        Ok(())
    }

    /// Consumed or expired → gone, once no payment can reach the address any more.
    pub fn require_closable(&self, clock: &Clock) -> Result<()> {
        require!(self.status == Status::Consumed || self.is_expired(clock.unix_timestamp), PayError::ReceiptStillLive);
        match self.pay_slot.checked_add(PAY_SLOT_WINDOW) {
            Some(last) if clock.slot > last => Ok(()),
            _ => err!(PayError::ReceiptCloseTooEarly),
        }
    }
}
