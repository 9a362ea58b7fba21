"""A call that is paid for, over x402 on HTTP: one payment a request, whatever the other side does.

Before anything is signed the payment is counted; before anything is sent what was signed is kept. Where no answer comes
the very same payment is sent again, never another: who keeps to x402 answers it once. So a provider, a facilitator or a
network that fails after taking money cannot make the agent pay twice. Uses the official client of x402 to write what is
signed, and the agent's own wallet to sign it.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import httpx

from penstock.agent.admission import Ask
from penstock.agent.credit_payment import CreditScheme, worth_up
from penstock.agent.mandate import CREDIT, Mandate
from penstock.agent.quotes import Quote
from penstock.agent.spending import ANY, Book, Payment, Purpose
from penstock.agent.wallet import Permission, Wallet
from penstock.errors import Invalid, PenstockError, Refused, Unavailable, Unverified
from penstock.keys.nesting import deeper_than

ANSWER_BYTES_MAX: Final = 64 * 2**20
DEPTH_MAX: Final = 32
"""No answer nests deeper: a parser that follows without end dies with the process."""
HEADER_CHARS_MAX: Final = 65_536
TRIES: Final = 4
"""How often one payment is sent before its answer is waited for later."""
WAITS_S: Final = (0.2, 0.5, 1.0)
REQUIRED, RESPONSE, SIGNATURE = "PAYMENT-REQUIRED", "PAYMENT-RESPONSE", "PAYMENT-SIGNATURE"
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Call:
    """One request for work: the path below the venue's address, its JSON, and how many tokens it asks for."""

    path: str
    body: Mapping[str, Any]
    tokens: int

    @property
    def raw(self) -> bytes:
        """The bytes that are sent, each time the same."""
        return json.dumps(self.body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def sha256(self) -> str:
        """What names the request: over path and body."""
        return sha256(self.path.encode() + b"\0" + self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, what it cost, and the transaction that paid it (empty where nothing was asked)."""

    body: dict[str, Any]
    paid_usdc_micro: int
    tx: str
    payment: int | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Payer:
    """Who calls and pays: a mandate, a wallet, the book, and the way out. ``wait`` sleeps [s]."""

    mandate: Mandate
    wallet: Wallet = field(repr=False)
    book: Book
    http: httpx.Client
    clock: Clock
    wait: Callable[[float], None]
    purpose: Purpose = ANY

    def call(self, quote: Quote, call: Call) -> Answer:
        """The answer to ``call`` at ``quote``, paid if it is asked for.

        Raises:
            Refused: as `Book.reserve`; ``payment.dearer`` and ``payment.offer`` for an offer that is not the quote's;
            ``payment.not_taken`` where a payment was refused.
            Unavailable: ``provider.silent``, ``provider.failed``; `Book.open_for` then has what is out.
            Invalid: ``provider.answer`` for an answer that is none.
        """
        out = self.book.open_for(quote.url, call.sha256)
        if out is not None:
            return self._send(quote, call, out.number, out.header, out.counted_usdc_micro, out.scheme)
        first = self._post(quote.url, call, {})
        if first.status_code != httpx.codes.PAYMENT_REQUIRED:
            return Answer(_body(first, quote.url), 0, "", None, dict(first.headers))
        try:
            return self._pay(quote, call, first)
        except Refused as refused:
            if refused.code != "payment.no_credit":
                raise
            return self._pay(quote, call, first, credit=False)

    def _pay(self, quote: Quote, call: Call, asked: httpx.Response, *, credit: bool = True) -> Answer:
        number, header, ask = self._sign(quote, call, asked, credit=credit)
        return self._send(quote, call, number, header, ask.amount_usdc_micro, ask.scheme)

    def _sign(self, quote: Quote, call: Call, asked: httpx.Response, *, credit: bool = True) -> tuple[int, str, Ask]:
        """Count, sign, keep: in this order."""
        offer = choose(asked.headers.get(REQUIRED, ""), quote, self.mandate, call.tokens, credit=credit)
        amount = _amount(offer, quote, call.tokens)
        ask = _ask(quote, offer, amount, tokens_at(quote, amount, call.tokens))
        now_us = self.clock()
        number = self.book.reserve(self.mandate, ask, call.sha256, now_us, self.purpose)
        try:
            header, nonce, valid_before_us = self._signed(asked.headers[REQUIRED], offer, ask, now_us)
            self.book.sign(number, header, nonce, valid_before_us)
        except Exception:
            self.book.void(number, "not signed")
            raise
        return number, header, ask

    def _signed(self, required: str, offer: Any, ask: Ask, now_us: int) -> tuple[str, str, int]:
        from x402 import x402ClientSync
        from x402.http.utils import decode_payment_required_header, encode_payment_signature_header
        from x402.mechanisms.evm.exact import ExactEvmScheme
        from x402.mechanisms.evm.upto import UptoEvmClientScheme

        signer = self.wallet.permitted(Permission(ask, now_us))
        schemes: dict[str, Any] = {"exact": ExactEvmScheme, "upto": UptoEvmClientScheme, CREDIT: CreditScheme}
        client = x402ClientSync().register(ask.network, schemes[ask.scheme](signer))
        client.set_spend_controls({"allowed_assets": [_cap(ask)], "max_amount_per_payment": False})
        wanted = decode_payment_required_header(required).model_copy(update={"accepts": [offer]})
        header = encode_payment_signature_header(client.create_payment_payload(wanted))
        return header, signer.nonce, signer.valid_before_us

    def _send(self, quote: Quote, call: Call, number: int, header: str, amount: int, scheme: str) -> Answer:
        """Send the payment until it is answered; the same each time."""
        heard = self._insist(quote.url, call, header)
        if heard.status_code == httpx.codes.PAYMENT_REQUIRED and scheme == CREDIT:
            self.book.void(number, "the till did not take the credits")  # it holds them: it had no need of a signature
            raise Refused("payment.no_credit", f"{quote.url} did not take the credits.", payment=number)
        if heard.status_code == httpx.codes.PAYMENT_REQUIRED:
            self.book.note(number, "refused by who asked for it")
            hint = "It counts until its time is over, as it could still be cashed."
            raise Refused("payment.not_taken", f"{quote.url} did not take the payment.", hint=hint, payment=number)
        said, tx = _settled(heard, quote, amount)
        self.book.settle(number, amount, tx)  # all of it: only the chain could tell that less was cashed
        paid = said if "permit2Authorization" in _payload(header) else amount
        return Answer(_body(heard, quote.url), paid, tx, number, dict(heard.headers))

    def _insist(self, url: str, call: Call, header: str) -> httpx.Response:
        last: PenstockError | None = None
        for turn in range(TRIES):
            if turn:
                self.wait(WAITS_S[turn - 1])
            try:
                heard = self._post(url, call, {SIGNATURE: header})
            except Unavailable as error:
                last = error
                continue
            pending = heard.status_code == httpx.codes.PAYMENT_REQUIRED and not turn  # it may be mined meanwhile
            if heard.status_code < httpx.codes.INTERNAL_SERVER_ERROR and not pending:
                return heard
            if heard.status_code == httpx.codes.PAYMENT_REQUIRED:
                continue
            last = Unavailable("provider.failed", f"{url} answered {heard.status_code}.", provider=url)
        raise last or Unavailable("provider.failed", f"{url} did not answer.", provider=url)

    def _post(self, url: str, call: Call, headers: Mapping[str, str]) -> httpx.Response:
        sent = {"content-type": "application/json", **headers}
        try:
            return self.http.post(url + call.path, content=call.raw, headers=sent, follow_redirects=False)
        except httpx.HTTPError as error:
            why = type(error).__name__
            raise Unavailable("provider.silent", f"{url} does not answer ({why}).", provider=url) from None


def choose(required: str, quote: Quote, mandate: Mandate, tokens: int, *, credit: bool = True) -> Any:
    """The offer to take, of those in a header of x402: allowed, as quoted, no dearer; the cheapest, and of equals
    credits (unless ``credit`` is off) before exact before upto.

    Raises:
        Invalid: ``provider.answer``. Refused: ``payment.dearer``, ``payment.offer``.
    """
    from x402.http.utils import decode_payment_required_header

    try:
        if len(required) > HEADER_CHARS_MAX or deeper_than(b64decode(required).decode(), DEPTH_MAX):
            raise ValueError(len(required))
        offers: Any = decode_payment_required_header(required).accepts
        amounts = [_amount(offer, quote, tokens) for offer in offers]
    except Exception as error:  # the package raises whatever its parser does
        raise Invalid("provider.answer", "What it asks to be paid cannot be read.", provider=quote.url) from error
    known = [
        (amount, offer)
        for amount, offer in zip(amounts, offers, strict=True)
        if offer.scheme != CREDIT or (credit and amount >= 0)
    ]
    suits = [(amount, offer) for amount, offer in known if _suits(offer, quote, mandate)]
    if not suits:
        hint = "Another payee, token, chain or scheme than its signed quote says, or than the mandate allows."
        raise Refused("payment.offer", "None of what it takes may be paid.", hint=hint, provider=quote.url)
    due = quote.charge_up(tokens)
    fair = [pair for pair in suits if 0 <= pair[0] <= due]
    if not fair:
        asked = min(amount for amount, _ in suits)
        raise Refused("payment.dearer", f"It asks {asked} µ$, and quoted {due} µ$.", provider=quote.url)
    return min(fair, key=lambda pair: (pair[0], pair[1].scheme))[1]


def _suits(offer: Any, quote: Quote, mandate: Mandate) -> bool:
    rail = mandate.rail(str(getattr(offer, "network", "")), str(getattr(offer, "asset", "")))
    if offer.scheme == CREDIT:
        return (
            rail is not None
            and rail.is_credit
            and not mandate.spender
            and CREDIT in quote.schemes
            and offer.network == quote.network
            and offer.pay_to.lower() == quote.pay_to.lower()
        )
    return (
        rail is not None
        and offer.scheme in rail.schemes
        and offer.scheme in ("exact", "upto")
        and offer.scheme in quote.schemes
        and (offer.network, offer.asset.lower()) == (quote.network, quote.asset.lower())
        and offer.pay_to.lower() == quote.pay_to.lower()
        and offer.extra.get("assetTransferMethod", "eip3009") in ("eip3009", *(["permit2"] * (offer.scheme == "upto")))
    )


def _amount(offer: Any, quote: Quote, tokens: int) -> int:
    """What an offer asks [micro-dollars]; of credits their worth; negative for credits that make no sense."""
    if offer.scheme != CREDIT:
        return int(offer.get_amount())
    worth = worth_up(offer, quote, tokens)
    return -1 if worth is None else worth


def tokens_at(quote: Quote, amount: int, most: int) -> int:
    """As many tokens as an amount pays at the quote's price, and not more than ``most``; at least one."""
    return max(1, min(most, amount * 1_000 // quote.price_usdc_micro_per_1k_tokens))


def _ask(quote: Quote, offer: Any, amount: int, tokens: int) -> Ask:
    return Ask(
        url=quote.url,
        pay_to=quote.pay_to.lower(),
        network=quote.network,
        asset=offer.asset.lower(),
        scheme=offer.scheme,
        amount_usdc_micro=amount,
        tokens=tokens,
        carbon_mg_per_kwh=quote.carbon_mg_per_kwh,
        technology=quote.technology,
        matched_bp=quote.matched_bp,
        energy_mj_per_1k_tokens=quote.energy_mj_per_1k_tokens,
        units=int(offer.amount) if offer.scheme == CREDIT else 0,
    )


def _cap(ask: Ask) -> Any:
    return {
        "network": ask.network,
        "asset": ask.asset,
        "max_amount_per_payment": str(ask.units or ask.amount_usdc_micro),
    }


def _payload(header: str) -> dict[str, Any]:
    """What our own header holds."""
    found: dict[str, Any] = json.loads(b64decode(header))["payload"]
    return found


def _settled(heard: httpx.Response, quote: Quote, amount: int) -> tuple[int, str]:
    """What was paid, as the provider's receipt says; all of it where it does not say."""
    from x402.http.utils import decode_payment_response_header

    if heard.status_code != httpx.codes.OK:
        raise Unavailable("provider.failed", f"{quote.url} answered {heard.status_code}.", provider=quote.url)
    try:
        header = heard.headers[RESPONSE]
        if len(header) > HEADER_CHARS_MAX or deeper_than(b64decode(header).decode(), DEPTH_MAX):
            raise ValueError(len(header))
        said = decode_payment_response_header(header)
    except Exception:  # missing, or whatever the parser raises: count all of it
        return amount, ""
    if not said.success:
        raise Unverified("payment.receipt", "It answered, and says that it was not paid.", provider=quote.url)
    paid = int(said.amount) if said.amount else amount
    return (paid if 0 <= paid <= amount else amount), said.transaction


def _body(heard: httpx.Response, url: str) -> dict[str, Any]:
    if heard.status_code != httpx.codes.OK:
        raise Unavailable("provider.failed", f"{url} answered {heard.status_code}.", provider=url)
    body = None
    try:
        if len(heard.content) <= ANSWER_BYTES_MAX and not deeper_than(text := heard.content.decode(), DEPTH_MAX):
            body = json.loads(text)
    except ValueError:  # neither UTF-8 nor JSON
        body = None
    if not isinstance(body, dict):
        raise Invalid("provider.answer", "The answer is no JSON object, or too long.", provider=url)
    return body


def open_payments(book: Book) -> list[Payment]:
    """Payments that are out and not known to be cashed."""
    return [payment for payment in book.payments() if payment.state == "signed"]
