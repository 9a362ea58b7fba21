"""The gate of a provider that takes payments: its till in its folder, a facilitator by its address, a chain to ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from web3 import HTTPProvider

from penstock.chain.client import ChainClient
from penstock.connect.x402.asking import Terms
from penstock.connect.x402.gate import Hands, PaymentGate
from penstock.connect.x402.payment import address
from penstock.connect.x402.remote import RemoteFacilitator
from penstock.connect.x402.till import Till
from penstock.errors import Invalid
from penstock.usecases.facilitate import ChainWitness
from penstock.usecases.provider.offer import Offer

TILL: Final = "till.sqlite"
_EIP155: Final = "eip155:"
_CHAIN_S: Final = 10


def open_gate(offer: Offer, folder: Path, facilitator: str, rpc: str, clock: Callable[[], int]) -> PaymentGate:
    """A gate that takes what ``offer`` says; ``rpc`` is the chain that tells what became of a payment.

    Raises:
        Invalid: ``provider.offer`` for terms of payment that are none; as `RemoteFacilitator`.
        Unavailable: as `Till`; ``payment.facilitator`` where it does not answer.
    """
    settles = RemoteFacilitator(facilitator)
    terms = terms_of(offer, _account(settles))
    client = ChainClient(HTTPProvider(rpc, request_kwargs={"timeout": _CHAIN_S}))
    return PaymentGate(terms, Till(folder / TILL, clock), Hands(settles, ChainWitness(client)), clock)


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
