"""What a deal's terms read: which lanes they need, what changes while a waterfall runs, what a late report touches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Final

from penstock.capital.deal import Act, Deal, Term
from penstock.errors import Refused

_MOVING: Final = frozenset(("owed", "interest", "principal", "balance", "undrawn", "written", "payoff", "cash", "paid"))


@dataclass(frozen=True, slots=True)
class Used:
    """Names whose lanes a deal needs: tranches written off and up again, measures as they were, and their totals."""

    written: frozenset[str]
    was: frozenset[str]
    total: frozenset[str]


def used(deal: Deal) -> Used:
    """Gather them from every term and line. Rates that float remember their last fixing."""
    terms = [term for root in terms_of(deal) for term in parts_of(root)]
    acts = [act for _, acts in deal.waterfalls for act in acts]
    rates = {hedge.receives for hedge in deal.hedges}
    rates |= {note.floating.index for note in deal.tranches if note.floating}
    return Used(
        written=_named(terms, "written") | _tranches(acts, "write_up"),
        was=_named(terms, "was") | frozenset(rates),
        total=_named(terms, "total"),
    )


def _named(terms: list[Term], kind: str) -> frozenset[str]:
    return frozenset(name for term in terms if term.kind == kind for name in term.names)


def _tranches(acts: list[Act], verb: str) -> frozenset[str]:
    return frozenset(name for act in acts if act.verb == verb for name in act.names)


def terms_of(value: object) -> Iterator[Term]:
    """Every outermost term below a value of the deal."""
    if isinstance(value, Term):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from terms_of(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from terms_of(getattr(value, field.name))


def parts_of(term: Term) -> Iterator[Term]:
    """The term and all it is made of."""
    yield term
    for part in term.parts:
        yield from parts_of(part)


def inlined(term: Term, amounts: Mapping[str, Term], above: tuple[str, ...] = ()) -> Term:
    """The term with named amounts replaced by what they stand for.

    Raises:
        Refused: ``program.circular_amount``.
    """
    if term.kind == "amount":
        name = term.names[0]
        if name in above:
            circle = " -> ".join((*above[above.index(name) :], name))
            hint = "Let one of them be an amount of its own."
            raise Refused("program.circular_amount", f"Amounts follow from each other: {circle}.", hint=hint)
        return inlined(amounts[name], amounts, (*above, name))
    if not term.parts:
        return term
    parts = tuple(inlined(part, amounts, above) for part in term.parts)
    return Term(term.kind, term.names, term.value, term.ratio, parts)


def moves(term: Term) -> bool:
    """Whether a waterfall changes it while it runs: then it is computed at each line anew."""
    return any(part.kind in _MOVING for part in parts_of(term))


def reads_report(term: Term) -> bool:
    """Whether it rests on this period's report, which may be missing."""
    return any(part.kind == "measure" for part in parts_of(term))


def falling(term: Term, *, sign: bool = True) -> frozenset[str]:
    """Measures whose fall makes the term fall (``sign``), or rise (not ``sign``)."""
    if term.kind == "measure":
        return frozenset(term.names) if sign else frozenset()
    if term.kind == "less":
        return falling(term.parts[0], sign=sign) | falling(term.parts[1], sign=not sign)
    return frozenset(name for part in term.parts for name in falling(part, sign=sign))
