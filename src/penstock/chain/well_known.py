"""Contracts that wallets and payment clients expect at one address on every chain, and our own code that answers there.

On a public chain the originals stand at these addresses already; the embedded chain starts with compatible ones
(``contracts/Permit.vy`` and the others), so that clients which know nothing of it work unmodified.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from penstock.chain.artefact import load_artefact

PERMIT2: Final = bytes.fromhex("000000000022d473030f116ddee9f6b43ac78ba3")
EXACT_PAYMENT: Final = bytes.fromhex("402085c248eea27d92e8b30b2c58ed07f9e20001")
UPTO_PAYMENT: Final = bytes.fromhex("4020a4f3b7b90cca423b9fabcc0ce57c6c240002")
MULTICALL3: Final = bytes.fromhex("ca11bde05977b3631167028862be2a173976ca11")

PLACES: Final[Mapping[bytes, str]] = MappingProxyType(
    {PERMIT2: "Permit", EXACT_PAYMENT: "ExactPayment", UPTO_PAYMENT: "UptoPayment", MULTICALL3: "Calls"}
)
"""Address -> the contract of ours that stands there."""


def well_known_code() -> dict[bytes, bytes]:
    """Address -> runtime code of every contract of `PLACES`; none has immutables, so the code is whole as shipped."""
    return {place: load_artefact(name).runtime for place, name in PLACES.items()}
