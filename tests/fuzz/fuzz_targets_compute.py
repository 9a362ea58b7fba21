"""What agents, providers and their tools send: payments, quotes, mandates, signed papers, requests, spans, counters.

Signed papers are attacked inside their signature: the bytes under attack are signed anew by the key that is trusted.
"""

from __future__ import annotations

import functools
import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
from fuzz_kit import NOON_US, Target, bent, must
from x402.schemas import PaymentPayload as _Known  # the library itself is loaded before it is measured  # noqa: F401

from penstock.agent.mandate import Mandate, Venue
from penstock.agent.mandate_file import read_mandate
from penstock.agent.payment import choose
from penstock.agent.plan_file import read_problem
from penstock.agent.quotes import Quote, check_figures, check_time, read_quote
from penstock.api.inference.forms import read_chat, read_embeddings
from penstock.compute.energy_receipt import receipt_of
from penstock.compute.reexecution import Asked, Disclosure, Finding, Stated, opened
from penstock.compute.work import Metered, WorkReport, open_report, seal_report
from penstock.connect.telemetry.gen_ai import requests_of
from penstock.connect.telemetry.otlp_read import read_json as read_otlp_json
from penstock.connect.telemetry.otlp_read import read_protobuf
from penstock.connect.telemetry.scrapes import samples_of, scrape_of
from penstock.connect.x402.offers import by_account, by_key, fields_of, signer_of
from penstock.connect.x402.payment import read_header, read_payload, read_payment, terms_digest
from penstock.errors import PenstockError
from penstock.keys import ChainKey, SigningKey
from penstock.keys.dsse import QUOTE, STATEMENT, Envelope, seal, statement
from penstock.period import Period
from penstock.trace import receipt as offline
from penstock.usecases.challenge.evidence import Evidence, Found

KEY = SigningKey(bytes(range(1, 33)))
PAYEE, TOKEN, PAYER = ("0x" + digit * 40 for digit in "123")
NETWORK = "eip155:31337"
AGREES = Finding.AGREES
VENUE = Venue("http://provider.test", PAYEE, KEY.public.hex())
METRIC = "kepler_node_cpu_joules_total"


def accepted(read: Callable[[], Any], *areas: str) -> Any:
    """What is read; None where it is refused by a code of these areas, with a sentence."""
    try:
        return read()
    except PenstockError as error:
        known = error.code.startswith(tuple(f"{area}." for area in areas))
        must(known and error.message, f"another parser's code: {error.code}")
        return None


def payment_header(raw: bytes) -> bool:
    return any(map(_header, (raw.decode("latin-1"), b64encode(raw).decode())))


def _header(value: str) -> bool:
    payload = accepted(lambda: read_header(value), "payment")
    return payload is not None and _payment(payload)


