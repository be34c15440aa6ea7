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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub const NOW: i64 = 1_000;

    fn clock(slot: u64, unix_timestamp: i64) -> Clock {
        Clock { slot, unix_timestamp, ..Clock::default() }
    }

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    /// Paid in slot 5,000 at `NOW`, waits for an attestation, expires 60 seconds later.
    pub fn paid() -> Receipt {
        let parties = Parties { payer: key(1), recipient: key(2), mint: key(3), rent_payer: key(5), channel: key(6) };
        let args = PayArgs {
            amount: 0x0807_0605_0403_0201,
            request_hash: [0xcc; 32],
            nonce: 7,
            pay_slot: 4_000,
            expires_at: NOW + 60,
            consumer: key(4),
            needs_attestation: true,
        };
        Receipt::paid(&parties, &args, 255, &clock(5_000, NOW))
    }

    pub fn attested() -> Receipt {
        let mut receipt = paid();
        receipt.attest([0xdd; 32], NOW).unwrap();
        receipt
    }

    /// Calls `Receipt::load` on an account with these bytes.
    fn load(owner: &Pubkey, data: &mut [u8]) -> Result<Receipt> {
        let (address, mut lamports) = (key(9), 1);
        Receipt::load(&AccountInfo::new(&address, false, false, &mut lamports, data, owner, false))
    }

    fn bytes(receipt: &Receipt) -> Vec<u8> {
        let mut data = vec![];
        receipt.try_serialize(&mut data).unwrap();
        data
    }

    #[test]
    fn every_field_is_where_the_specification_says() {
        let data = bytes(&attested());
        let expect: [(usize, &[u8]); 20] = [
            (0, Receipt::DISCRIMINATOR),
            (8, &[1, 255, 1, 1]),
            (12, &7u64.to_le_bytes()),
            (20, &4_000u64.to_le_bytes()),
            (28, &5_000u64.to_le_bytes()),
            (36, &NOW.to_le_bytes()),
            (44, &(NOW + 60).to_le_bytes()),
            (52, &NOW.to_le_bytes()),
            (60, &0i64.to_le_bytes()),
            (68, &[1, 2, 3, 4, 5, 6, 7, 8]),
            (76, &[1; 32]),
            (108, &[2; 32]),
            (140, &[3; 32]),
            (172, &[4; 32]),
            (204, &[5; 32]),
            (236, &[6; 32]),
            (268, &[0xcc; 32]),
            (300, &[0xdd; 32]),
            (332, &[]),
            (data.len(), &[]),
        ];
        for (at, part) in expect {
            assert_eq!(&data[at..at + part.len()], part, "at {at}");
        }
        assert_eq!(data.len(), RECEIPT_LEN);
    }

    #[test]
    fn a_receipt_loads_from_its_own_account_only() {
        let data = bytes(&paid());
        assert_eq!(load(&crate::ID, &mut data.clone()).unwrap(), paid());
        assert_eq!(load(&key(8), &mut data.clone()).unwrap_err(), PayError::NotAReceipt.into());
    }

    #[test]
    fn another_discriminator_length_status_or_version_is_no_receipt() {
        let good = bytes(&paid());
        let refuse = |change: fn(&mut Vec<u8>)| {
            let mut data = good.clone();
            change(&mut data);
            load(&crate::ID, &mut data).unwrap_err()
        };
        let changes: [fn(&mut Vec<u8>); 7] = [
            |d| d[0] ^= 1,
            |d| d[7] ^= 1,
            |d| d.push(0),
            |d| d.truncate(RECEIPT_LEN - 1),
            |d| d.clear(),
            |d| d[10] = 3,
            |d| d[11] = 2,
        ];
        for change in changes {
            assert_eq!(refuse(change), PayError::NotAReceipt.into());
        }
        assert_eq!(refuse(|d| d[8] = 2), PayError::UnsupportedReceiptVersion.into());
    }

    #[test]
    fn a_result_is_attested_once_and_never_replaced() {
        let mut receipt = attested();
        let before = receipt;
        assert_eq!(receipt.attest([0xee; 32], NOW).unwrap_err(), PayError::ReceiptAlreadyAttested.into());
        assert_eq!(receipt.attest([0xdd; 32], NOW).unwrap_err(), PayError::ReceiptAlreadyAttested.into());
        assert_eq!(receipt, before);
    }

    #[test]
    fn an_empty_result_is_refused() {
        assert_eq!(paid().attest([0; 32], NOW).unwrap_err(), PayError::ResultHashMustBeNonZero.into());
    }

    #[test]
    fn an_expired_receipt_is_neither_attested_nor_consumed() {
        let (mut one, mut two) = (paid(), attested());
        let end = one.expires_at;
        assert_eq!(one.attest([1; 32], end).unwrap_err(), PayError::ReceiptExpired.into());
        assert_eq!(two.consume(end).unwrap_err(), PayError::ReceiptExpired.into());
        assert!(one.attest([1; 32], end - 1).is_ok());
        assert!(two.consume(end - 1).is_ok());
    }

    #[test]
    fn an_expiry_of_zero_never_comes() {
        let mut receipt = Receipt { expires_at: 0, needs_attestation: false, ..paid() };
        assert!(receipt.consume(i64::MAX).is_ok());
    }

    #[test]
    fn consuming_waits_for_the_attestation_it_was_paid_for() {
        assert_eq!(paid().consume(NOW).unwrap_err(), PayError::ReceiptNotAttested.into());
        assert!(attested().consume(NOW).is_ok());
        assert!(Receipt { needs_attestation: false, ..paid() }.consume(NOW).is_ok());
    }

    #[test]
    fn a_consumed_receipt_is_neither_consumed_again_nor_attested() {
        let mut receipt = Receipt { needs_attestation: false, ..paid() };
        receipt.consume(NOW).unwrap();
        assert_eq!(receipt.consume(NOW).unwrap_err(), PayError::ReceiptConsumed.into());
        assert_eq!(receipt.attest([1; 32], NOW).unwrap_err(), PayError::ReceiptConsumed.into());
    }

    #[test]
    fn a_receipt_closes_after_its_window_and_only_if_consumed_or_expired() {
        let live = attested();
        let mut used = live;
        used.consume(NOW).unwrap();
        let (last, end) = (live.pay_slot + PAY_SLOT_WINDOW, live.expires_at);
        for (receipt, now) in [(&used, NOW), (&live, end)] {
            let close = |slot| receipt.require_closable(&clock(slot, now));
            assert_eq!(close(last).unwrap_err(), PayError::ReceiptCloseTooEarly.into());
            assert!(close(last + 1).is_ok());
        }
        let early = live.require_closable(&clock(last + 1, end - 1));
        assert_eq!(early.unwrap_err(), PayError::ReceiptStillLive.into());
        let never = Receipt { pay_slot: u64::MAX, ..used };
        assert_eq!(never.require_closable(&clock(u64::MAX, NOW)).unwrap_err(), PayError::ReceiptCloseTooEarly.into());
    }
}
