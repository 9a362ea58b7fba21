"""Who may do what: acts by name, and the role that each takes."""

from __future__ import annotations

from typing import Final

from penstock.journal.kinds.account import Role

OPERATORS: Final = ("", "operator")
"""How the registry's operator is written in ``by``: whoever has the workspace's folder."""
ADMINISTER: Final = "administer"
"""The act that stands for all that administrators do."""
APPROVE: Final = "approve"
TRADES: Final = (
    "transfer", "reserve", "release", "claim", "retire", "export", "order", "lift", "lower", "charge", "discharge",
    "sell", "buy", "deliver", "settle", "credit",
)  # fmt: skip
"""What a trader does for an account."""
ROLE_FOR: Final = {**dict.fromkeys(TRADES, Role.TRADER), ADMINISTER: Role.ADMINISTRATOR, APPROVE: Role.APPROVER}
"""The role that each act takes; what is not named here, the registry's operator does."""
