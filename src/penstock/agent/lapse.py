"""Payments that went out and were never answered: the chain says what became of them, once their time is over."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

from penstock.agent.chain_link import ChainLink
from penstock.agent.mandate import CREDIT
from penstock.agent.spender import Spender, word
from penstock.agent.spending import SIGNED, Book, Payment
from penstock.agent.wallet import EXACT_TYPE, PERMIT, UPTO_TYPE
from penstock.errors import PenstockError
from penstock.period import SECOND_US

MARGIN_US: Final = 60 * SECOND_US
"""So long past its time a payment is looked up: blocks that could hold it are mined by then [us]."""


def lapse(book: Book, link: ChainLink, payer: str, spender: Spender | None = None) -> list[tuple[int, str]]:
    """Look up what is out and past its time by the chain's clock: paid after all, or void and the budget's again.

    Raises as `ChainLink.ask`; what was looked up by then stays so.
    """
    now_us = link.time_us()
    done = []
    for payment in book.payments():
        if payment.state == SIGNED and payment.valid_before_us + MARGIN_US <= now_us:
            done.append((payment.number, _looked_up(book, link, payer, spender, payment)))
    return done


def _looked_up(book: Book, link: ChainLink, payer: str, spender: Spender | None, payment: Payment) -> str:
    if _used(link, payer, payment):
        book.settle(payment.number, payment.counted_usdc_micro, "")
        book.note(payment.number, "paid by the chain's word; its answer was never taken")
        return "paid"
    if spender is not None:
        try:
            spender.release(*struct_of(payment.header))
        except PenstockError as error:  # the contract keeps it counted, which is the safe side
            book.note(payment.number, f"not released: {error.code}")
    book.void(payment.number, "past its time and unused, by the chain's word")
    return "void"


def _used(link: ChainLink, payer: str, payment: Payment) -> bool:
    if payment.scheme == CREDIT:
        return True  # no chain tells what a till took: it stays counted
    if payment.scheme == "exact":
        nonce = word(payment.nonce if payment.nonce.startswith("0x") else "0x" + payment.nonce)
        (used,) = link.read(payment.asset, "authorizationState(address,bytes32)", [payer.lower(), nonce], ["bool"])
        return bool(used)
    number = int(payment.nonce)
    signature = "nonceBitmap(address,uint256)"
    (bits,) = link.read(PERMIT, signature, [payer.lower(), number >> 8], ["uint256"])
    return bool(int(bits) >> (number & 255) & 1)


def struct_of(header: str) -> tuple[str, Mapping[str, Any]]:
    """The struct that a kept payment signed, by name and fields."""
    payload = json.loads(b64decode(header))["payload"]
    if "authorization" in payload:
        return EXACT_TYPE, payload["authorization"]
    return UPTO_TYPE, payload["permit2Authorization"]
