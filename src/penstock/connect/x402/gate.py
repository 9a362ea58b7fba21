"""The gate: money first, then the work, then the answer; and whatever fails in between, nobody pays for nothing.

Implements the door's `Gate` port over the till. Whether a payment went through is asked of the chain wherever there is
a witness: a facilitator's word, its silence or its error alone neither charges nor serves anybody.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from x402.mechanisms.evm.constants import ERR_SETTLEMENT_PENDING
from x402.schemas import PaymentPayload, SettleResponse

from penstock.connect.inference.engine import Usage
from penstock.connect.inference.gate import Admitted, Asked, Scheme, TurnedAway
from penstock.connect.x402 import offers, spend
from penstock.connect.x402.asking import (
    Terms,
    Way,
    check_signed,
    chosen,
    confirmed,
    payment_header,
    required,
    turned_away,
    unpaid,
    ways,
)
from penstock.connect.x402.payment import Method, Payment, read_header, read_payment, written
from penstock.connect.x402.ports import Facilitator, Fate, Found, Payout, Witness
from penstock.connect.x402.till import Till
from penstock.connect.x402.till_rows import Request, Row, State
from penstock.errors import Conflict, PenstockError, Refused, Unavailable

SETTLE_S: Final = 12.0
"""How long a facilitator may take [s]."""
LONGER_S: Final = 3_600
"""So much longer than it was asked to, a payment may be good: clocks differ, wallets have bounds of their own [s]."""
LOOK_S: Final = 3.0
"""How long the chain is asked about a payment that nobody answered for [s]."""
WORK_S: Final = 120.0
"""How long a repeat waits for the answer that is being worked on [s]."""
RETRY_S: Final = 1
REFUND_AFTER_US: Final = 600 * 1_000_000
"""A payment that is here and was never answered goes back after this long [us]."""
_LOOK_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Hands:
    """Whom a gate works with. Without a witness the facilitator is believed; without a payout what goes back becomes
    the payer's balance here."""

    facilitator: Facilitator
    witness: Witness | None = None
    payout: Payout | None = None
    sign: offers.Sign | None = None


