// The pieces that services are composed of: the same ones that `createPayments` is made of. No stable interface.
export * from "./chain/index.js";
export { within } from "./chain/sleep.js";
export { type Action, actionOf } from "./charge/actions.js";
export { type Asset, assetOf, type Desk, orUnavailable } from "./charge/desk.js";
export { GiveUp } from "./charge/GiveUp.js";
export * from "./charge/index.js";
export { Offers } from "./charge/Offers.js";
export { isFeePayerPoor } from "./charge/outcome.js";
export { type Approved, approve, legsOf, type Sponsorship, type Terms } from "./charge/policy.js";
export { Pull } from "./charge/pull.js";
export { type PaymentTransaction, readTransaction } from "./charge/readTransaction.js";
export { Sponsor } from "./charge/Sponsor.js";
export { BAR_MAX_MS, BAR_MS, memoryBook, RACED } from "./charge/SponsorBook.js";
export { deskOf } from "./charge/selfSettlement.js";
export { Turns } from "./charge/Turns.js";
export * from "./facilitator/index.js";
export { insist, keyOf } from "./facilitator/insist.js";
export { checkSignature } from "./facilitator/proof.js";
export { type Asset as Money, assetOf as moneyOf } from "./price.js";
export { Channels } from "./session/Channels.js";
export { CloseRequests } from "./session/CloseRequests.js";
export { Closer } from "./session/Closer.js";
export { type Challenged, checkOpen } from "./session/checkOpen.js";
export { Debits } from "./session/Debits.js";
export type { SessionEvent } from "./session/events.js";
export { FeePayer, type Sponsoring } from "./session/FeePayer.js";
export { beforeTaking } from "./session/journal.js";
export { type Opened, Opener } from "./session/Opener.js";
export {
  complete as completeSessionOptions,
  type SessionOptions,
  type Settings as SessionServerSettings,
} from "./session/options.js";
export { checkProof } from "./session/proofCheck.js";
export { RecentBlockhash } from "./session/RecentBlockhash.js";
export { beyondDeposit, notMonotonic, refusedSpend } from "./session/refusals.js";
export { type Facts, TokenFacts } from "./session/TokenFacts.js";
export { TopUps } from "./session/TopUps.js";
export { forNew, termsOf } from "./session/terms.js";
export { payable, tokenAddressOf } from "./session/tokenAccounts.js";
export { VoucherVerifier } from "./session/VoucherVerifier.js";
export { checkVoucher } from "./session/voucherCheck.js";
export { createWatchtower, type Watchtower } from "./session/Watchtower.js";
export { MissingDependencyError, StoreClosedError, StoreConflictError, StoreError } from "./stores/errors.js";
export { Pglite } from "./stores/pglite.js";
export { Postgres } from "./stores/postgres.js";
export { Access, transacted, translated } from "./stores/sql/Access.js";
export {
  type Database,
  type Parameter,
  type Row,
  type Session,
  type Statement,
  sqlState,
} from "./stores/sql/Database.js";
export { checkDurable, migrate } from "./stores/sql/migrate.js";
export type { Migration } from "./stores/sql/migrations.js";
export { SqlStore } from "./stores/sql/SqlStore.js";
export { checkExact } from "./x402/exact.js";
