"""Do the waterfalls hold together: each line names what exists, cash always finds a taker, everyone is paid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from penstock.capital.deal import Act, Deal, Term
from penstock.capital.reads import condition_terms
from penstock.capital.source import Place, Source
from penstock.capital.terms_known import TermsKnown

_TAKERS: Final = ("rest", "hold")
_OF_RESERVES: Final = ("fill", "release", "hold")


def check_waterfalls(source: Source, deal: Deal, at: Callable[..., Place], terms: TermsKnown) -> None:
    """Note every mistake of the waterfalls; ``at`` finds the place of a section and of names below it."""
    _Takers(source, deal, at, terms).run()


class _Takers:
    def __init__(self, source: Source, deal: Deal, at: Callable[..., Place], terms: TermsKnown) -> None:
        self.source, self.deal, self.at, self.terms = source, deal, at, terms
        self.quiet = Source()
        self.accounts = [account.name for account in deal.accounts]
        self.tranches = {tranche.name: tranche for tranche in deal.tranches}
        self.served = [fee.name for fee in deal.fees] + [hedge.name for hedge in deal.hedges]
        self.acts = [act for _, acts in deal.waterfalls for act in acts]

    def run(self) -> None:
        for state, acts in self.deal.waterfalls:
            self.waterfall(state, acts)
        self.everyone_paid()
        self.everything_drawn()
        self.nothing_held_for_ever()

    def waterfall(self, state: str, acts: tuple[Act, ...]) -> None:
        place = self.at("waterfall", state)
        lines = {item.line: item for item in self.quiet.items(place)}
        if not acts or not self.takes_all(acts[-1]):
            remedy = "End it with `pay E rest` or `hold rest in trap`, without a condition."
            self.source.wrong(place, f"The waterfall of `{state}` has no last taker.", remedy)
        for i, act in enumerate(acts):
            here = lines.get(act.line, place)
            if self.takes_all(act) and i < len(acts) - 1:
                self.source.wrong(here, f"Nothing is left after `{act}`.", "Move it to the end.")
            self.act(here, act)

    def takes_all(self, act: Act) -> bool:
        """Whether nothing that came in is left after it, whatever happens."""
        first = self.accounts[0] if self.accounts else ""
        return act.verb in _TAKERS and act.source in ("", first) and act.when is None and act.cap is None

    def act(self, place: Place, act: Act) -> None:
        if act.verb in _OF_RESERVES:
            self.reserve(place, act.names[0])
        elif act.verb == "rest":
            self.source.known(place, act.names[0], [*self.tranches, *self.served], "payee")
        elif act.verb == "draw":
            self.draw(place, act)
        elif act.verb in ("sweep", "write_off", "write_up"):
            self.balances(place, act)
        else:
            self.claims(place, act)
        if act.support:
            self.reserve(place, act.support)
        if act.source:
            self.source.known(place, act.source, self.accounts, "account")
        if act.source and act.source in (act.support, *(act.names if act.verb in _OF_RESERVES else ())):
            self.source.wrong(place, f"`{act.source}` would pay itself.", "Name two accounts.")
        self.limits(place, act)

    def limits(self, place: Place, act: Act) -> None:
        for term in (*([act.cap] if act.cap else []), *condition_terms(act.when)):
            self.terms.check(place, term)

    def reserve(self, place: Place, name: str) -> None:
        if self.source.known(place, name, self.accounts, "account") and name == self.accounts[0]:
            remedy = "Name another account, or drop the line."
            self.source.wrong(place, f"Cash arrives in `{name}`; it is no reserve.", remedy)

    def draw(self, place: Place, act: Act) -> None:
        name = act.names[0]
        if self.source.known(place, name, self.tranches, "tranche"):
            self.terms.check(place, Term("undrawn", (name,)))
        self.source.known(place, act.to, self.served, "payee")

    def balances(self, place: Place, act: Act) -> None:
        what = "swept" if act.verb == "sweep" else "written down or up"
        for name in act.names:
            known = self.source.known(place, name, [*self.tranches, *self.served], "payee")
            if known and (name not in self.tranches or self.tranches[name].residual or self.tranches[name].notional):
                remedy = "Name one, or `pay E rest`."
                self.source.wrong(place, f"Only a tranche with a face is {what}.", remedy)
        self.each_once(place, act)
        if act.side_by_side:
            self.neighbours(place, list(act.names))

    def each_once(self, place: Place, act: Act) -> None:
        if len(set(act.names)) < len(act.names):
            self.source.wrong(place, "A name stands twice in this line.", "Keep one of them.")

    def claims(self, place: Place, act: Act) -> None:
        for name in act.names:
            self.claim(place, name, act)
        self.each_once(place, act)
        if act.verb == "prorata":
            self.side_by_side(place, act)

    def claim(self, place: Place, name: str, act: Act) -> None:
        payee, dot, part = name.partition(".")
        if not dot and payee in self.tranches:
            remedy = f"Write `{payee}.interest` or `{payee}.principal`, or `pay {payee} rest`."
            self.source.wrong(place, f"`{name}` does not say what is paid.", remedy)
        elif not dot:
            if self.source.known(place, payee, [*self.served, *self.tranches], "payee"):
                self.handed(place, payee, act)
        elif self.source.known(place, payee, self.tranches, "tranche"):
            self.part(place, payee, part, act)

    def handed(self, place: Place, payee: str, act: Act) -> None:
        """Who is owed nothing by itself takes what the line says."""
        if act.cap is None and payee in self.owed_nothing:
            remedy = f"Write `pay {payee} up to purchases`, or any amount; or give the fee an `amount:`."
            self.source.wrong(place, f"`{payee}` is owed nothing by itself.", remedy)

    @property
    def owed_nothing(self) -> set[str]:
        return {
            fee.name
            for fee in self.deal.fees
            if not (fee.amount_usdc_micro or fee.measure or fee.of_inflow or fee.due or fee.base)
            and not self.quiet_amount(fee.name)
        }

    def quiet_amount(self, name: str) -> bool:
        """Whether the fee names an amount, be it 0."""
        return "amount" in self.quiet.mapping(self.at("fees", name))

    def part(self, place: Place, payee: str, part: str, act: Act) -> None:
        tranche = self.tranches[payee]
        if part not in ("interest", "principal"):
            self.source.wrong(place, f"There is no `{part}` to pay.", "Write `.interest` or `.principal`.")
        elif tranche.residual:
            self.source.wrong(place, f"The residual `{payee}` has no {part}.", f"Write `pay {payee} rest`.")
        elif part == "principal" and act.verb == "capitalise":
            self.source.wrong(place, "Only interest becomes principal.", f"Write `capitalise {payee}.interest`.")
        elif part == "principal" and not (tranche.principal_usdc_micro or tranche.principal):
            remedy = f"Give `{payee}` a `principal:`, or write `sweep {payee}`."
            self.source.wrong(place, f"`{payee}` has no scheduled principal.", remedy)
        elif act.verb == "capitalise" and tranche.notional:
            self.source.wrong(place, f"`{payee}` bears interest only; it has no balance.", "Pay its interest.")

    def side_by_side(self, place: Place, act: Act) -> None:
        parts = {name.partition(".")[2] for name in act.names}
        names = [name.partition(".")[0] for name in act.names]
        if len(parts) > 1:
            self.not_neighbours(place)
        else:
            self.neighbours(place, names)

    def neighbours(self, place: Place, names: list[str]) -> None:
        order = [tranche.name for tranche in self.deal.tranches if not tranche.residual]
        start = order.index(names[0]) if names[0] in order else 0
        if order[start : start + len(names)] != names:
            self.not_neighbours(place)

    def not_neighbours(self, place: Place) -> None:
        remedy = "Name one part of tranches in the order, and without gaps, in which they are declared."
        self.source.wrong(place, "These claims do not stand side by side.", remedy)

    def everyone_paid(self) -> None:
        paid = set(self._paid())
        named = {"fees": [fee.name for fee in self.deal.fees], "hedges": [hedge.name for hedge in self.deal.hedges]}
        for section, names in (named | {"tranches": list(self.tranches)}).items():
            for name in [name for name in names if name not in paid]:
                remedy = f"Add a line that pays `{name}`, or remove it."
                self.source.wrong(self.at(section, name), f"Nobody ever pays `{name}`.", remedy)

    def _paid(self) -> Iterator[str]:
        for act in self.acts:
            if act.verb in ("pay", "prorata", "rest", "sweep"):
                yield from (name.partition(".")[0] for name in act.names)
            elif act.verb == "draw":
                yield act.to

    def everything_drawn(self) -> None:
        drawn = {act.names[0] for act in self.acts if act.verb == "draw"}
        for tranche in self.deal.tranches:
            if tranche.commitment_usdc_micro and tranche.name not in drawn:
                remedy = f"Add `draw {tranche.name} from funding to builder up to milestone`, or write `face:`."
                place = self.at("tranches", tranche.name, "commitment")
                self.source.wrong(place, f"Nobody ever draws on `{tranche.name}`.", remedy)

    def nothing_held_for_ever(self) -> None:
        opened = {act.names[0] for act in self.acts if act.verb == "release"}
        opened |= {name for act in self.acts for name in (act.support, act.source)}
        filled = {act.names[0] for act in self.acts if act.verb in ("hold", "fill")}
        for name in sorted(filled - opened):
            if name in self.accounts:
                remedy = f"Add `release {name}` or `support {name}` to a waterfall."
                self.source.wrong(self.at("accounts", name), f"What `{name}` holds never leaves it.", remedy)
        released_to = {account.releases_to for account in self.deal.accounts}
        for name in self.accounts[1:]:
            if name not in opened | filled | released_to:
                remedy = f"Add `fill {name}`, or remove it."
                self.source.wrong(self.at("accounts", name), f"No line uses `{name}`.", remedy)
