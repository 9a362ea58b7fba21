"""A week's closed periods as figures: dollars by payee, what reserves gave, the debt service cover ratio."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from penstock.capital.deal import Deal
from penstock.cli.demo.sunshine import OFFSET_US
from penstock.period import from_us, parse_iso

ORDER: Final = ("roofs", "servicer", "A", "dsra", "B", "trap", "E")
"""Payees in the order of seniority; those of another deal follow in the order they were first paid."""
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Paid:
    """One closed day [micro-dollars]: collected, paid by payee, and of that drawn from reserves.

    ``cover`` is the reported cash flow over what the senior tranche was due, or None without a report.
    """

    day: str
    state: str
    inflow: int
    by_payee: dict[str, int]
    from_reserves: dict[str, int]
    cover: float | None
    signed: int

    @property
    def word(self) -> str:
        """The state in a word for people."""
        return "lock-up" if self.state == "lockup" else self.state


def days_paid(periods: list[dict[str, Any]], collect: str, senior: str) -> list[Paid]:
    """Every closed day; ``collect`` is where cash arrives, ``senior`` the tranche the cover is tested against."""
    return [_paid(one, collect, senior) for one in periods]


def payees(days: list[Paid]) -> list[str]:
    """Who was ever paid, in the order of seniority."""
    named = dict.fromkeys(name for day in days for name in day.by_payee)
    return [name for name in ORDER if name in named] + [name for name in named if name not in ORDER]


def paid_at_all(days: list[Paid]) -> list[str]:
    """Those of the payees who were paid anything."""
    return [name for name in payees(days) if any(day.by_payee.get(name) for day in days)]


def floor_of(deal: Deal) -> float | None:
    """The ratio below which the deal's first test locks distributions up."""
    bounds = [level.bound for test in deal.tests for level in test.levels if level.below]
    return float(bounds[0]) if bounds else None


def local_day(text: str, days: int = 0) -> str:
    """``Mon 22 Aug``: the local day of an instant, moved by ``days``."""
    when = from_us(parse_iso(text) + OFFSET_US) + timedelta(days=days)
    return f"{_DAYS[when.weekday()]} {when.day:2d} {_MONTHS[when.month - 1]}"


def _paid(one: dict[str, Any], collect: str, senior: str) -> Paid:
    by_payee: dict[str, int] = {}
    from_reserves: dict[str, int] = {}
    for step in one["steps"]:
        source, target = _short(step["source"]), _short(step["target"])
        if target == collect:
            continue
        by_payee[target] = by_payee.get(target, 0) + step["paid_usdc_micro"]
        if source != collect:
            from_reserves[target] = from_reserves.get(target, 0) + step["paid_usdc_micro"]
    return Paid(
        day=local_day(one["stop"], -1),
        state=one["state"],
        inflow=one["inflow_usdc_micro"],
        by_payee=by_payee,
        from_reserves={name: paid for name, paid in from_reserves.items() if paid},
        cover=_cover(one, collect, senior),
        signed=one["quorum"],
    )


def _cover(one: dict[str, Any], collect: str, senior: str) -> float | None:
    due = sum(
        step["due_usdc_micro"]
        for step in one["steps"]
        if _short(step["target"]) == senior and _short(step["source"]) == collect
    )
    return one["measures"][1] / due if due and len(one["measures"]) > 1 else None


def _short(account: str) -> str:
    return account.rsplit("/", 1)[-1]
