"""Credits of the chain taken beside dollars: what holders ask for by ``Credit.request`` becomes a balance at the till.

A request stays put on the chain while the provider has its grace to deliver; spent here by signature, call by call,
then stated as delivered (`deliver`). What the chain refunds, because nothing was delivered, is taken from the balance.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from eth_utils.address import to_checksum_address

from penstock.chain.artefact import call_data, event, load_artefact, result
from penstock.chain.client import ChainClient, ChainLog, Receipt
from penstock.connect.x402.asking import CreditClass
from penstock.connect.x402.till import Till
from penstock.errors import Refused
from penstock.keys import ChainKey

TOKENS, MILLISECONDS, REQUESTS = 0, 1, 2
"""Units a class counts in, as the contract numbers them."""
_CREDIT: Final = "Credit"


def credit_class(client: ChainClient, contract: bytes, class_id: int, models: Collection[str]) -> CreditClass:
    """A class of the chain as a gate takes it.

    Raises:
        Refused: ``payment.unit`` for accelerator-milliseconds: what an answer takes of those is known only after it.
    """
    terms = _terms(client, contract, class_id)
    _, _, _, unit, each, price, *_ = terms
    if unit == MILLISECONDS:
        hint = "Take tokens or requests at this door."
        raise Refused("payment.unit", "Credits in milliseconds cannot be charged before the work.", hint=hint)
    return CreditClass(class_id.to_bytes(32, "big"), frozenset(models), unit == REQUESTS, price, each)


async def collect_requests(
    client: ChainClient, contract: bytes, provider: bytes, till: Till, first_block: int, last_block: int
) -> int:
    """Bring what was asked for, and what was refunded, in these blocks into the till; how many events counted.

    Each event counts once, however often its block is looked at.
    """
    counted = 0
    for log in client.logs(first_block, last_block, [contract]):
        found = event(load_artefact(_CREDIT), log.topics, log.data)
        if found and found[0] in ("Requested", "Refunded"):
            counted += await _counted(client, contract, provider, till, log, *found)
    return counted


def deliver(
    client: ChainClient, key: ChainKey, contract: bytes, class_id: bytes, holder: bytes, work_root: bytes
) -> Receipt:
    """State that the work a holder asked for is done, within the grace. Raises as `ChainClient.transact`."""
    number, account = int.from_bytes(class_id, "big"), to_checksum_address(holder)
    return client.transact(key, contract, call_data(load_artefact(_CREDIT), "deliver", number, account, work_root))


@dataclass(frozen=True, slots=True)
class RequestOnChain:
    """What a holder asked for: credits, when they are due (once delivered: from when that stands) [s], the root of the
    work stated (empty: none yet)."""

    credits: int
    due_s: int
    work_root: bytes


def request_of(client: ChainClient, contract: bytes, class_id: bytes, holder: bytes) -> RequestOnChain:
    """A holder's open request; 0 credits where there is none."""
    artefact, account = load_artefact(_CREDIT), to_checksum_address(holder)
    data = call_data(artefact, "request_of", int.from_bytes(class_id, "big"), account)
    amount, due_s, root = result(artefact, "request_of", client.call(contract, data))
    return RequestOnChain(amount, due_s, bytes(root) if any(root) else b"")


def settle(client: ChainClient, key: ChainKey, contract: bytes, class_id: bytes, holder: bytes) -> Receipt:
    """Have a delivery that stood its grace paid. Raises as `ChainClient.transact`."""
    number, account = int.from_bytes(class_id, "big"), to_checksum_address(holder)
    return client.transact(key, contract, call_data(load_artefact(_CREDIT), "settle", number, account))


async def _counted(
    client: ChainClient, contract: bytes, provider: bytes, till: Till, log: ChainLog, name: str, told: dict[str, Any]
) -> bool:
    terms = _terms(client, contract, told["id"])
    if bytes.fromhex(terms[0][2:]) != provider:
        return False
    units, holder = told["amount"] * terms[4], bytes.fromhex(told["holder"][2:])
    source = sha256(contract + log.tx_hash + log.log_index.to_bytes(8, "big")).digest()
    move = till.deposit if name == "Requested" else till.withdraw
    await move(source, holder, told["id"].to_bytes(32, "big"), units)
    return True


def _terms(client: ChainClient, contract: bytes, class_id: int) -> tuple[Any, ...]:
    """Provider, deal, SKU, unit, units a credit, price, collateral, expiry, grace."""
    artefact = load_artefact(_CREDIT)
    found = result(artefact, "terms_of", client.call(contract, call_data(artefact, "terms_of", class_id)))
    terms: tuple[Any, ...] = tuple(found[0])
    return terms
