"""The deal language: YAML text to a `Deal`. Every mistake is found and told at once, with its line and remedy.

``docs/deal-language.md`` is the reference; ``examples/deals/first.yaml`` the first example.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final, Literal, cast

from penstock.capital import quantity
from penstock.capital.acts import read_act
from penstock.capital.consistency import check
from penstock.capital.deal import Account, Act, Calendar, Deal, Fee, Level, Measure, Term, Test, Tranche
from penstock.capital.mistake import MalformedDeal
from penstock.capital.source import Place, Source, compose

_SECTIONS: Final = ("dollar", "report", "fees", "tests")
_REQUIRED: Final = ("deal", "calendar", "accounts", "tranches", "states", "waterfall")
_PAYS: Final = {"hourly": (3600, 0), "daily": (86400, 0), "weekly": (604800, 0), "monthly": (0, 1), "quarterly": (0, 3)}
_COUNTS: Final = ("act/365", "act/360", "30/360")
_UNITS: Final = ("Wh", "USDC", "tokens")
_TERM: Final = re.compile(r"(due|owed|balance|cash)\(([\w, ]+)\)")
_TIMES: Final = re.compile(r"([\d._]+) ?x ?(.+)")
_CURE: Final = re.compile(r"after (\d{1,2}) clean periods?")
_LEVEL: Final = re.compile(r"(below|above) ([\d._]+)")
MONEY_REMEDY: Final = "Write dollars, as in `600 USDC` or `1_000.50 USDC`."


def load_deal(text: str) -> Deal:
    """The deal a YAML text describes.

    Raises:
        MalformedDeal: ``deal.malformed`` with every mistake in ``mistakes``.
    """
    root = compose(text)
    source = Source()
    reader = _Reader(source)
    sections = source.mapping(root, _SECTIONS, _REQUIRED)
    if not sections.keys() >= set(_REQUIRED):
        raise MalformedDeal(source.mistakes)
    deal = reader.deal(sections)
    check(source, deal, sections)
    if source.mistakes:
        raise MalformedDeal(source.mistakes)
    return deal


class _Reader:
    """One method a section; wrong values are noted and read as harmless ones."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def deal(self, sections: dict[str, Place]) -> Deal:
        if "dollar" in sections and sections["dollar"].text != "USDC":
            self.source.wrong(sections["dollar"], "Deals are kept in USDC.", "Write `dollar: USDC`.")
        if not sections["deal"].text:
            self.source.wrong(sections["deal"], "The deal has no name.", "Write `deal: Its name`.")
        measures = self.measures(sections.get("report"))
        units = {measure.name: measure.unit for measure in measures}
        return Deal(
            name=sections["deal"].text,
            calendar=self.calendar(sections["calendar"]),
            measures=measures,
            accounts=tuple(self.account(name, at) for name, at in self.source.mapping(sections["accounts"]).items()),
            fees=tuple(self.fee(name, at, units) for name, at in self._optional(sections.get("fees")).items()),
            tranches=tuple(self.tranche(name, at) for name, at in self.source.mapping(sections["tranches"]).items()),
            tests=tuple(self.test(name, at) for name, at in self._optional(sections.get("tests")).items()),
            waterfalls=self.waterfalls(sections["states"], sections["waterfall"]),
        )

    def _optional(self, place: Place | None) -> dict[str, Place]:
        return {} if place is None else self.source.mapping(place)

    def calendar(self, place: Place) -> Calendar:
        at = self.source.mapping(place, ("grace",), ("pays", "starts"))
        step_s, months = 86400, 0
        if "pays" in at and self.source.known(at["pays"], at["pays"].text, _PAYS, "rhythm"):
            step_s, months = _PAYS[at["pays"].text]
        starts_s = self._instant(at["starts"], months) if "starts" in at else 0
        grace_s = quantity.duration(at["grace"].text) if "grace" in at else 0
        if grace_s is None:
            self.source.wrong(at["grace"], "This is no duration.", "Write `6 h`, `30 min` or `2 d`.")
        return Calendar(starts_s, step_s, months, grace_s or 0)

    def _instant(self, place: Place, months: int) -> int:
        try:
            when = datetime.fromisoformat(place.text)
        except ValueError:
            when = datetime(1, 1, 1)  # noqa: DTZ001 - refused below
        whole = when.tzinfo is not None and when.microsecond == 0
        seconds = int(when.timestamp()) if whole and 1971 < when.year < 9998 else -1
        if seconds < 0:
            remedy = "Write a time with its offset, as `2016-08-22T00:00:00-07:00`."
            self.source.wrong(place, "This is no instant.", remedy)
        elif months and datetime.fromtimestamp(seconds, tz=UTC).day > 28:
            self.source.wrong(place, "Months do not all have this day (in UTC).", "Start on the 28th or before.")
        return max(seconds, 0)

    def measures(self, place: Place | None) -> tuple[Measure, ...]:
        entries = self._optional(place)
        if place and len(entries) > 3:
            self.source.wrong(place, "A report has at most three measures.", "Combine them before they are attested.")
        for at in entries.values():
            self.source.known(at, at.text, _UNITS, "unit")
        return tuple(Measure(name, at.text) for name, at in entries.items())

    def account(self, name: str, place: Place) -> Account:
        at = self.source.mapping(place, ("target", "releases_to"))
        amount, times, term = 0, Fraction(0), None
        for part in at["target"].text.split("+") if "target" in at else []:
            if found := _TIMES.fullmatch(part.strip()):
                times, term = quantity.ratio(found[1]) or Fraction(0), self.term(at["target"], found[2])
            else:
                amount += self.money(at["target"], part.strip())
        return Account(name, amount, times, term, at["releases_to"].text if "releases_to" in at else "")

    def fee(self, name: str, place: Place, units: dict[str, str]) -> Fee:
        at = self.source.mapping(place, ("of",), ("amount",))
        if "amount" not in at:
            return Fee(name)
        if "of" not in at:
            return Fee(name, amount_usdc_micro=self.money(at["amount"], at["amount"].text))
        if at["of"].text == "inflow":
            return Fee(name, of_inflow=self.rate(at["amount"]))
        priced = quantity.tariff(at["amount"].text)
        unit = units.get(at["of"].text)
        if priced and unit and priced[1] != unit:
            self.source.wrong(at["amount"], f"`{at['of'].text}` is measured in {unit}.", f"Price it per {unit}.")
        if priced is None:
            self.source.wrong(at["amount"], "This is no tariff.", "Write `0.08 USDC per kWh` (or Wh, MWh, token).")
        return Fee(name, per_unit=priced[0] if priced else Fraction(0), measure=at["of"].text)

    def tranche(self, name: str, place: Place) -> Tranche:
        at = self.source.mapping(place, ("face", "rate", "count", "principal", "shortfall", "residual"))
        residual = "residual" in at and at["residual"].text == "true"
        if "residual" in at and at["residual"].text not in ("true", "false"):
            self.source.wrong(at["residual"], "A tranche is residual or not.", "Write `residual: true`.")
        for key in ("face", "rate") if not residual else ():
            if key not in at:
                self.source.wrong(place, f"`{key}` is missing.", f"Add `{key}:`, or `residual: true`.")
        count = self._choice(at.get("count"), _COUNTS, "day count")
        shortfall = self._choice(at.get("shortfall"), ("carry", "pik"), "rule for a shortfall")
        return Tranche(
            name,
            face_usdc_micro=self.money(at["face"], at["face"].text) if "face" in at else 0,
            rate=self.rate(at["rate"]) if "rate" in at else Fraction(0),
            count=cast(Literal["act/365", "act/360", "30/360"], count),
            principal_usdc_micro=self.money(at["principal"], at["principal"].text) if "principal" in at else 0,
            shortfall=cast(Literal["carry", "pik"], shortfall),
            residual=residual,
        )

    def _choice(self, place: Place | None, choices: tuple[str, ...], what: str) -> str:
        if place is not None and self.source.known(place, place.text, choices, what):
            return place.text
        return choices[0]

    def test(self, name: str, place: Place) -> Test:
        at = self.source.mapping(place, None, ("value", "against", "cure"))
        levels = [self.level(state, at[state]) for state in at if state not in _TEST_WORDS]
        cure = _CURE.fullmatch(at["cure"].text) if "cure" in at else None
        if "cure" in at and (not cure or int(cure[1]) > 15):
            self.source.wrong(at["cure"], "This is no cure rule.", "Write `after 1 clean period` (0 to 15).")
        return Test(
            name,
            value=self.term(at["value"], at["value"].text) if "value" in at else _NOTHING,
            against=self.term(at["against"], at["against"].text) if "against" in at else _NOTHING,
            levels=tuple(levels),
            cure=int(cure[1]) if cure else 0,
            stale=at["stale"].text if "stale" in at else "",
            sticky=at["sticky"].text if "sticky" in at else "",
        )

    def level(self, state: str, place: Place) -> Level:
        found = _LEVEL.fullmatch(place.text)
        bound = quantity.ratio(found[2]) if found else None
        if found and bound is not None:
            return Level(state, found[1] == "below", bound)
        self.source.wrong(place, "This is no level.", f"Write `{state}: below 1.20` or `{state}: above 0.75`.")
        return Level(state, True, Fraction(0))

    def term(self, place: Place, text: str) -> Term:
        if found := _TERM.fullmatch(text.strip()):
            names = tuple(name.strip() for name in found[2].split(","))
            return Term(cast(Literal["due", "owed", "balance", "cash"], found[1]), names)
        if re.fullmatch(r"\w+", text.strip()):
            return Term("measure", (text.strip(),))
        remedy = "Write a measure's name, `due(A)`, `owed(A)`, `balance(A, B)` or `cash(dsra)`."
        self.source.wrong(place, f"`{text}` cannot be compared.", remedy)
        return _NOTHING

    def waterfalls(self, states: Place, place: Place) -> tuple[tuple[str, tuple[Act, ...]], ...]:
        names = [at.text for at in self.source.items(states)]
        written = self.source.mapping(place)
        for name in names:
            if name not in written:
                self.source.wrong(states, f"State `{name}` has no waterfall.", f"Add `{name}:` to `waterfall:`.")
            if names.count(name) > 1:
                self.source.wrong(states, f"State `{name}` stands twice.", "Keep one of them.")
        for name, at in written.items():
            self.source.known(at, name, names, "state")
        acts = {name: tuple(self.acts(written[name])) for name in names if name in written}
        return tuple((name, acts.get(name, ())) for name in dict.fromkeys(names))

    def acts(self, place: Place) -> list[Act]:
        read = [read_act(self.source, at) for at in self.source.items(place)]
        return [act for act in read if act is not None]

    def money(self, place: Place, text: str) -> int:
        amount = quantity.money(text)
        if amount is None:
            negative = text.startswith("-")
            self.source.wrong(place, "Amounts are not negative." if negative else "This is no amount.", MONEY_REMEDY)
        return amount or 0

    def rate(self, place: Place) -> Fraction:
        share = quantity.percent(place.text)
        if share is None:
            self.source.wrong(place, "A rate lies between 0 and 100 % a year.", _rate_remedy(place.text))
        return share or Fraction(0)


_NOTHING: Final = Term("cash", ())
_TEST_WORDS: Final = ("value", "against", "cure", "stale", "sticky")


def _rate_remedy(text: str) -> str:
    """575 was most likely meant in basis points, 8 in percent."""
    number = quantity.ratio(text.replace("%", "").strip())
    if number is None:
        return "Write `5.75 %` or `0.0575`."
    meant = number / 100 if number > 100 else number
    return f"Write `{float(meant):g} %` if that is meant."
