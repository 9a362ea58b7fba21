"""Are the names of a term declared, and have they what the term asks of them."""

from __future__ import annotations

from typing import Final

from penstock.capital.deal import Deal, Term
from penstock.capital.source import Place, Source, suggest

_BALANCES: Final = ("principal", "balance", "face", "written", "payoff", "undrawn")


class TermsKnown:
    """Notes what is wrong with the names of terms."""

    def __init__(self, source: Source, deal: Deal) -> None:
        self.source, self.deal = source, deal
        self.tranches = {tranche.name: tranche for tranche in deal.tranches}
        self.accounts = [account.name for account in deal.accounts]
        self.measures = [measure.name for measure in deal.measures]
        columns, amounts = [one.name for one in deal.schedule], [one.name for one in deal.amounts]
        self.bare = [*self.measures, *columns, *amounts]

    def check(self, place: Place, term: Term) -> None:
        """The term and its parts."""
        for name in term.names:
            self.name(place, term.kind, name)
        for part in term.parts:
            self.check(place, part)

    def name(self, place: Place, kind: str, name: str) -> None:
        if kind in ("column", "amount"):
            return  # read as such because it is one
        if kind == "measure" and name not in self.measures:
            self.source.wrong(place, f"There is no measure `{name}`.", suggest(name, self.bare))
        elif kind in ("was", "total"):
            self.source.known(place, name, self.measures, "measure")
        elif kind == "cash":
            self.source.known(place, name, self.accounts, "account")
        elif kind == "paid":
            self.source.known(place, name, self.deal.payees, "payee")
        elif kind != "measure" and self.source.known(place, name, self.tranches, "tranche"):
            self.tranche(place, kind, name)

    def tranche(self, place: Place, kind: str, name: str) -> None:
        tranche = self.tranches[name]
        if tranche.residual:
            self.source.wrong(place, f"Nothing is due to the residual `{name}`.", "Name tranches with a face.")
        elif tranche.notional and kind in _BALANCES:
            self.source.wrong(place, f"`{name}` bears interest only; it has no balance.", "Name another tranche.")
        elif kind == "undrawn" and not tranche.commitment_usdc_micro:
            self.source.wrong(place, f"`{name}` has no commitment to draw.", f"Give `{name}` a `commitment:`.")
