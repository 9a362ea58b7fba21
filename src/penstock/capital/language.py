"""The deal language: YAML text to a `Deal`. Every mistake is found and told at once, with its line and remedy.

``docs/deal-language.md`` is the reference; ``examples/deals/first.yaml`` the first example.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

from penstock.capital.acts import read_act
from penstock.capital.calendar_words import read_calendar
from penstock.capital.claim_words import read_account, read_fee, read_hedge
from penstock.capital.consent_words import read_pool, read_vote
from penstock.capital.consistency import check
from penstock.capital.covenant_words import read_call, read_test
from penstock.capital.deal import Act, Amount, Calendar, Column, Deal, Measure, Term
from penstock.capital.expression import SCALES, Names
from penstock.capital.mistake import MalformedDeal
from penstock.capital.reader import Reader
from penstock.capital.schedule import column
from penstock.capital.source import Place, Source, compose
from penstock.capital.tranche_words import read_tranche

SECTIONS: Final = ("dollar", "report", "schedule", "amounts", "fees", "hedges", "tests", "calls", "votes", "pool")
REQUIRED: Final = ("deal", "calendar", "accounts", "tranches", "states", "waterfall")
MEASURE: Final = ("of", "over")
MEASURES_MAX: Final = 6
AMOUNTS_MAX: Final = 32
ENTRIES_MAX: Final = 64
NAME_MAX: Final = 100
OVER_MAX: Final = 120
SIZE_MAX: Final = 200
_WORD: Final = re.compile(r"[A-Za-z]\w*")


def load_deal(text: str) -> Deal:
    """The deal a YAML text describes.

    Raises:
        MalformedDeal: ``deal.malformed`` with every mistake in ``mistakes``.
    """
    root = compose(text)
    source = Source()
    sections = source.mapping(root, SECTIONS, REQUIRED)
    if not sections.keys() >= set(REQUIRED):
        raise MalformedDeal(source.mistakes)
    deal = _Sections(Reader(source), sections).deal()
    check(source, deal, sections)
    if source.mistakes:
        raise MalformedDeal(source.mistakes)
    return deal


class _Sections:
    """One method a section that has no file of its own."""

    def __init__(self, reader: Reader, sections: dict[str, Place]) -> None:
        self.reader, self.source, self.sections = reader, reader.source, sections

    def deal(self) -> Deal:
        self.title()
        calendar, measures = read_calendar(self.reader, self.sections["calendar"]), self.measures()
        self.reader.names = Names({measure.name: measure.unit for measure in measures})
        schedule = self.schedule(calendar)
        amounts = self.amounts()
        reader = self.reader
        return Deal(
            name=self.sections["deal"].text,
            calendar=calendar,
            measures=measures,
            schedule=schedule,
            amounts=amounts,
            accounts=tuple(read_account(reader, name, at) for name, at in self.entries("accounts")),
            fees=tuple(read_fee(reader, name, at) for name, at in self.entries("fees")),
            hedges=tuple(read_hedge(reader, name, at) for name, at in self.entries("hedges")),
            tranches=tuple(read_tranche(reader, name, at, calendar) for name, at in self.entries("tranches")),
            tests=tuple(read_test(reader, name, at) for name, at in self.entries("tests")),
            calls=tuple(read_call(reader, name, at) for name, at in self.entries("calls")),
            waterfalls=self.waterfalls(self.sections["states"], self.sections["waterfall"]),
            votes=tuple(read_vote(reader, kind, at) for kind, at in self.entries("votes")),
            pool=read_pool(reader, self.sections["pool"]) if "pool" in self.sections else None,
        )

    def entries(self, section: str) -> list[tuple[str, Place]]:
        """What a section names; of one longer than any deal's nothing, since each is held against every other."""
        found = list(self.reader.entries(self.sections.get(section)).items())
        if len(found) > ENTRIES_MAX and section != "amounts":
            message = f"A section has at most {ENTRIES_MAX} entries."
            self.source.wrong(self.sections[section], message, "Join some; no chain could hold so many.")
            return []
        return found

    def title(self) -> None:
        if "dollar" in self.sections and self.sections["dollar"].text != "USDC":
            self.source.wrong(self.sections["dollar"], "Deals are kept in USDC.", "Write `dollar: USDC`.")
        name = self.sections["deal"].text
        if not name:
            self.source.wrong(self.sections["deal"], "The deal has no name.", "Write `deal: Its name`.")
        elif not name.isprintable() or len(name) > NAME_MAX:
            remedy = f"Write at most {NAME_MAX} characters that can be seen."
            self.source.wrong(self.sections["deal"], "This is no name for a deal.", remedy)

    def measures(self) -> tuple[Measure, ...]:
        entries = self.entries("report")
        if len(entries) > MEASURES_MAX:
            message = f"A report has at most {MEASURES_MAX} measures."
            self.source.wrong(self.sections["report"], message, "Combine them before they are attested.")
        return tuple(self.measure(name, at) for name, at in entries)

    def measure(self, name: str, place: Place) -> Measure:
        """Its unit; or its unit, what it is of, and over how many periods."""
        at = self.source.mapping(place, MEASURE, ("unit",)) if place.is_mapping else {"unit": place}
        unit = at["unit"].text if "unit" in at and self._unit(at["unit"]) else ""
        over = self.reader.whole(at["over"], 1, OVER_MAX, "number of periods") if "over" in at else 1
        return Measure(name, unit, at["of"].text if "of" in at else "", over)

    def _unit(self, place: Place) -> bool:
        return self.source.known(place, place.text, SCALES, "unit")

    def schedule(self, calendar: Calendar) -> tuple[Column, ...]:
        columns: dict[str, Column] = {}
        for name, at in self.entries("schedule"):
            columns[name] = column(self.source, at, name, calendar, columns)
            self.reader.names.columns[name] = columns[name].unit
        return tuple(columns.values())

    def amounts(self) -> tuple[Amount, ...]:
        """In an order in which each stands after those it reads, so that units are known."""
        entries = dict(self.entries("amounts"))
        if len(entries) > AMOUNTS_MAX:
            self.source.wrong(self.sections["amounts"], f"A deal has at most {AMOUNTS_MAX} amounts.", "Join some.")
            return ()
        self.reader.names.amounts |= dict.fromkeys(entries, "")
        found: dict[str, Amount] = {}
        sizes: dict[str, int] = {}
        for name in self._ordered(entries):
            term, self.reader.names.amounts[name] = self.reader.amount(entries[name])
            sizes[name] = _size(term, sizes)
            if sizes[name] > SIZE_MAX:
                message = f"With all it reads, `{name}` has more than {SIZE_MAX} parts."
                self.source.wrong(entries[name], message, "Attest it as a measure, or make it simpler.")
                sizes[name] = 1
            found[name] = Amount(name, term)
        return tuple(found[name] for name in entries if name in found)

    def _ordered(self, entries: dict[str, Place]) -> list[str]:
        reads = {name: [one for one in _WORD.findall(at.text) if one in entries] for name, at in entries.items()}
        try:
            return list(TopologicalSorter(reads).static_order())
        except CycleError as error:
            circle = error.args[1]
            message = f"Amounts read each other in a circle: {' -> '.join(circle)}."
            self.source.wrong(entries[circle[0]], message, "Let one of them read measures or balances instead.")
            return []

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
        read = [read_act(self.reader, at) for at in self.source.items(place)]
        return [act for act in read if act is not None]


def _size(term: Term, sizes: Mapping[str, int]) -> int:
    """Parts of a term with the amounts it names written out: doubling names must not double the program without end."""
    named = sizes.get(term.names[0], 1) if term.kind == "amount" else 1
    return named + sum(_size(part, sizes) for part in term.parts)
