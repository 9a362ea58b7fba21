"""What a measure can be: definitions that attesters recompute from facts, each with its unit."""

from __future__ import annotations

from typing import Final

DEFINED: Final[dict[str, str]] = {
    "energy": "Wh",
    "answers": "tokens",
    "cfads": "USDC",
    "revenue": "USDC",
    "interest": "USDC",
    "principal": "USDC",
    "recoveries": "USDC",
    "losses": "USDC",
    "collections": "USDC",
    "pool": "USDC",
    "delinquent": "USDC",
    "defaulted": "USDC",
    "borrowing_base": "USDC",
    "value": "USDC",
    "purchases": "USDC",
    "milestone": "USDC",
}
"""Definitions by name. A measure of unit rate follows the mark of that name instead, whichever it is."""
STANDING: Final = frozenset(("pool", "delinquent", "defaulted", "value", "borrowing_base"))
"""Those that say how things stand at a period's end; only what flows during a period can look back over several."""
