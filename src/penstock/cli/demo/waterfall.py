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
NORMAL: Final = "normal"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Paid:
    """One closed day [micro-dollars]: collected, paid by payee, and of that drawn from reserves.

    ``covers`` is each test's ratio by its name, or None where nothing was reported; ``cover`` is the first of them.
    """

    day: str
    state: str
    inflow: int
    by_payee: dict[str, int]
    from_reserves: dict[str, int]
    covers: dict[str, float | None]
    signed: int

    @property
    def cover(self) -> float | None:
        """The deal's first test: cash flow over what the senior tranche was due."""
        return next(iter(self.covers.values()), None)

    @property
    def word(self) -> str:
        """The state in a word for people."""
        return word_of(self.state)


def word_of(state: str) -> str:
    """A state in a word for people."""
    return "lock-up" if state == "lockup" else state


def by_state(days: list[Paid]) -> dict[str, list[str]]:
    """The days that were not normal, by state."""
    found: dict[str, list[str]] = {}
    for day in days:
        if day.state != NORMAL:
            found.setdefault(day.state, []).append(day.day)
    return found


def tripped(pay: dict[str, Any]) -> str:
    """In one sentence what the covenants did, and how the same deal does otherwise."""
    days = days_paid(pay["periods"], pay["collect"])
    lowest = {name: min((day.covers[name] or 0.0 for day in days), default=0.0) for name in pay["floors"]}
    told = ", ".join(f"{name} {lowest[name]:.2f} against {bound:.2f}" for name, (bound, _) in pay["floors"].items())
    if not by_state(days):
        return f"none tripped, at the lowest {told}; cloudy and with cheap rents: penstock demo"
    ended = "and cured" if days[-1].state == NORMAL else "and not cured by its end"
    otherwise = "none would in a median week: penstock demo --weather median --rents median"
    return f"tripped {ended}, at the lowest {told}; {otherwise}"


def history_rows(pay: dict[str, Any], days: list[Paid]) -> list[tuple[Paid, dict[str, int]]]:
    """Each day with its mark and what the servicer matched."""
    return list(zip(days, pay["collected"], strict=True))


def days_paid(periods: list[dict[str, Any]], collect: str) -> list[Paid]:
    """Every closed day; ``collect`` is where cash arrives."""
    return [_paid(one, collect) for one in periods]


def payees(days: list[Paid]) -> list[str]:
    """Who was ever paid, in the order of seniority."""
    named = dict.fromkeys(name for day in days for name in day.by_payee)
    return [name for name in ORDER if name in named] + [name for name in named if name not in ORDER]


def paid_at_all(days: list[Paid]) -> list[str]:
    """Those of the payees who were paid anything."""
    return [name for name in payees(days) if any(day.by_payee.get(name) for day in days)]


def floors_of(deal: Deal) -> dict[str, tuple[float, str]]:
    """Of each test the ratio below which it asks for a state, and which; of several the first it meets."""
    found = {test.name: [level for level in test.levels if level.below] for test in deal.tests}
    return {name: (float(levels[0].bound), levels[0].state) for name, levels in found.items() if levels}


def local_day(text: str, days: int = 0) -> str:
    """``Mon 22 Aug``: the local day of an instant, moved by ``days``."""
    when = from_us(parse_iso(text) + OFFSET_US) + timedelta(days=days)
    return f"{_DAYS[when.weekday()]} {when.day:2d} {_MONTHS[when.month - 1]}"


def _paid(one: dict[str, Any], collect: str) -> Paid:
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
        covers={name: None if ratio is None else ratio / 10**6 for name, ratio in one["ratios"].items()},
        signed=one["quorum"],
    )


def _short(account: str) -> str:
    return account.rsplit("/", 1)[-1]
