"""Withdraw: holders took their income on chain; what the chain says they took becomes one fact and one segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from penstock.errors import Corrupt
from penstock.journal.fact import Entry
from penstock.journal.formats import WITHDRAWALS
from penstock.journal.kinds.capital import IncomeWithdrawn
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import Column, Segment
from penstock.usecases.world import World

WALLETS = "wallets"
"""The world outside where dollars leave to: an external account."""


def tranche_account(deal: str, tranche: str) -> str:
    """Dollars that wait in a tranche until its holders take them."""
    return f"{deal}/tranche/{tranche}"


def taken_by(events: Sequence[Mapping[str, Any]], names: Mapping[bytes, str]) -> dict[str, int]:
    """What each holder took, by name [micro-dollars], from a tranche's ``Withdrawn`` events.

    Raises:
        Corrupt: ``withdraw.unknown_holder`` for an account that was never admitted here.
    """
    taken: dict[str, int] = {}
    for event in events:
        holder = bytes.fromhex(str(event["holder"]).removeprefix("0x"))
        if holder not in names:
            raise Corrupt(
                "withdraw.unknown_holder", "An account took income that holds nothing here.", account=holder.hex()
            )
        taken[names[holder]] = taken.get(names[holder], 0) + int(event["amount"])
    return taken


def record_withdrawals(
    world: World, deal: str, tranche: str, source: str, shares: Mapping[str, int], taken: Mapping[str, int]
) -> list[Entry]:
    """One fact of all who took income from ``source``, in order of their accounts, without those who took nothing."""
    numbered = sorted((world.books.accounts.id_of(name), name) for name, amount in taken.items() if amount)
    columns: dict[str, Column] = {
        "holder": np.array([number for number, _ in numbered], dtype=np.int32),
        "shares": np.array([shares[name] for _, name in numbered], dtype=np.int64),
        "paid_usdc_micro": np.array([taken[name] for _, name in numbered], dtype=np.int64),
    }
    total = int(columns["paid_usdc_micro"].sum())
    transfers = (Transfer(source, WALLETS, total, "income taken"),) if total else ()
    world.books.check_transfers(transfers)
    segment = Segment(WITHDRAWALS, columns)
    return [Entry(IncomeWithdrawn(segment.ref(), deal, tranche, transfers), segment)]