class PaymentGate:
    """A gate over ``till`` that takes what ``terms`` say; ``clock`` tells the time [us, UTC]."""

    def __init__(
        self,
        terms: Terms,
        till: Till,
        hands: Hands,
        clock: Callable[[], int],
        *,
        settle_s: float = SETTLE_S,
        look_s: float = LOOK_S,
    ) -> None:
        self.terms, self.till, self._hands, self._clock = terms, till, hands, clock
        self._settle_s, self._look_s = settle_s, look_s
        self._working: dict[bytes, asyncio.Event] = {}
        self._rows: dict[bytes, Row] = {}

    # the door's port

    async def admit(self, asked: Asked) -> Admitted | TurnedAway:
        """Take the payment that came with the request, or say what to pay."""
        offered = ways(self.terms, asked)
        header = payment_header(asked.headers)
        if not header:
            return self._unpaid(asked, offered, "payment required")
        try:
            payload = read_header(header)
            payment = read_payment(payload)
            way = await self._chosen(asked, offered, payload, payment)
            check_signed(way, payment)
            self._check_end(payment)
            if payment.method is Method.SPEND:
                spend.check_spend(payment, self._clock())
        except PenstockError as refused:
            return self._unpaid(asked, offered, refused.code)
        taking = asyncio.ensure_future(self._admitted(asked, offered, payload, payment, way))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:  # whoever asked has gone, and will do no work
            taking.add_done_callback(lambda _: self._done(payment.id))
            raise

    async def answered(
        self,
        admitted: Admitted,
        body: bytes,
        usage: Usage,
        cost_usdc_micro: int,
    ) -> Mapping[str, str]:
        """Keep the answer; what it did not cost stays the payer's, prepaid here."""
        row = self._rows.get(admitted.payment_id) or await self.till.row(admitted.payment_id)
        if row is None:
            return {}
        spent = self._spent(row, admitted, usage.prompt_tokens + usage.output_tokens, cost_usdc_micro)
        headers = await self._receipt(row, spent)
        await asyncio.shield(self._kept(row, body, headers, spent))
        return headers

    def _spent(self, row: Row, admitted: Admitted, tokens: int, cost_usdc_micro: int) -> int:
        """Units that an answer cost: of credits what its tokens take, whatever the price in dollars is."""
        if one := next((one for one in self.terms.credits if one.id == row.payment.token), None):
            return min(row.charged, one.units(tokens) if tokens else row.charged)
        paid = max(admitted.paid_usdc_micro, 1)
        return min(row.charged, -(-row.price * max(0, min(cost_usdc_micro, paid)) // paid))

    async def failed(self, admitted: Admitted, reason: str) -> None:
        """No answer came: the payment goes back."""
        try:
            await asyncio.shield(self._refund(admitted.payment_id, reason))
        finally:
            self._done(admitted.payment_id)

    # what was left half done

    async def sweep(self) -> int:
        """Follow up payments that nobody waits for: those without an answer go back. How many rows were closed."""
        closed = 0
        for row in await self.till.open_rows():
            if row.id not in self._working:
                closed += await self._followed_up(row)
        return closed

    async def _followed_up(self, row: Row) -> bool:
        if row.state is State.REFUNDING:
            await self._refund(row.id, row.why)
            return True
        if row.state is State.PAID:
            overdue = self._clock() - row.paid_us > REFUND_AFTER_US
            if overdue:
                await self._refund(row.id, "no answer was asked for again")
            return overdue
        return await self._looked_up(row)

    async def _looked_up(self, row: Row) -> bool:
        """A payment of unknown fate: the chain tells, at the latest when it can no longer be used."""
        found = await self._look(row.payment)
        if found.fate is Fate.PAID:
            await self.till.paid(row.id, found.tx, found.amount)
        elif found.fate is Fate.VOID:
            await self.till.lost(row.id, row.why or "never settled")
            return True
        return False

    # taking a payment

    async def _chosen(self, asked: Asked, offered: list[Way], payload: PaymentPayload, payment: Payment) -> Way:
        """The way that was chosen: of those offered now, or of those offered when this request's payment came in."""
        try:
            return chosen(offered, payload)
        except Refused:
            row = await self.till.row(payment.id)
            if row is None or row.state is State.FAILED or (row.request, row.url) != (asked.body_sha256, asked.url):
                raise
            return chosen(ways(self.terms, replace(asked, price_usdc_micro=row.price)), payload)

    def _check_end(self, payment: Payment) -> None:
        """What could be cashed for ever would be followed up for ever."""
        if payment.valid_before_s > self._clock() // 1_000_000 + self.terms.timeout_s + LONGER_S:
            hint = "Let it end as the offer says (maxTimeoutSeconds)."
            raise Refused("payment.too_long", "The payment could be cashed for too long.", hint=hint)

    async def _admitted(
        self, asked: Asked, offered: list[Way], payload: PaymentPayload, payment: Payment, way: Way
    ) -> Admitted | TurnedAway:
        try:
            await self._alone(payment.id)
        except Unavailable as busy:
            return turned_away(busy, 503, RETRY_S)
        to_work_on = False
        try:
            admitted = await self._taken(asked, payload, payment, way)
            to_work_on = admitted.stored is None
            return admitted
        except Conflict as replayed:
            return turned_away(replayed, 409)
        except Unavailable as later:
            return turned_away(later, 503, RETRY_S)
        except PenstockError as refused:
            return self._unpaid(asked, offered, refused.ids.get("reason") or refused.code)
        finally:
            if not to_work_on:
                self._done(payment.id)

    async def _taken(self, asked: Asked, payload: PaymentPayload, payment: Payment, way: Way) -> Admitted:
        """The payment's row taken or found again, and settled where it is not yet."""
        request = Request(way.price, asked.body_sha256, asked.url, asked.model)
        take = self.till.spend if payment.method is Method.SPEND else self.till.take
        row, _ = await take(payment, request)
        way = way.at(row.price)
        if row.state is State.ANSWERED:
            return _stored(row, way)
        if row.state in (State.REFUNDING, State.REFUNDED):
            raise Conflict("payment.refunded", "This payment went back to the payer.", hint="Sign a new payment.")
        if row.state is not State.PAID:
            row = await self._settled(row, payload, payment, way)
        self._rows[row.id] = row
        return _admitted(row, way, {"Penstock-Payment-Id": row.id.hex()})

    async def _alone(self, payment_id: bytes) -> None:
        """One at a time for each payment; a repeat waits for the first one's answer."""
        until = time.monotonic() + WORK_S
        while (working := self._working.get(payment_id)) is not None:
            try:
                await asyncio.wait_for(working.wait(), max(0.01, until - time.monotonic()))
            except TimeoutError:
                raise Unavailable(
                    "payment.in_work", "This payment's answer is being worked on.", hint="Send the same again."
                ) from None
        self._working[payment_id] = asyncio.Event()

    def _done(self, payment_id: bytes) -> None:
        self._rows.pop(payment_id, None)
        if working := self._working.pop(payment_id, None):
            working.set()

    async def _settled(self, row: Row, payload: PaymentPayload, payment: Payment, way: Way) -> Row:
        """Have it settled, and believe the chain.

        Raises:
            Refused: ``payment.refused`` with the facilitator's reason. Unavailable: ``payment.pending``.
        """
        answer = await self._asked_to_settle(payload, way)
        if answer and answer.success and (brought := await self._brought(answer, payment, way)) >= max(1, way.price):
            tx, told_again = bytes.fromhex(answer.transaction[2:]), self._hands.witness is not None
            return await self.till.paid(row.id, tx, brought, on_disk=not told_again)
        told = answer is not None and not answer.success and answer.error_reason != ERR_SETTLEMENT_PENDING
        found = await self._found_out(payment, patient=not told)
        if found.fate is Fate.PAID and found.amount >= way.price:
            return await self.till.paid(row.id, found.tx, found.amount)
        if found.fate is Fate.PAID:
            await self.till.paid(row.id, found.tx, found.amount)
            await self._refund(row.id, "settled for less than the price")
            raise Conflict("payment.refunded", "This payment went back to the payer.", hint="Sign a new payment.")
        reason = (answer.error_reason if answer else "") or "unsettled"
        if found.fate is Fate.VOID or (told and found.fate is Fate.UNUSED):
            await self.till.failed(row.id, reason)
            raise Refused("payment.refused", "The payment was not settled; nothing was charged.", reason=reason)
        hint = "Send the same payment again: it is charged once."
        raise Unavailable("payment.pending", "Whether the payment went through is not known yet.", hint=hint)

    async def _asked_to_settle(self, payload: PaymentPayload, way: Way) -> SettleResponse | None:
        """The facilitator's answer; None for silence, an error, or what cannot be one."""
        try:
            return await asyncio.wait_for(self._hands.facilitator.settle(payload, way.charged), self._settle_s)
        except Exception:  # whatever a facilitator does, the chain is asked next
            return None

    async def _brought(self, answer: SettleResponse, payment: Payment, way: Way) -> int:
        """What a yes is worth: 0 unless it is for this network, with a transaction that the chain knows to have paid
        us. More than the price is the payer's still."""
        tx = answer.transaction
        plausible = (
            answer.network == way.requirements.network
            and len(tx) == 66
            and tx.startswith("0x")
            and (answer.payer or "0x" + payment.payer.hex()).lower() == "0x" + payment.payer.hex()
            and (answer.amount or str(way.price)) == str(way.price)
        )
        if self._hands.witness is None or not plausible:
            return way.price if plausible else 0
        return await asyncio.to_thread(self._hands.witness.brought, payment, bytes.fromhex(tx[2:]))

    async def _found_out(self, payment: Payment, *, patient: bool) -> Found:
        """What the chain says; ``patient`` gives a payment that may be on its way some time to arrive."""
        until = time.monotonic() + (self._look_s if patient else 0.0)
        while (found := await self._look(payment)).fate is Fate.UNUSED and time.monotonic() < until:
            await asyncio.sleep(_LOOK_EVERY_S)
        return found

    async def _look(self, payment: Payment) -> Found:
        if self._hands.witness is None:
            return Found(Fate.UNKNOWN)
        return await asyncio.to_thread(self._hands.witness.look, payment, self._clock())

    # answering, and paying back

    async def _receipt(self, row: Row, spent: int) -> dict[str, str]:
        now_s, sign = self._clock() // 1_000_000, self._hands.sign
        network = f"eip155:{row.payment.chain_id}"
        signed = offers.receipt(sign, row.url, network, row.payment.payer, row.tx, now_s) if sign else None
        settled = SettleResponse(
            success=True, payer=written(row.payment.payer), network=network, amount=str(row.charged),
            transaction="0x" + row.tx.hex() if row.tx else "",
            extensions=offers.receipt_extension(signed) if signed else None,
        )  # fmt: skip
        headers = confirmed(settled) | {"Penstock-Payment-Id": row.id.hex()}
        if rest := row.charged - spent:
            headers["Penstock-Prepaid"] = str(rest)
        return headers

    async def _kept(self, row: Row, body: bytes, headers: dict[str, str], spent: int) -> None:
        try:
            await self.till.answered(row.id, body, json.dumps(headers), spent)
        finally:
            self._done(row.id)

    async def _refund(self, payment_id: bytes, why: str) -> None:
        """Dollars go back by a transaction where somebody can pay one, else into the payer's balance here."""
        row = await self.till.refunding(payment_id, why)
        if row.state is not State.REFUNDING:
            return
        if self._hands.payout is None or row.payment.method is Method.SPEND or row.charged == 0:
            await self.till.returned(payment_id, why)
            return
        reference = hashlib.sha256(b"refund" + payment_id).digest()
        try:
            tx = await asyncio.to_thread(
                self._hands.payout.pay, reference, row.payment.payer, row.payment.token, row.charged
            )
        except Unavailable:
            return  # it stays `refunding`, and the next sweep goes on with it
        except PenstockError:
            await self.till.returned(payment_id, why)
            return
        await self.till.refunded(payment_id, tx)

    def _unpaid(self, asked: Asked, offered: list[Way], why: str) -> TurnedAway:
        return unpaid(required(asked, offered, why, self._hands.sign, self._clock()))


def _admitted(row: Row, way: Way, headers: Mapping[str, str], stored: bytes | None = None) -> Admitted:
    payment = row.payment  # what is spent from a class of credits names the class where others name a transaction
    tx = payment.token if payment.method is Method.SPEND else row.tx or bytes(32)
    return Admitted(row.id, Scheme(payment.scheme), payment.payer, tx, way.worth_usdc_micro, headers, stored)


def _stored(row: Row, way: Way) -> Admitted:
    """The answer as it left. Raises Conflict ``payment.answer_gone`` where it is kept no longer."""
    if row.body is None:
        hint = "Sign a new payment for a new answer."
        raise Conflict("payment.answer_gone", "This payment was answered, and the answer is kept no longer.", hint=hint)
    return _admitted(row, way, json.loads(row.headers), row.body)
