// What a new localnet holds beyond LiteSVM's own programs: the test USDC mint and funded keys.
import { MintLayout } from "@solana/spl-token";
import { SYSTEM_PROGRAM, TOKEN_PROGRAM, USDC_DECIMALS, USDC_MINT } from "../constants.js";
import { usdcAuthority } from "../keys.js";
import type { Chain } from "./chain.js";

/** Creates the test USDC mint with no supply. */
export function createUsdc(chain: Chain): void {
  const data = new Uint8Array(MintLayout.span);
  // spl-token may bring a web3.js of its own, whose keys are another class: the layout needs no more than the bytes.
  const authority = usdcAuthority().publicKey as never;
  MintLayout.encode(
    {
      mintAuthorityOption: 1,
      mintAuthority: authority,
      supply: 0n,
      decimals: USDC_DECIMALS,
      isInitialized: true,
      freezeAuthorityOption: 1,
      freezeAuthority: authority,
    },
    data,
  );
  chain.setAccount(USDC_MINT, {
    lamports: chain.rentExemptMinimum(data.length),
    data,
    owner: TOKEN_PROGRAM,
    executable: false,
  });
}

/** Gives a key lamports from nowhere. */
export function fund(chain: Chain, address: string, lamports: bigint): void {
  chain.setAccount(address, { lamports, data: new Uint8Array(), owner: SYSTEM_PROGRAM, executable: false });
}
