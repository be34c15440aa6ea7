//! Paying a beneficiary who may have made itself unpayable. One poisoned account must not stop the others' money,
//! so its amount goes to the treasury and an event says so (draft-solana-session-00, "Payout Forfeiture").

use pinocchio::AccountView;

use crate::events::{PayoutBeneficiary, RedirectReason};
use crate::token::{ata, RoleErrors, TokenContext, Unusable};
use crate::views::Result;

/// Who is to be paid.
#[derive(Clone, Copy)]
pub struct Beneficiary<'a> {
    pub role: PayoutBeneficiary,
    pub account: &'a AccountView,
    pub owner: &'a [u8; 32],
}

impl Beneficiary<'_> {
    fn errors(&self) -> RoleErrors {
        match self.role {
            PayoutBeneficiary::Recipient => RoleErrors::RECIPIENT,
            PayoutBeneficiary::Payee => RoleErrors::PAYEE,
            PayoutBeneficiary::Payer => RoleErrors::PAYER,
        }
    }

    /// None if the account can take `amount`; otherwise why it must go to the treasury. A wrong account and
    /// malformed extensions are the caller's fault and fail.
    pub fn redirect_reason(&self, token: &TokenContext, amount: u64) -> Result<Option<RedirectReason>> {
        if amount == 0 {
            let mint = token.mint.address().as_array();
            return match ata::require(self.account, self.owner, token.program_id(), mint) {
                Ok(()) => Ok(None),
                Err(_) => Err(self.errors().mismatch.into()),
            };
        }
        match token.check_ata(self.account, self.owner) {
            Ok(_) => Ok(None),
            Err(Unusable::ForbiddenExtension) => Ok(Some(RedirectReason::UnsupportedExtension)),
            Err(Unusable::NotATokenAccount) => Ok(Some(RedirectReason::ClosedOrMalformed)),
            Err(Unusable::NotInitialized) => Ok(Some(RedirectReason::NotInitialized)),
            Err(Unusable::Reassigned) => Ok(Some(RedirectReason::ReassignedAuthority)),
            Err(why) => Err(self.errors().of(why).into()),
        }
    }
}
