"""What a term reads, looked through named amounts and through what falls due."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.capital.deal import Condition, Deal, Term

DUES = ("due", "owed", "interest", "principal", "payoff")
"""Kinds that contain what falls due in this period."""


def leaves(term: Term, deal: Deal) -> Iterator[Term]:
    """Every term within, amounts named looked up; an amount that reads itself is entered once."""
    amounts = {amount.name: amount.term for amount in deal.amounts}
    entered: set[str] = set()
    waiting = [term]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += one.parts
        for name in one.names if one.kind == "amount" else ():
            if name in amounts and name not in entered:
                entered.add(name)
                waiting.append(amounts[name])


def tranche_terms(deal: Deal, name: str) -> tuple[Term, ...]:
    """The amounts that tell what falls due on a tranche."""
    return tuple(
        term for one in deal.tranches if one.name == name for term in (one.notional, one.principal) if term is not None
    )


def dues_read(deal: Deal, term: Term) -> set[str]:
    """Tranches whose dues of this period the term reads."""
    return {name for leaf in leaves(term, deal) if leaf.kind in DUES for name in leaf.names}


def reads_report(deal: Deal, term: Term) -> bool:
    """Whether a measure decides it, a floating rate or a notional on the way included."""
    floating = {one.name for one in deal.tranches if one.floating}
    waiting, entered = [term], set[str]()
    while waiting:
        one = waiting.pop()
        if any(leaf.kind in ("measure", "was", "total") for leaf in leaves(one, deal)):
            return True
        for name in dues_read(deal, one) - entered:
            if name in floating:
                return True
            entered.add(name)
            waiting += tranche_terms(deal, name)
    return False


def condition_terms(condition: Condition | None) -> tuple[Term, ...]:
    """Both sides."""
    return (condition.left, condition.right) if condition else ()
