// The script of the payment page, as text: its hash is in the page's security policy. Wallets are found and asked as the
// Wallet Standard has it, by events of the window; what they sign is put together here, so that no other server is asked.

export const SCRIPT = String.raw`
"use strict";
(() => {
  const SYSTEM = "11111111111111111111111111111111";
  const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
  const ATA = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
  const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  const DATA = '<script type="application/json" id="payment">';
  const $ = (id) => document.getElementById(id);
  const say = (text) => { $("status").textContent = text; };
  const utf8 = (text) => new TextEncoder().encode(text);

  function concat(...parts) {
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { bytes.set(part, at); at += part.length; }
    return bytes;
  }

  function base58(bytes) {
    let value = 0n;
    for (const byte of bytes) value = value * 256n + BigInt(byte);
    let text = "";
    for (; value > 0n; value /= 58n) text = ALPHABET[Number(value % 58n)] + text;
    let zeros = 0;
    while (bytes[zeros] === 0) zeros++;
    return "1".repeat(zeros) + text;
  }

  function address(text) {
    let value = 0n;
    for (const char of text) {
      const digit = ALPHABET.indexOf(char);
      if (digit < 0) throw new Error("bad address");
      value = value * 58n + BigInt(digit);
    }
    const bytes = new Uint8Array(32);
    for (let i = 31; i >= 0; i--) { bytes[i] = Number(value % 256n); value /= 256n; }
    if (value > 0n || base58(bytes) !== text) throw new Error("bad address");
    return bytes;
  }

  function base64(bytes) {
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }

  function u64(value) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    return bytes;
  }

  // Addresses of programs are hashes that are no point of the curve.
  const P = 2n ** 255n - 19n;
  const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

  function power(base, exponent) {
    let result = 1n;
    for (let b = base % P, e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) if (e & 1n) result = (result * b) % P;
    return result;
  }

  function onCurve(bytes) {
    let y = 0n;
    for (let i = 31; i >= 0; i--) y = y * 256n + BigInt(i === 31 ? bytes[i] & 127 : bytes[i]);
    const square = (y * y) % P;
    const x2 = ((square - 1n + P) * power((D * square + 1n) % P, P - 2n)) % P;
    return x2 === 0n || power(x2, (P - 1n) / 2n) === 1n;
  }

  async function tokenAccount(owner, mint, program) {
    const seeds = [address(owner), address(program), address(mint)];
    for (let bump = 255; bump >= 0; bump--) {
      const input = concat(...seeds, Uint8Array.of(bump), address(ATA), utf8("ProgramDerivedAddress"));
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", input));
      if (!onCurve(hash)) return base58(hash);
    }
    throw new Error("no token account");
  }

  const signer = (key, writable = false) => ({ key, signer: true, writable });
  const account = (key, writable = false) => ({ key, signer: false, writable });

  // What the challenge asks for, as instructions (draft-solana-charge-00, "Settlement").
  async function instructions(request, payer) {
    const details = request.methodDetails;
    const splits = details.splits || [];
    const rest = splits.reduce((left, split) => left - BigInt(split.amount), BigInt(request.amount));
    const legs = [{ recipient: request.recipient, amount: rest }, ...splits];
    const list = [];
    const memo = (text) => { if (text !== undefined) list.push({ program: MEMO, accounts: [], data: utf8(text) }); };
    for (const leg of legs) {
      if (request.currency === "sol") {
        const accounts = [signer(payer, true), account(leg.recipient, true)];
        list.push({ program: SYSTEM, accounts, data: concat(Uint8Array.of(2, 0, 0, 0), u64(leg.amount)) });
      } else {
        const { tokenProgram: program, decimals, feePayerKey } = details;
        const mint = request.currency;
        const to = await tokenAccount(leg.recipient, mint, program);
        if (leg.ataCreationRequired) {
          const accounts = [signer(feePayerKey || payer, true), account(to, true), account(leg.recipient), account(mint),
            account(SYSTEM), account(program)];
          list.push({ program: ATA, accounts, data: Uint8Array.of(1) });
        }
        const from = await tokenAccount(payer, mint, program);
        const accounts = [account(from, true), account(mint), account(to, true), signer(payer)];
        list.push({ program, accounts, data: concat(Uint8Array.of(12), u64(leg.amount), Uint8Array.of(decimals)) });
      }
      memo(leg.memo);
    }
    memo(request.externalId);
    return list;
  }

  function compact(length) {
    return length < 128 ? Uint8Array.of(length) : Uint8Array.of((length & 127) | 128, length >> 7);
  }

  // A legacy transaction without signatures.
  function transaction(feePayer, list, blockhash) {
    const metas = new Map();
    const add = ({ key, signer, writable }) => {
      const meta = metas.get(key) || { key, signer: false, writable: false };
      metas.set(key, { key, signer: meta.signer || signer, writable: meta.writable || writable });
    };
    add(signer(feePayer, true));
    for (const { accounts } of list) accounts.forEach(add);
    for (const { program } of list) add(account(program));
    const rank = (meta) => (meta.key === feePayer ? 0 : 1 + (meta.signer ? 0 : 2) + (meta.writable ? 0 : 1));
    const keys = [...metas.values()].sort((a, b) => rank(a) - rank(b));
    const count = (test) => keys.filter(test).length;
    const signers = count((meta) => meta.signer);
    const header = Uint8Array.of(
      signers,
      count((meta) => meta.signer && !meta.writable),
      count((meta) => !meta.signer && !meta.writable),
    );
    const index = (key) => keys.findIndex((meta) => meta.key === key);
    const compiled = list.map(({ program, accounts, data }) => concat(
      Uint8Array.of(index(program)), compact(accounts.length), Uint8Array.from(accounts, ({ key }) => index(key)),
      compact(data.length), data,
    ));
    const message = concat(header, compact(keys.length), ...keys.map(({ key }) => address(key)), address(blockhash),
      compact(compiled.length), ...compiled);
    return concat(compact(signers), new Uint8Array(64 * signers), message);
  }

  // A challenge ages within a minute: the one to pay is fetched when somebody pays.
  async function freshPayable(chosen) {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    const text = await response.text();
    const start = text.indexOf(DATA);
    if (response.status !== 402 || start < 0) throw new Error("The price could not be read again. Reload the page.");
    const data = JSON.parse(text.slice(start + DATA.length, text.indexOf("</" + "script>", start)));
    const same = data.find(({ request }) => terms(request) === terms(chosen.request));
    if (same === undefined) throw new Error("The price has changed. Reload the page.");
    return same;
  }

  function terms(request) {
    const { recentBlockhash, ...details } = request.methodDetails;
    const { externalId, ...rest } = request;
    return JSON.stringify({ ...rest, methodDetails: details });
  }

  async function payWith(wallet, payable) {
    say("Connecting to " + wallet.name + " …");
    const { accounts } = await wallet.features["standard:connect"].connect();
    const [account] = accounts;
    if (account === undefined) throw new Error("The wallet gave no account.");
    const { challenge, request } = await freshPayable(payable);
    const details = request.methodDetails;
    const feePayer = details.feePayer ? details.feePayerKey : account.address;
    const bytes = transaction(feePayer, await instructions(request, account.address), details.recentBlockhash);
    const input = { account, transaction: bytes, chain: "solana:" + (details.network || "mainnet") };
    say("Waiting for your signature …");
    if (details.feePayer) {
      const [{ signedTransaction }] = await wallet.features["solana:signTransaction"].signTransaction(input);
      return send({ challenge, payload: { type: "transaction", transaction: base64(signedTransaction) } });
    }
    const [{ signature }] = await wallet.features["solana:signAndSendTransaction"].signAndSendTransaction(input);
    return send({ challenge, payload: { type: "signature", signature: base58(signature) } });
  }

  async function send(credential) {
    const text = base64(utf8(JSON.stringify(credential))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    const field = credential.challenge.header || "Authorization";
    const headers = { [field]: "Payment " + text, "Idempotency-Key": credential.challenge.id };
    for (;;) {
      say("Waiting for the payment to be confirmed …");
      const response = await fetch(location.href, { headers, cache: "no-store" });
      // Paid, or about to be: the same is sent again until it is known.
      if (response.status !== 202 && response.status !== 409 && response.status !== 503) return show(response);
      const seconds = Number(response.headers.get("Retry-After")) || 2;
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
  }

  async function show(response) {
    const type = response.headers.get("Content-Type") || "";
    const blob = await response.blob();
    if (!response.ok && type.startsWith("application/problem+json")) {
      const problem = JSON.parse(await blob.text());
      throw new Error(problem.detail || problem.title);
    }
    say(response.ok ? "Paid." : "Paid, and answered with status " + response.status + ".");
    $("wallet").hidden = true;
    if (/^text\/|json|xml/.test(type)) {
      $("result").textContent = await blob.text();
      $("result").hidden = false;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = location.pathname.split("/").pop() || "download";
    link.textContent = "Save it";
    $("status").append(" ", link);
  }

  function canPay(wallet, { request }) {
    const { feePayer, network = "mainnet" } = request.methodDetails;
    const feature = feePayer ? "solana:signTransaction" : "solana:signAndSendTransaction";
    return wallet.chains.includes("solana:" + network) && "standard:connect" in wallet.features && feature in wallet.features;
  }

  function addWallet(wallet) {
    for (const payable of payables.filter((one) => canPay(wallet, one))) {
      const button = document.createElement("button");
      button.textContent = payables.length === 1 ? wallet.name : wallet.name + ", " + payable.request.currency;
      button.addEventListener("click", async () => {
        const all = [...$("wallets").children];
        for (const one of all) one.disabled = true;
        try {
          await payWith(wallet, payable);
        } catch (error) {
          say(String((error && error.message) || error));
        } finally {
          for (const one of all) one.disabled = false;
        }
      });
      $("wallets").append(button);
      $("wallet").hidden = false;
    }
  }

  const payables = JSON.parse($("payment").textContent);
  $("command").textContent = "mppsol curl '" + location.href.replace(/'/g, "'\\''") + "'";
  const api = { register: (...wallets) => { wallets.forEach(addWallet); return () => {}; } };
  window.addEventListener("wallet-standard:register-wallet", (event) => event.detail(api));
  window.dispatchEvent(new CustomEvent("wallet-standard:app-ready", { detail: api }));
})();
`;