def payment_of_tool(raw: bytes) -> bool:
    """As MCP carries it: parsed already."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    payload = accepted(lambda: read_payload(body), "payment")
    return payload is not None and _payment(payload)


def _payment(payload: Any) -> bool:
    found = accepted(lambda: read_payment(payload), "payment")
    if found is None:
        return False
    must(len(found.id) == 32 and 0 <= found.amount < 2**256 and 0 <= found.valid_before_s < 2**256, "figures fit")
    must(len(found.payer) == len(found.payee) == 20, "accounts")
    must("signature" not in repr(found), "no signature in a log")
    must(len(terms_digest(found, payload.accepted)) == 32, "terms have a digest")
    must(read_payment(payload) == found, "the same twice")
    return True


def payments() -> list[bytes]:
    terms = {"network": NETWORK, "asset": TOKEN, "amount": "10000", "payTo": PAYEE, "maxTimeoutSeconds": 60}
    resource = {"url": "http://provider.test/v1/embeddings", "description": "", "mimeType": ""}
    signature, word = "0x" + "ab" * 65, "0x" + "07" * 32
    signed = {"from": PAYER, "to": PAYEE, "value": "10000", "validAfter": "0", "validBefore": "9", "nonce": word}
    permit = {
        "from": PAYER, "permitted": {"token": TOKEN, "amount": "5"}, "spender": TOKEN, "nonce": "7", "deadline": "9",
        "witness": {"to": PAYEE, "facilitator": TOKEN, "validAfter": "0"},
    }  # fmt: skip
    spend = {"classId": word, "holder": PAYER, "salt": word, "units": "3", "validBefore": "9"}
    ways = (
        ("exact", {"signature": signature, "authorization": signed}),
        ("upto", {"signature": signature, "permit2Authorization": permit}),
        ("credit", {"signature": signature, "spend": spend}),
    )
    return [
        json.dumps(
            {
                "x402Version": 2,
                "resource": resource,
                "accepted": terms | {"scheme": scheme, "extra": {}},
                "payload": way,
            }
        ).encode()
        for scheme, way in ways
    ]


def required(raw: bytes) -> bool:
    """What a provider asks to be paid: taken is only what the quote and the mandate say."""
    try:
        offer = choose(b64encode(raw).decode(), _quote(), _mandate(), 1_000)
    except PenstockError as error:
        must(error.code in ("provider.answer", "payment.offer", "payment.dearer"), f"another's code: {error.code}")
        return False
    must(0 <= int(offer.get_amount()) <= _quote().charge_up(1_000), "no dearer than quoted")
    must((offer.pay_to.lower(), offer.network, offer.asset.lower()) == (PAYEE, NETWORK, TOKEN), "paid as quoted")
    return True


def requireds() -> list[bytes]:
    way = {"network": NETWORK, "asset": TOKEN, "amount": "900", "payTo": PAYEE, "maxTimeoutSeconds": 60}
    other = way | {"scheme": "upto", "extra": {"assetTransferMethod": "permit2"}}
    body = {"x402Version": 2, "error": "", "resource": {"url": "http://provider.test"}}
    return [json.dumps(body | {"accepts": [way | {"scheme": "exact", "extra": {"name": "D"}}, other]}).encode()]


def offer_signed(raw: bytes) -> bool:
    try:
        signed = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    if not isinstance(signed, dict):
        return False
    by_eip712 = accepted(lambda: signer_of("Offer", signed), "offer")
    by_jws = accepted(lambda: fields_of(signed, KEY.public), "offer")
    must(by_eip712 is None or len(by_eip712[0]) == 20, "a signer is an account")
    return by_eip712 is not None or by_jws is not None


def offers_signed() -> list[bytes]:
    fields = {
        "resourceUrl": "http://provider.test", "scheme": "exact", "network": NETWORK, "asset": TOKEN, "payTo": PAYEE,
        "amount": "5", "maxTimeoutSeconds": 60, "issuedAt": 7,
    }  # fmt: skip
    signers = (by_account(ChainKey(bytes(range(1, 33)))), by_key(KEY, "did:web:provider.test"))
    return [json.dumps(sign("Offer", fields)).encode() for sign in signers]


def envelope(raw: bytes) -> bool:
    found = accepted(lambda: Envelope.from_json(raw), "dsse")
    if found is None:
        return False
    must(Envelope.from_json(found.to_json()) == found, "an envelope has one written form")
    must(offline._envelope(raw)["payloadType"] == found.payload_type, "the offline reader reads the same")
    return True


def _signed(payload: bytes) -> Envelope:
    return seal(payload, STATEMENT, KEY)


def work_report(raw: bytes) -> bool:
    """The intake and the offline verifier, written apart, take the same reports."""
    sealed = _signed(raw)
    found = accepted(lambda: open_report(sealed, KEY.public), "work", "statement", "period")
    try:
        said = offline.verify(sealed.to_json(), KEY.public).said
    except offline.VerificationError as error:
        must(found is None, f"offline: {error.code}")
        return False
    if found is not None:
        must(sum(found.metered.parts_mj) + found.answers_mj == found.metered.meter_mj, "all energy has a place")
        must(said["root"] == found.root.hex() and said["paid"] == found.paid_usdc_micro, "offline: other rows")
    return found is not None


def paper(raw: bytes) -> bool:
    try:
        return bool(offline.verify(_signed(raw).to_json(), KEY.public).lines)
    except offline.VerificationError as error:
        must(error.code.startswith("receipt.") and error.message, "a code and a sentence")
        return False


@functools.cache
def _report() -> WorkReport:
    number = np.arange(3, dtype=np.int64)
    rows: dict[str, Any] = dict.fromkeys(("output_tokens", "time_ms"), number * 0)
    rows |= {"number": number, "arrived_us": number, "first_us": number, "done_us": number, "prompt_tokens": number}
    rows |= {"energy_mj": number + 5}
    for name in ("payment", "request", "answer", "salt"):
        cells = b"".join(sha256(b"%s %d" % (name.encode(), row)).digest() for row in range(3))
        rows[name] = np.frombuffer(cells, np.uint8).reshape(3, 32)
    sales: dict[str, Any] = {"scheme": np.array([0, 1, 255]), "paid_usdc_micro": np.array([7, 8, 0])}
    sales |= {"payer": np.zeros((3, 20), np.uint8), "tx": np.zeros((3, 32), np.uint8)}
    metered = Metered(10, 10 + 18 + 6, (3, 2, 1), "model:test", "flat/1", "{}", ("Stated.",))
    return WorkReport("provider", "rack", "m", Period(0, 10), rows, sales, metered)


def reports() -> list[bytes]:
    return [seal_report(_report(), KEY).payload]


def receipts() -> list[bytes]:
    return [receipt_of(_report(), row, KEY).payload for row in range(3)]


def quote(raw: bytes) -> bool:
    found = accepted(lambda: read_quote(_signed(raw).to_json(), VENUE), "quote", "statement")
    if found is None:
        return False
    figures = (found.price_usdc_micro_per_1k_tokens, found.minimum_usdc_micro, found.carbon_mg_per_kwh, found.as_of_us)
    must(all(type(one) is int and 0 <= one < 10**18 for one in figures), "figures are whole and fit")
    f"{found.model}{found.sku}{found.technology}".encode()
    must(found.charge_up(1) >= found.minimum_usdc_micro, "never below the minimum")
    accepted(lambda: check_time(found, _mandate().quotes, NOON_US), "quote")
    accepted(lambda: check_figures(found), "quote")
    return True


def quotes() -> list[bytes]:
    said = {
        "provider": "provider", "url": VENUE.url, "model": "m", "price_usdc_micro_per_1k_tokens": "1000",
        "minimum_usdc_micro": 1, "schemes": ["exact", "upto"], "pay_to": PAYEE, "asset": TOKEN, "network": NETWORK,
        "energy_mj_per_1k_tokens": 50, "carbon_mg_per_kwh": 400_000, "load_bp": 5_000, "sku": "cpu",
        "source": {"technology": "solar_pv", "matched_bp": 10_000}, "as_of_us": NOON_US,
        "valid_until_us": NOON_US + 60_000_000,
    }  # fmt: skip
    return [statement("provider", "0" * 64, QUOTE, said)]


@functools.cache
def _quote() -> Quote:
    return read_quote(_signed(quotes()[0]).to_json(), VENUE)


@functools.cache
def _mandate() -> Mandate:
    return read_mandate(mandates()[0].decode())


def mandate(raw: bytes) -> bool:
    found = accepted(lambda: read_mandate(raw.decode("utf-8", "replace")), "mandate")
    if found is None:
        return False
    found.name.encode()
    budget = found.budget
    must(0 <= budget.call_usdc_micro <= budget.hour_usdc_micro <= budget.total_usdc_micro, "each limit within the next")
    must(found.from_us < found.until_us and found.quotes.ratio_max >= 2, "a mandate lasts")
    must(all(len(bytes.fromhex(one.key)) == 32 and "@" not in one.url for one in found.venues), "venues have keys")
    return True


def mandates() -> list[bytes]:
    said = {
        "penstock": "mandate/1", "name": "test",
        "valid": {"from": "2026-01-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"},
        "budget_usd": {"call": "0.5", "hour": "2", "total": "5"}, "price_max_usd": {"per_1k_tokens": "0.01"},
        "venues": [{"url": VENUE.url, "pay_to": PAYEE, "key": VENUE.key}],
        "payments": [{"network": NETWORK, "asset": TOKEN, "schemes": ["exact", "upto"]}],
    }  # fmt: skip
    plain = (
        "penstock: mandate/1\nname: t\nvalid: {from: '2026-01-01T00:00:00Z', until: '2026-12-01T00:00:00Z'}\n"
        "budget_usd: {call: 1, hour: 2, total: 3}\nask_above_usd: 0.5\nprice_max_usd:\n  per_1k_tokens: 0.01\n"
        "energy:\n  carbon_max_g_per_kwh: 300\n  technologies: [solar_pv]\n"
        f"venues:\n- {{url: 'http://a.test', pay_to: '{PAYEE}', key: '{VENUE.key}'}}\n"
        f"payments:\n- {{network: '{NETWORK}', asset: '{TOKEN}'}}\n"
    )
    return [json.dumps(said).encode(), plain.encode()]


def spans(read: Callable[[bytes], list[Any]], raw: bytes) -> bool:
    found = accepted(lambda: read(raw), "telemetry")
    asked = None if found is None else accepted(lambda: requests_of(found), "telemetry")
    if asked is None:
        return False
    columns = asked.columns
    must(all(len(one) == len(found) - asked.passed_over for one in columns.values()), "a row a request")
    must((columns["started_us"] <= columns["first_us"]).all(), "started before the first token")
    must((columns["first_us"] <= columns["done_us"]).all(), "the first token before the last")
    "".join((*asked.models, *asked.payment_ids)).encode()
    return bool(found)


def otlp() -> list[bytes]:
    named = {"gen_ai.usage.input_tokens": {"intValue": "12"}, "gen_ai.usage.output_tokens": {"intValue": 3}}
    named |= {"gen_ai.response.model": {"stringValue": "m"}, "gen_ai.latency.time_to_first_token": {"doubleValue": 0.5}}
    span = {
        "traceId": "ab" * 16, "spanId": "cd" * 8, "name": "chat m", "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001000000000",
        "attributes": [{"key": key, "value": value} for key, value in named.items()],
    }  # fmt: skip
    return [json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span, span]}]}]}).encode()]


def otlp_messages() -> list[bytes]:
    from google.protobuf.json_format import Parse  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    message = json.loads(otlp()[0])
    for one in message["resourceSpans"][0]["scopeSpans"][0]["spans"]:  # this parser takes bytes as base64
        one["traceId"], one["spanId"] = b64encode(b"\xab" * 16).decode(), b64encode(b"\xcd" * 8).decode()
    return [Parse(json.dumps(message), ExportTraceServiceRequest()).SerializeToString()]


def scrapes(raw: bytes) -> bool:
    """Two pages, one after the other."""
    first, _, second = raw.decode("utf-8", "replace").partition("\f")

    def read() -> Any:
        pages = [scrape_of(text, at_us, [METRIC]) for at_us, text in ((1, first), (1_000_001, second))]
        return samples_of(pages, [METRIC], 2_000_000)

    found = accepted(read, "connect")
    if found is None:
        return False
    must(all(len(one) == 1 for one in found.values()) and (found["meter_mj"] >= 0).all(), "a sample, never below 0")
    return True


def pages() -> list[bytes]:
    def page(joules: str, steps: int) -> str:
        counted = f'vllm:iteration_tokens_total_count{{m="x"}} {steps}\nvllm:prompt_tokens_total {steps * 9}\n'
        return f"# HELP {METRIC} x\n# TYPE {METRIC} counter\n{METRIC} {joules}\n{counted}"

    return ["\f".join((page("10", 1), page(later, 5))).encode() for later in ("12.5", "3", "NaN")]


def openai(raw: bytes) -> bool:
    form = accepted(lambda: read_embeddings(raw), "request")
    chat = accepted(lambda: read_chat(raw), "request")
    if chat is not None:
        talk = chat.talk()
        must(talk.most_tokens >= 0 and all(isinstance(text, str) for text in talk.texts), "texts, and a bound")
        json.dumps(talk.body, ensure_ascii=False).encode()
    for text in form.texts if form else ():
        text.encode()  # a tokenizer takes no half characters
    return form is not None or chat is not None


def bodies() -> list[bytes]:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}]
    talk = [{"role": "system", "content": "x"}, {"role": "user", "content": parts}]
    said = (
        {"model": "m", "input": ["a", "b"], "encoding_format": "base64", "user": "u"},
        {"model": "m", "input": "a"},
        {"model": "m", "messages": talk, "max_tokens": 5, "stream": True, "temperature": 0.5},
    )
    return [json.dumps(one).encode() for one in said]


def shown(raw: bytes) -> bool:
    """Request and answer that a challenged provider shows."""
    request, _, answer = raw.partition(b"\f")
    stated = Stated("m", 2, 0, sha256(request).digest(), sha256(answer).digest())
    found = opened(stated, Disclosure(request, answer))
    must(isinstance(found, Asked | Finding), "asked, or what is wrong")
    if isinstance(found, Finding):
        return False
    must(found.vectors.ndim == 2 and len(found.vectors) == len(found.texts), "a vector a text")
    return True


def shown_seeds() -> list[bytes]:
    request = json.dumps({"model": "m", "input": ["a", "b"]}).encode()
    rows = [{"index": place, "embedding": [0.5, 1]} for place in range(2)]
    packed = b64encode(np.ones(2, "<f4").tobytes()).decode()
    answers = [rows, [{"index": place, "embedding": packed} for place in range(2)]]
    return [
        request + b"\f" + json.dumps({"data": each, "model": "m", "usage": {"prompt_tokens": 2}}).encode()
        for each in answers
    ]


def evidence(raw: bytes) -> bool:
    found = accepted(lambda: Evidence.from_json(raw), "challenge")
    if found is None:
        return False
    must(found.to_json() == raw, "evidence has one form")
    return True


def evidences() -> list[bytes]:
    rows = Found(1, bytes(32), Finding.VECTOR_DIFFERS, Disclosure(b"asked", b"answered")), Found(2, KEY.public, AGREES)
    return [Evidence("provider", "rack", bytes(32), bytes(32), "engine", 1e-5, rows).to_json()]


def problem(raw: bytes) -> bool:
    found = accepted(lambda: read_problem(raw), "plan")
    return found is not None and found.capacity_tokens.shape == found.price_usdc_micro_per_1k.shape


def problems() -> list[bytes]:
    said: dict[str, Any] = {"demand_tokens": 5, "deadline_hours": 1, "matched_min_bp": 10}
    said |= {name: [[3, 4]] for name in ("price_usdc_micro_per_1k", "capacity_tokens", "carbon_mg_per_kwh")}
    said |= {name: [[3, 4]] for name in ("certificate_usdc_micro_per_mwh", "certificate_wh")}
    said |= {"energy_mj_per_1k": [3], "zone": [0], "lot_tokens": [0], "arrived_bp": [10_000]}
    return [json.dumps(said).encode()]


PLAIN: dict[str, Target] = {
    "payment_header": Target(lambda: [*payments(), *(b64encode(one) for one in payments())], payment_header, share=0.5),
    "payment_of_tool": Target(payments, payment_of_tool, share=0.5),
    "payment_required": Target(requireds, required, share=0.5),
    "offer_signed": Target(offers_signed, offer_signed, share=0.5),
    "envelope_dsse": Target(lambda: [_signed(one).to_json() for one in (*quotes(), *receipts())], envelope),
    "work_report": Target(reports, work_report, share=0.5, longest=8_192),
    "paper": Target(lambda: [*receipts(), *reports()], paper, share=0.5, longest=8_192),
    "quote": Target(quotes, quote, share=0.5),
    "mandate": Target(mandates, mandate, share=0.25),
    "otlp_json": Target(otlp, functools.partial(spans, read_otlp_json)),
    "otlp_protobuf": Target(otlp_messages, functools.partial(spans, read_protobuf)),
    "scrapes": Target(pages, scrapes, share=0.5),
    "openai": Target(bodies, openai),
    "shown": Target(shown_seeds, shown),
    "evidence": Target(evidences, evidence),
    "plan_problem": Target(problems, problem, share=0.5),
}
COMPUTE: dict[str, Target] = PLAIN | {
    f"{name}_bent": bent(target) for name, target in PLAIN.items() if name not in ("otlp_protobuf", "scrapes", "shown")
}
