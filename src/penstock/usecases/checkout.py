"""Checkout: credits on chain - a class with collateral, bought by signed authorisation, redeemed by receipt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from penstock.chain.typed_data import (
    Authorization,
    credit_domain,
    dollar_domain,
    purchase_nonce,
    receipt_message,
    receive_message,
    sign_typed,
)
from penstock.journal.kinds.compute import CreditsOffered
from penstock.journal.words import Unit
from penstock.keys import ChainKey
from penstock.period import SECOND_US
from penstock.usecases.chain_desk import ChainDesk

AUTHORISED_S: Final = 3_600
"""How long a buyer's authorisation stays good [s of the wall clock]."""
GRACE_S: Final = 86_400
"""How long a provider has for work asked for on chain, where its offer names no grace [s]."""
UNITS: Final = {Unit.TOKENS: 0, Unit.MS: 1, Unit.REQUESTS: 2}
"""Units as ``Credit`` counts them."""


@dataclass(frozen=True, slots=True)
class CreditClass:
    """A class on chain: its number, price a credit [micro-dollars], collateral a credit [micro-dollars]."""

    class_id: int
    price_usdc_micro: int
    collateral_usdc_micro: int


def open_class(
    desk: ChainDesk, terms: CreditsOffered, deal: bytes, collateral_usdc_micro: int, *, mints: bool = True
) -> CreditClass:
    """Register the class with its capacity, revenue to ``deal``, all collateral posted; resumable.

    The collateral is minted where the desk ``mints`` the test dollar; else the provider has it.
    """
    posted = terms.capacity_credits * collateral_usdc_micro
    name, on_chain = terms.credit_class, chain_terms(desk.address, deal, terms, collateral_usdc_micro)
    if mints:
        desk.act(f"collateral:{name}", "Dollar", "mint", desk.address, posted)
    desk.act(f"allow:{name}", "Dollar", "approve", desk.contract("Credit").address, posted)
    desk.act(f"open:{name}", "Credit", "open", on_chain, terms.capacity_credits, posted)
    class_id: int = desk.view("Credit", "id_of", on_chain)
    return CreditClass(class_id, terms.price_usdc_micro, collateral_usdc_micro)


def chain_terms(
    provider: bytes, deal: bytes, terms: CreditsOffered, collateral_usdc_micro: int
) -> tuple[bytes, bytes, bytes, int, int, int, int, int, int]:
    """The terms of a class as ``Credit`` takes and hashes them."""
    sku = hashlib.sha256(terms.model.encode()).digest()
    each = (UNITS[terms.unit], terms.units_per_credit, terms.price_usdc_micro, collateral_usdc_micro)
    grace_s = terms.grace_us // SECOND_US or GRACE_S
    return (provider, deal, sku, *each, terms.expires_us // SECOND_US, grace_s)


def buy(desk: ChainDesk, key: str, of: CreditClass, buyer: ChainKey, count: int, now_s: int) -> None:
    """The buyer signs an ERC-3009 authorisation for exactly these credits; the desk relays it. Once per ``key``."""
    salt = hashlib.sha256(f"buy:{key}".encode()).digest()
    payment = Authorization(
        payer=_hex(buyer.address),
        payee=_hex(desk.contract("Credit").address),
        amount_usdc_micro=count * of.price_usdc_micro,
        valid_after_s=0,
        valid_before_s=now_s + AUTHORISED_S,
        nonce=purchase_nonce(of.class_id, count, salt),
    )
    domain = dollar_domain(desk.identity.chain_id, _hex(desk.contract("Dollar").address))
    signature = sign_typed(buyer.secret, receive_message(domain, payment))
    window = (payment.valid_after_s, payment.valid_before_s)
    desk.act(f"buy:{key}", "Credit", "buy", of.class_id, count, buyer.address, *window, salt, tuple(signature))


def redeem_by_receipt(
    desk: ChainDesk, key: str, of: CreditClass, buyer: ChainKey, count: int, work_root: bytes
) -> None:
    """The buyer signs for delivered work; the provider redeems, and the dollars reach the deal. Once per ``key``."""
    salt = hashlib.sha256(f"redeem:{key}".encode()).digest()
    domain = credit_domain(desk.identity.chain_id, _hex(desk.contract("Credit").address))
    message = receipt_message(domain, of.class_id, _hex(buyer.address), count, work_root, salt)
    signature = sign_typed(buyer.secret, message)
    args = (of.class_id, count, buyer.address, work_root, salt, tuple(signature))
    desk.act(f"redeem:{key}", "Credit", "redeem_signed", *args)


def _hex(address: bytes) -> str:
    return "0x" + address.hex()
