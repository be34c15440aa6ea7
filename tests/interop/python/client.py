"""The session client of PyPI solana-pay-kit 0.10 against a server: opens, pays, tops up, closes.

One JSON object on stdin: {url, mode: "client" | "operator", payer: [64 bytes], topUp, requests}.
One JSON object on stdout: what the server answered to each step.
"""

import base64
import json
import sys

import httpx
from solana_pay_kit._paycore.paymentchannels import TopUpParams, build_top_up_instruction
from solana_pay_kit._paycore.transaction import build_partially_signed_v0_transaction
from solana_pay_kit.protocols.mpp.client.payment_channels import (
    PaymentChannelOpenOptions,
    PaymentChannelSessionOpenOptions,
    create_payment_channel_session_opener,
    derive_payment_channel_open,
)
from solana_pay_kit.protocols.mpp.client.session import parse_session_challenge, serialize_session_credential
from solana_pay_kit.protocols.mpp.core.headers import parse_receipt
from solana_pay_kit.protocols.mpp.intents.session import ClosePayload, SessionAction, SessionAuthentication
from solana_pay_kit.signer import LocalSigner
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey

job = json.load(sys.stdin)
signer = LocalSigner(Keypair.from_bytes(bytes(job["payer"])))
steps = []
http = httpx.Client(timeout=60)


def decode(receipt):
    parse_receipt(receipt)  # It is one that their SDK takes.
    return json.loads(base64.urlsafe_b64decode(receipt + "=" * (-len(receipt) % 4)))


def ask(name, header=None, key=None):
    headers = {}
    if header is not None:
        headers["authorization"] = header
    if key is not None:
        headers["idempotency-key"] = key
    response = http.get(job["url"], headers=headers)
    receipt = response.headers.get("payment-receipt")
    steps.append(
        {
            "name": name,
            "status": response.status_code,
            "body": response.text,
            "receipt": None if receipt is None else decode(receipt),
        }
    )
    return response


def new_challenge(name):
    return parse_session_challenge(ask(name).headers["www-authenticate"])


challenge, request = new_challenge("challenge")
details = request.method_details
operator = job["mode"] == "operator"
options = PaymentChannelSessionOpenOptions(open=PaymentChannelOpenOptions(salt=job["salt"]))
authentication = None
if operator:
    authorized = Pubkey.from_string(details.operator)
    planned = derive_payment_channel_open(request, Pubkey.from_string(signer.pubkey()), authorized, options.open)
    unsigned = SessionAuthentication(challenge_id=challenge.id, payer=signer.pubkey(), signature="")
    signature = signer.keypair.sign_message(unsigned.message_bytes(str(planned.channel_id)))
    authentication = SessionAuthentication(challenge.id, signer.pubkey(), str(signature))
    options.authentication = authentication

opened = create_payment_channel_session_opener(request, signer, signer, options=options)
session = opened.session
ask("open", serialize_session_credential(challenge, opened.action))

price = int(request.amount)
action = None
for i in range(job["requests"]):
    action = session.use_action(authentication) if operator else session.voucher_action(price)
    ask("request", serialize_session_credential(challenge, action), f"key-{i}")

# The same credential under the same key once more: it must buy nothing new.
ask("repeat", serialize_session_credential(challenge, action), f"key-{job['requests'] - 1}")

fresh, fresh_request = new_challenge("challenge")
top_up = build_top_up_instruction(
    TopUpParams(
        payer=opened.open.payer,
        channel=opened.open.channel_id,
        mint=opened.open.mint,
        amount=job["topUp"],
        token_program=opened.open.token_program,
        program_id=opened.open.program_id,
    )
)
fee_payer = Pubkey.from_string(details.fee_payer_key) if details.fee_payer else opened.open.payer
wire = build_partially_signed_v0_transaction(
    [top_up],
    fee_payer,
    Hash.from_string(fresh_request.method_details.recent_blockhash),
    opened.open.payer,
    signer.sign,
)
top_up_action = session.top_up_action(job["topUp"], base64.b64encode(wire).decode())
ask("topUp", serialize_session_credential(challenge, top_up_action))

if operator:
    close = session.close_action(authentication=authentication)
else:
    # `close_action(0)` sends no voucher, which the draft demands; this is the last one again.
    close = SessionAction.close_action(
        ClosePayload(channel_id=session.channel_id_string, voucher=action.voucher.voucher)
    )
ask("close", serialize_session_credential(challenge, close))

json.dump({"channelId": session.channel_id_string, "price": price, "steps": steps}, sys.stdout)
