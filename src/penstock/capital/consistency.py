"""Does the deal hold together: names declared once, nothing in circles, every state reached. Notes every mistake.

The lines of the waterfalls are checked in ``takers``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Final

from penstock.capital.acts import CLAUSES
from penstock.capital.covenant_words import TEST
from penstock.capital.deal import Call, Deal, Term, Test, Tranche
from penstock.capital.expression import FUNCTIONS
from penstock.capital.measure_names import DEFINED, STANDING
from penstock.capital.reads import condition_terms, dues_read, reads_report, tranche_terms
from penstock.capital.source import Place, Source
from penstock.capital.takers import check_waterfalls
from penstock.capital.terms_known import TermsKnown

STATES_MAX: Final = 8
TESTS_MAX: Final = 6
COLUMNS_MAX: Final = 11
_NAMED: Final = ("report", "schedule", "amounts", "accounts", "fees", "hedges", "tranches")
_RESERVED: Final = {"x", "period", "inflow", "min", "max", "rest", *" ".join(CLAUSES).split()}


def check(source: Source, deal: Deal, sections: Mapping[str, Place]) -> None:
    """Note every way in which the sections contradict each other."""
    found = _Check(source, deal, sections)
    found.run()
    check_waterfalls(source, deal, found.at, found.terms)


class _Check:
    def __init__(self, source: Source, deal: Deal, sections: Mapping[str, Place]) -> None:
        self.source, self.deal, self.sections = source, deal, sections
        self.quiet = Source()  # to look places up again without telling their mistakes twice
        self.terms = TermsKnown(source, deal)
        self.measures = {measure.name: measure.unit for measure in deal.measures}

    def run(self) -> None:
        self.counts()
        self.distinct_names()
        self.definitions()
        self.amounts()
        self.releases()
        self.fees_and_hedges()
        for tranche in self.deal.tranches:
            self.tranche(tranche)
        self.circular_dues()
        for test in self.deal.tests:
            self.test(test)
        for call in self.deal.calls:
            self.call(call)
        self.states_reached()
        self.votes()

    def at(self, section: str, *names: str) -> Place:
        """The place of a section, or of what the names lead to below it, as far as it goes."""
        place = self.sections[section]
        for name in names:
            place = self.quiet.mapping(place).get(name, place)
        return place

    def term(self, term: Term | None, section: str, *names: str) -> None:
        if term is not None:
            self.terms.check(self.at(section, *names), term)

    def counts(self) -> None:
        counts = {"states": len(self.deal.states), "tests": len(self.deal.tests) + len(self.deal.calls)}
        counts["schedule"] = len(self.deal.schedule)
        limits = {
            "states": (STATES_MAX, "states"),
            "tests": (TESTS_MAX, "tests, calls included"),
            "schedule": (COLUMNS_MAX, "schedules"),
        }
        for section, (most, what) in limits.items():
            if counts[section] > most:
                place = self.at(section if section in self.sections else "calls")
                self.source.wrong(place, f"A deal has at most {most} {what}.", "Join some of them.")
        counts |= {"accounts": len(self.deal.accounts), "tranches": len(self.deal.tranches)}
        for section in ("accounts", "tranches", "states"):
            if not counts[section]:
                self.source.wrong(self.at(section), f"There are no {section}.", "Declare at least one.")

    def named(self, sections: Iterable[str]) -> list[tuple[str, str]]:
        return [
            (section, name)
            for section in sections
            if section in self.sections
            for name in self.quiet.mapping(self.sections[section])
        ]

    def distinct_names(self) -> None:
        for sections in (_NAMED, ("tests", "calls")):
            seen: dict[str, str] = {}
            for section, name in self.named(sections):
                if name in seen:
                    remedy = "Rename one; a name has one meaning."
                    self.source.wrong(self.at(section, name), f"`{name}` is also in `{seen[name]}`.", remedy)
                seen[name] = section
        for section, name in self.named(_NAMED):
            if name in _RESERVED or (section == "amounts" and name in FUNCTIONS):
                self.source.wrong(self.at(section, name), f"`{name}` is a word of the language.", "Rename it.")
        for state in self.deal.states:
            if state in TEST:
                self.source.wrong(self.at("states"), f"`{state}` is a word of a test.", "Rename the state.")

    def definitions(self) -> None:
        """Every measure is one that attesters recompute; a rate follows the mark of its name."""
        for measure in self.deal.measures:
            of, place = measure.of or measure.name, self.at("report", measure.name)
            if measure.over > 1 and (measure.unit == "rate" or of in STANDING):
                message = f"`{of}` says how things stand; it has no sum over periods."
                self.source.wrong(self.at("report", measure.name, "over"), message, "Drop `over`.")
            if measure.unit in ("", "rate"):
                continue
            if of not in DEFINED:
                remedy = f"Say what it is, as `{measure.name}: {{unit: USDC, of: cfads}}`: {', '.join(DEFINED)}."
                self.source.wrong(place, f"Nothing defines the measure `{of}`.", remedy)
            elif DEFINED[of] != measure.unit:
                self.source.wrong(place, f"`{of}` is in {DEFINED[of]}.", f"Write `{DEFINED[of]}`.")

    def amounts(self) -> None:
        for amount in self.deal.amounts:
            self.term(amount.term, "amounts", amount.name)
        for account in self.deal.accounts:
            self.term(account.target, "accounts", account.name, "target")

    def releases(self) -> None:
        target = {account.name: account.releases_to for account in self.deal.accounts if account.releases_to}
        accounts = [account.name for account in self.deal.accounts]
        for name, to in target.items():
            if not self.source.known(self.at("accounts", name, "releases_to"), to, accounts, "account"):
                continue
            path = [name]
            while path[-1] in target and target[path[-1]] not in path:
                path.append(target[path[-1]])
            if target.get(path[-1]) == name:
                circle = " -> ".join([*path, name])
                remedy = "Let one of them release to the first account."
                self.source.wrong(self.at("accounts", name), f"Accounts release in a circle: {circle}.", remedy)

    def fees_and_hedges(self) -> None:
        for fee in self.deal.fees:
            if fee.measure:
                self.source.known(self.at("fees", fee.name, "of"), fee.measure, self.measures, "measure")
            self.term(fee.due, "fees", fee.name, "amount")
            self.term(fee.base, "fees", fee.name, "of")
            if fee.base is not None and fee.count == "30/360":
                self.whole_months("fees", fee.name)
        for hedge in self.deal.hedges:
            self.term(hedge.notional, "hedges", hedge.name, "notional")
            if hedge.count == "30/360":
                self.whole_months("hedges", hedge.name)

    def whole_months(self, section: str, name: str) -> None:
        if not self.deal.calendar.months:
            remedy = "Count act/365 or act/360, or pay monthly."
            self.source.wrong(self.at(section, name, "count"), "30/360 counts whole months.", remedy)

    def tranche(self, tranche: Tranche) -> None:
        self.term(tranche.notional, "tranches", tranche.name, "notional")
        self.term(tranche.principal, "tranches", tranche.name, "principal")
        if tranche.count == "30/360":
            self.whole_months("tranches", tranche.name)
        place = self.at("tranches", tranche.name, "legal_final")
        if 0 < tranche.legal_final_s <= self.deal.calendar.start_s:
            self.source.wrong(place, "The legal final lies before the deal's start.", "Write a later date.")

    def circular_dues(self) -> None:
        """What falls due on a tranche must not follow from what falls due on it."""
        tranches = [tranche.name for tranche in self.deal.tranches]
        reads = {
            name: {one for term in tranche_terms(self.deal, name) for one in dues_read(self.deal, term)}
            for name in tranches
        }
        try:
            TopologicalSorter(reads).prepare()
        except CycleError as error:
            circle = error.args[1]
            message = f"What falls due runs in a circle: {' -> '.join(circle)}."
            self.source.wrong(self.at("tranches", circle[0]), message, "Read a balance instead.")

    def test(self, test: Test) -> None:
        place = self.at("tests", test.name)
        self.term(test.value, "tests", test.name, "value")
        self.term(test.against, "tests", test.name, "against")
        condition = condition_terms(test.only_if)
        for term in condition:
            self.term(term, "tests", test.name, "only_if")
        for level in test.levels:
            self.source.known(self.at("tests", test.name, level.state), level.state, self.deal.states, "state")
        for key, state in (("stale", test.stale), ("sticky", test.sticky)):
            if state:
                self.source.known(self.at("tests", test.name, key), state, self.deal.states, "state")
        if not test.levels:
            self.source.wrong(place, "The test asks for no state.", "Add a level, as `lockup: below 1.20`.")
        self.levels_in_order(test)
        self.stale(test, any(reads_report(self.deal, term) for term in (test.value, test.against, *condition)))

    def levels_in_order(self, test: Test) -> None:
        """Of two states a test asks for by the same comparison, the worse needs the worse ratio."""
        states = self.deal.states
        for below in (True, False):
            levels = [level for level in test.levels if level.below == below and level.state in states]
            levels.sort(key=lambda level: states.index(level.state))
            for milder, worse in pairwise(levels):
                if worse.bound != milder.bound and (worse.bound > milder.bound) == below:
                    message = f"`{worse.state}` is worse than `{milder.state}`, yet asked for sooner."
                    self.source.wrong(self.at("tests", test.name, worse.state), message, "Swap the two bounds.")

    def stale(self, test: Test, reads: bool) -> None:
        place = self.at("tests", test.name)
        if reads and not test.stale:
            remedy = "Add `stale: lockup`: the state to hold without a fresh report."
            self.source.wrong(place, "The test reads the report but has no rule for a stale one.", remedy)
        known = set(self.deal.states) >= {test.stale, test.sticky}
        if known and self.deal.states.index(test.stale) >= self.deal.states.index(test.sticky):
            remedy = "Choose a state that a fresh report can cure."
            place = self.at("tests", test.name, "stale")
            self.source.wrong(place, "A missing report must not put the deal into a state for ever.", remedy)

    def call(self, call: Call) -> None:
        for term in condition_terms(call.when):
            self.term(term, "calls", call.name, "when")
        self.term(call.price, "calls", call.name, "price")
        place = self.at("calls", call.name, "state")
        if self.source.known(place, call.state, self.deal.states, "state") and call.state == self.deal.states[0]:
            self.source.wrong(place, f"`{call.state}` is the normal state.", "Give the call a state of its own.")

    def states_reached(self) -> None:
        reached = {level.state for test in self.deal.tests for level in test.levels}
        reached |= {test.stale for test in self.deal.tests} | {call.state for call in self.deal.calls}
        for state in self.deal.states[1:]:
            if state not in reached:
                remedy = f"Add a level, as `{state}: below 1.05`, or drop the state."
                self.source.wrong(self.at("states"), f"Nothing leads to the state `{state}`.", remedy)

    def votes(self) -> None:
        tranches = [tranche.name for tranche in self.deal.tranches]
        for vote in self.deal.votes:
            place = self.at("votes", vote.kind, "classes")
            for name in vote.classes:
                self.source.known(place, name, tranches, "tranche")
            if not vote.classes or len(set(vote.classes)) < len(vote.classes):
                self.source.wrong(place, "Name the classes that vote, each once.", "Write `classes: [A, B]`.")
