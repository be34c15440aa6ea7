//! Who gets how much: the transition that pays a channel out, and the arithmetic of shares.

use crate::constants::BPS_DENOMINATOR;
use crate::errors::SessionError;
use crate::state::channel::{Channel, Status};

type Result<T> = core::result::Result<T, SessionError>;

/// The largest whole number of base units in `bps` ten-thousandths of `total`; `bps <= 10,000`.
///
/// Equal to `total * bps / 10_000`, without the 128-bit product: with `total = q * 10_000 + r` it is
/// `q * bps + r * bps / 10_000`, and neither term can overflow.
#[inline(always)]
pub fn share(total: u64, bps: u16) -> u64 {
    let (q, r, bps) = (total / BPS_DENOMINATOR, total % BPS_DENOMINATOR, u64::from(bps));
    q.wrapping_mul(bps).wrapping_add(r.wrapping_mul(bps) / BPS_DENOMINATOR)
}

/// One payout of a channel: what each share earned since the last one. Shares are cumulative, so paying often
/// and paying once come to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payout {
    from: u64,
    to: u64,
    /// Base units to refund to the payer: only when sealed, only once.
    pub refund: u64,
    /// The channel is sealed: the escrow is emptied and closed.
    pub is_final: bool,
}

impl Payout {
    /// Base units that a share of `bps` earned since the last payout.
    pub fn of(&self, bps: u16) -> u64 {
        share(self.to, bps).wrapping_sub(share(self.from, bps))
    }
}

impl Channel {
    /// Open → open, or sealed → distributed: marks all that is settled as paid and says what to pay.
    pub fn settle(&mut self, now: i64) -> Result<Payout> {
        let is_final = match self.status()? {
            Status::Open => false,
            Status::Sealed => true,
            _ => return Err(SessionError::ChannelNotDistributable),
        };
        if self.payout_watermark > self.settled {
            return Err(SessionError::DistributePoolOverflow);
        }
        if !is_final && self.payout_watermark == self.settled {
            return Err(SessionError::NothingToDistribute);
        }
        let mut payout = Payout { from: self.payout_watermark, to: self.settled, refund: 0, is_final };
        self.payout_watermark = self.settled;
        if is_final {
            if self.payer_withdrawn_at == 0 {
                payout.refund = self.withdraw_payer(now)?;
            }
            self.status = Status::Distributed as u8;
        }
        self.invariant()?;
        Ok(payout)
    }

    /// Open → open: pays all that is settled, refunds the rest of the deposit, and stays open at that watermark.
    pub fn rearm(&mut self) -> Result<Payout> {
        if self.status()? != Status::Open {
            return Err(SessionError::InvalidChannelStatus);
        }
        if self.payout_watermark > self.settled {
            return Err(SessionError::DistributePoolOverflow);
        }
        let refund = self.unspent()?;
        if refund == 0 && self.payout_watermark == self.settled {
            return Err(SessionError::NothingToRearm);
        }
        let payout = Payout { from: self.payout_watermark, to: self.settled, refund, is_final: false };
        self.payout_watermark = self.settled;
        self.deposit = self.settled;
        self.invariant()?;
        Ok(payout)
    }
}
