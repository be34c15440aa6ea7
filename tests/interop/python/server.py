"""The session server of PyPI solana-pay-kit 0.10, one metered resource on a free port of loopback.

One JSON object as argument: {rpc, program, treasury, recipient, mint, operator: [64 bytes], mode, sponsored, amount, deposit}.
Prints its URL, and serves until stdin ends.
"""

import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import solana_pay_kit._paycore.paymentchannels as paymentchannels
from solana_pay_kit._paycore.rpc import SolanaRpc
from solana_pay_kit.protocols.mpp.server.session_method import SessionChallengeOptions, SessionOptions, new_session
from solana_pay_kit.signer import LocalSigner
from solders.keypair import Keypair
from solders.pubkey import Pubkey

job = json.loads(sys.argv[1])
# The SDK has the treasury of the Foundation's own deployment built in; every other program has another.
paymentchannels.treasury_owner = lambda: Pubkey.from_string(job["treasury"])


class Rpc(SolanaRpc):
    """Their session asks by `Pubkey` and reads `.value.owner`; their own RPC client takes text and returns a tuple."""

    async def get_account_info(self, address, commitment="confirmed"):
        found = await super().get_account_info(str(address), commitment)
        account = None if found is None else SimpleNamespace(data=found[0], owner=found[1])
        return SimpleNamespace(value=account)


loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
signer = LocalSigner(Keypair.from_bytes(bytes(job["operator"])))


async def create():
    return new_session(
        SessionOptions(
            recipient=job["recipient"],
            amount=job["amount"],
            currency=job["mint"],
            network="localnet",
            secret_key="interop secret of at least thirty-two bytes",
            realm="127.0.0.1",
            channel_program=Pubkey.from_string(job["program"]),
            suggested_deposit=job["deposit"],
            fee_payer=job["sponsored"],
            voucher_signer=job["mode"],
            rpc=Rpc(job["rpc"]),
            signer=signer,
        )
    )


session = asyncio.run_coroutine_threadsafe(create(), loop).result()
served = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        key = self.headers.get("idempotency-key", "")
        work = session.handle(self.headers.get("authorization"), SessionChallengeOptions(), idempotency_key=key)
        result = asyncio.run_coroutine_threadsafe(work, loop).result()
        global served
        served += result.ok
        body = json.dumps({"served": served} if result.ok else result.body).encode()
        self.send_response(result.status)
        for name, value in result.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_address[1]}/feed", flush=True)
sys.stdin.read()
server.shutdown()
