"""Does the deal hold together: names declared, everyone paid, cash that always finds a taker. Notes every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from penstock.capital.deal import Act, Deal, Term, Test
from penstock.capital.source import Place, Source

STATES_MAX: Final = 8
TESTS_MAX: Final = 6


def check(source: Source, deal: Deal, sections: Mapping[str, Place]) -> None:
    """Note every way in which the sections contradict each other."""
    _Check(source, deal, sections).run()


class _Check:
    def __init__(self, source: Source, deal: Deal, sections: Mapping[str, Place]) -> None:
        self.source, self.deal, self.sections = source, deal, sections
        self.quiet = Source()  # to look places up again without telling their mistakes twice
        self.accounts = {account.name for account in deal.accounts}
        self.tranches = {tranche.name: tranche for tranche in deal.tranches}
        self.fees = {fee.name for fee in deal.fees}
        self.measures = {measure.name: measure.unit for measure in deal.measures}

    def run(self) -> None:
        self.counts()
        self.distinct_names()
        for account in self.deal.accounts:
            if account.term:
                self.term(self.at("accounts", account.name, "target"), account.term)
        self.releases()
        self.fee_measures()
        self.day_counts()
        for test in self.deal.tests:
            self.test(test)
        for state, acts in self.deal.waterfalls:
            self.waterfall(state, acts)
        self.everyone_paid()
        self.nothing_held_for_ever()

    def at(self, section: str, *names: str) -> Place:
        """The place of a section, or of what the names lead to below it, as far as it goes."""
        place = self.sections[section]
        for name in names:
            place = self.quiet.mapping(place).get(name, place)
        return place

    def counts(self) -> None:
        counts = {"states": len(self.deal.states), "tests": len(self.deal.tests)}
        for section, most in (("states", STATES_MAX), ("tests", TESTS_MAX)):
            if counts[section] > most:
                self.source.wrong(self.at(section), f"A deal has at most {most} {section}.", "Join some of them.")
        counts |= {"accounts": len(self.accounts), "tranches": len(self.tranches)}
        for section in ("accounts", "tranches", "states"):
            if not counts[section]:
                self.source.wrong(self.at(section), f"There are no {section}.", "Declare at least one.")

    def distinct_names(self) -> None:
        seen: dict[str, str] = {}
        for section, names in (
            ("report", self.measures),
            ("accounts", self.accounts),
            ("fees", self.fees),
            ("tranches", self.tranches),
        ):
            for name in sorted(names):
                if name in seen:
                    remedy = "Rename one; a name has one meaning."
                    self.source.wrong(self.at(section, name), f"`{name}` is also in `{seen[name]}`.", remedy)
                seen[name] = section

    def releases(self) -> None:
        target = {account.name: account.releases_to for account in self.deal.accounts if account.releases_to}
        for name, to in target.items():
            if not self.source.known(self.at("accounts", name, "releases_to"), to, self.accounts, "account"):
                continue
            path = [name]
            while path[-1] in target and target[path[-1]] not in path:
                path.append(target[path[-1]])
            if target.get(path[-1]) == name:
                circle = " -> ".join([*path, name])
                remedy = "Let one of them release to the first account."
                self.source.wrong(self.at("accounts", name), f"Accounts release in a circle: {circle}.", remedy)

    def fee_measures(self) -> None:
        for fee in self.deal.fees:
            if fee.measure:
                self.source.known(self.at("fees", fee.name, "of"), fee.measure, self.measures, "measure")

    def day_counts(self) -> None:
        for tranche in self.deal.tranches:
            if tranche.count == "30/360" and not self.deal.calendar.months:
                remedy = "Count act/365 or act/360, or pay monthly."
                self.source.wrong(self.at("tranches", tranche.name, "count"), "30/360 counts whole months.", remedy)

    def term(self, place: Place, term: Term) -> None:
        known = {"measure": self.measures, "cash": self.accounts}.get(term.kind, self.tranches)
        what = {"measure": "measure", "cash": "account"}.get(term.kind, "tranche")
        for name in term.names:
            self.source.known(place, name, known, what)
            if name in self.tranches and self.tranches[name].residual:
                self.source.wrong(place, f"Nothing is due to the residual `{name}`.", "Name tranches with a face.")

    def test(self, test: Test) -> None:
        place = self.at("tests", test.name)
        self.term(self.at("tests", test.name, "value"), test.value)
        self.term(self.at("tests", test.name, "against"), test.against)
        for level in test.levels:
            self.source.known(self.at("tests", test.name, level.state), level.state, self.deal.states, "state")
        for key, state in (("stale", test.stale), ("sticky", test.sticky)):
            if state:
                self.source.known(self.at("tests", test.name, key), state, self.deal.states, "state")
        reads = "measure" in (test.value.kind, test.against.kind)
        if not test.levels:
            self.source.wrong(place, "The test asks for no state.", "Add a level, as `lockup: below 1.20`.")
        if reads and not test.stale:
            remedy = "Add `stale: lockup`: the state to hold without a fresh report."
            self.source.wrong(place, "The test reads the report but has no rule for a stale one.", remedy)
        if test.stale and test.stale == test.sticky:
            remedy = "Choose a state that a fresh report can cure."
            place = self.at("tests", test.name, "stale")
            self.source.wrong(place, "A missing report must not put the deal into a state for ever.", remedy)

    def waterfall(self, state: str, acts: tuple[Act, ...]) -> None:
        place = self.at("waterfall", state)
        if not acts or acts[-1].verb not in ("rest", "hold"):
            remedy = "End it with `pay E rest` or `hold rest in trap`."
            self.source.wrong(place, f"The waterfall of `{state}` has no last taker.", remedy)
        for i, act in enumerate(acts):
            here = self.line(place, act)
            if act.verb in ("rest", "hold") and i < len(acts) - 1:
                self.source.wrong(here, f"Nothing is left after `{act}`.", "Move it to the end.")
            self.act(here, act)

    def line(self, place: Place, act: Act) -> Place:
        return next((item for item in self.quiet.items(place) if item.line == act.line), place)

    def act(self, place: Place, act: Act) -> None:
        if act.verb in ("fill", "release", "hold"):
            self.reserve(place, act.names[0])
        elif act.verb in ("rest", "sweep"):
            self.source.known(place, act.names[0], {**self.tranches, **dict.fromkeys(self.fees)}, "payee")
            if act.verb == "sweep" and (act.names[0] not in self.tranches or self.tranches[act.names[0]].residual):
                self.source.wrong(place, "Only a tranche with a face is swept.", "Name one, or `pay E rest`.")
        else:
            for name in act.names:
                self.claim(place, name)
            self.side_by_side(place, act)
        if act.support:
            self.reserve(place, act.support)

    def reserve(self, place: Place, name: str) -> None:
        if self.source.known(place, name, self.accounts, "account") and name == self.deal.accounts[0].name:
            remedy = "Name another account, or drop the line."
            self.source.wrong(place, f"Cash arrives in `{name}`; it is no reserve.", remedy)

    def claim(self, place: Place, name: str) -> None:
        payee, _, part = name.partition(".")
        if not part and payee in self.tranches:
            remedy = f"Write `{payee}.interest` or `{payee}.principal`, or `pay {payee} rest`."
            self.source.wrong(place, f"`{name}` does not say what is paid.", remedy)
        elif not part:
            self.source.known(place, payee, [*self.fees, *self.tranches], "payee")
        elif self.source.known(place, payee, self.tranches, "tranche"):
            if part not in ("interest", "principal"):
                self.source.wrong(place, f"There is no `{part}` to pay.", "Write `.interest` or `.principal`.")
            elif self.tranches[payee].residual:
                self.source.wrong(place, f"The residual `{payee}` has no {part}.", f"Write `pay {payee} rest`.")
            elif part == "principal" and not self.tranches[payee].principal_usdc_micro:
                remedy = f"Give `{payee}` a `principal:`, or write `sweep {payee}`."
                self.source.wrong(place, f"`{payee}` has no scheduled principal.", remedy)

    def side_by_side(self, place: Place, act: Act) -> None:
        if act.verb != "prorata":
            return
        parts = {name.partition(".")[2] for name in act.names}
        names = [name.partition(".")[0] for name in act.names]
        order = [tranche.name for tranche in self.deal.tranches if not tranche.residual]
        start = order.index(names[0]) if names[0] in order else 0
        if len(parts) > 1 or order[start : start + len(names)] != names:
            remedy = "Name one part of tranches in the order, and without gaps, in which they are declared."
            self.source.wrong(place, "These claims do not stand side by side.", remedy)

    def everyone_paid(self) -> None:
        paid = set(self._paid())
        for section, names in (("fees", self.fees), ("tranches", set(self.tranches))):
            for name in sorted(names - paid):
                remedy = f"Add a line that pays `{name}`, or remove it."
                self.source.wrong(self.at(section, name), f"Nobody ever pays `{name}`.", remedy)

    def _paid(self) -> Iterator[str]:
        for _, acts in self.deal.waterfalls:
            for act in acts:
                if act.verb in ("pay", "prorata", "rest", "sweep"):
                    yield from (name.partition(".")[0] for name in act.names)

    def nothing_held_for_ever(self) -> None:
        acts = [act for _, acts in self.deal.waterfalls for act in acts]
        opened = {act.names[0] for act in acts if act.verb == "release"} | {act.support for act in acts}
        for name in sorted({act.names[0] for act in acts if act.verb in ("hold", "fill")} - opened):
            if name in self.accounts:
                remedy = f"Add `release {name}` or `support {name}` to a waterfall."
                self.source.wrong(self.at("accounts", name), f"What `{name}` holds never leaves it.", remedy)
        used = opened | {act.names[0] for act in acts if act.verb in ("hold", "fill")}
        for account in self.deal.accounts[1:]:
            if account.name not in used and account.name not in {one.releases_to for one in self.deal.accounts}:
                remedy = f"Add `fill {account.name}`, or remove it."
                self.source.wrong(self.at("accounts", account.name), f"No line uses `{account.name}`.", remedy)
