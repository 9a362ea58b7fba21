"""The gate of a provider that takes payments: its till in its folder, a facilitator by its address, a chain to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final

from web3 import HTTPProvider

from penstock.chain.client import ChainClient
from penstock.connect.x402.asking import CreditClass, Terms
from penstock.connect.x402.gate import Hands, PaymentGate
from penstock.connect.x402.offers import Sign, by_account, by_key
from penstock.connect.x402.payment import address
from penstock.connect.x402.remote import RemoteFacilitator
from penstock.connect.x402.settlements import Settlements
from penstock.connect.x402.till import Till
from penstock.errors import Invalid
from penstock.keys import ChainKey, SigningKey
from penstock.usecases.facilitate import ChainOfPayments, ChainPayout, ChainWitness
from penstock.usecases.provider.credit_desk import CreditDesk
from penstock.usecases.provider.offer import Offer
from penstock.usecases.take_credits import credit_class

TILL: Final = "till.sqlite"
REFUNDS: Final = "refunds.sqlite"
_EIP155: Final = "eip155:"
_CHAIN_S: Final = 10


def open_gate(offer: Offer, folder: Path, facilitator: str, rpc: str, clock: Callable[[], int]) -> PaymentGate:
    """A gate that takes what ``offer`` says; ``rpc`` is the chain that tells what became of a payment. Raises as
    `open_till`.
    """
    return open_till(offer, folder, facilitator, rpc, clock).gate


class OpenedTill(AbstractContextManager["OpenedTill"]):
    """A gate, the desk for credits of the chain where the offer takes any, and what both stand on, open.

    ``refunds`` says where dollars of work that failed go: back on the chain, or into the payer's balance here.
    """

    def __init__(self, gate: PaymentGate, credits_at: CreditDesk | None, book: Settlements | None) -> None:
        self.gate, self.credits, self._book = gate, credits_at, book

    @property
    def refunds(self) -> str:
        """In words."""
        return "on the chain" if self._book else "kept as the payer's balance here"

    def close(self) -> None:
        """Give the files back; harmless when repeated."""
        self.gate.till.close()
        if self._book:
            self._book.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def open_till(
    offer: Offer,
    folder: Path,
    facilitator: str,
    rpc: str,
    clock: Callable[[], int],
    *,
    models: Sequence[str] = (),
    key: ChainKey | None = None,
    work_key: SigningKey | None = None,
) -> OpenedTill:
    """A provider's till. ``key`` is its account on the chain: it pays refunds, states credits as delivered, and signs
    offers and receipts where it is the payee; else ``work_key`` signs them (JWS, its public key as ``kid``).

    Raises:
        Invalid: ``provider.offer`` for terms of payment that are none; as `RemoteFacilitator`.
        Refused: ``payment.unit``. Unavailable: as `Till`; ``payment.facilitator`` where it does not answer.
    """
    settles = RemoteFacilitator(facilitator)
    client = ChainClient(HTTPProvider(rpc, request_kwargs={"timeout": _CHAIN_S}))
    contract, classes = _credits(offer, client, models)
    terms = replace(terms_of(offer, _account(settles)), credits=classes)
    book = Settlements(folder / REFUNDS, clock) if key else None
    payout = ChainPayout(ChainOfPayments(client, key, clock), book) if key and book else None
    hands = Hands(settles, ChainWitness(client), payout, _sign(terms, key, work_key))
    gate = PaymentGate(terms, Till(folder / TILL, clock), hands, clock)
    desk = CreditDesk(client, contract, terms.pay_to, gate.till, classes, key, offer.credit_from_block)
    return OpenedTill(gate, desk if classes else None, book)


def _sign(terms: Terms, key: ChainKey | None, work_key: SigningKey | None) -> Sign | None:
    if key and key.address == terms.pay_to:
        return by_account(key)
    return by_key(work_key, work_key.public.hex()) if work_key else None


def _credits(offer: Offer, client: ChainClient, models: Sequence[str]) -> tuple[bytes, tuple[CreditClass, ...]]:
    """The contract and the classes that an offer takes."""
    if not offer.credit_classes:
        return b"", ()
    if not all(one.isdecimal() for one in offer.credit_classes):
        raise Invalid("provider.offer", "credit_classes are numbers, as the contract has them.", field="credit_classes")
    contract = address(offer.credit_contract, "credit_contract")
    return contract, tuple(credit_class(client, contract, int(one), models) for one in offer.credit_classes)


def terms_of(offer: Offer, facilitator: bytes = b"") -> Terms:
    """An offer's terms of payment. Raises Invalid ``provider.offer``."""
    chain = offer.network.removeprefix(_EIP155)
    if not offer.network.startswith(_EIP155) or not chain.isdecimal():
        raise Invalid("provider.offer", "network is a chain as in eip155:1.", field="network")
    return Terms(
        chain_id=int(chain),
        asset=address(offer.asset, "asset"),
        asset_name=offer.asset_name,
        asset_version=offer.asset_version,
        pay_to=address(offer.pay_to, "pay_to"),
        facilitator=facilitator,
        schemes=offer.schemes,
    )


def _account(settles: RemoteFacilitator) -> bytes:
    """The account that may settle ``upto``: the first signer that the facilitator names."""
    signers = settles.get_supported().signers or {}
    first = next((one for several in signers.values() for one in several), "")
    return address(first, "facilitator") if first else b""
