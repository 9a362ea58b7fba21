"""Supply: the evidence that units were issued, and - where they left a storage - of the charge they came from.

A storage's charge was claimed by certificates of the same interval, so the way on leads through links of *claim*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from penstock.journal.kinds.energy import SpansLinked, TitlesIssued, TitlesMoved
from penstock.journal.kinds.exchange import CertificatesImported
from penstock.journal.kinds.storage import EfficiencyStated, StorageCharged, StorageDischarged, StorageRegistered
from penstock.journal.words import LinkKind, Right, Technology, TitleState
from penstock.span import Span
from penstock.trace.evidence import Issue, Part, Place, Stored, Supply, missing
from penstock.trace.search import Search

IMPORTED: Final = "import/"
"""How the registers of certificates from other registries are named."""


def supply_of(search: Search, part: Part) -> Supply:
    """A link of *allocate* or *claim* and what stands behind its source. NotFound ``bundle.evidence_missing``."""
    register = search.value(part.place, "source")
    start = search.value(part.place, "source_start") + part.start - search.value(part.place, "target_start")
    span = Span(start, start + part.stop - part.start)
    issue = issue_of(search, register, span)
    claim = search.covering(TitlesMoved, _is_claim, register, span, "claim")
    return Supply(part, claim, issue)


def _is_claim(fact: TitlesMoved) -> bool:
    return fact.right is Right.ATTRIBUTE and fact.state is TitleState.CLAIMED


def issue_of(search: Search, register: int, span: Span) -> Issue:
    """The title over a span as it was issued. Raises as `supply_of`."""
    title = search.covering(TitlesIssued, lambda fact: fact.right is Right.ATTRIBUTE, register, span, "title")
    if search.books.registers.urn(register).startswith(IMPORTED):
        row = search.covering(CertificatesImported, lambda _: True, register, search.span(title), "foreign certificate")
        return Issue(title, None, None, row, ())
    fact = search.at(TitlesIssued, title[0])
    stored = _stored(search, register, span) if has_origin(fact) else ()
    return Issue(title, *search.around(register, *interval_of(search, title)), None, tuple(stored))


def has_origin(fact: TitlesIssued) -> bool:
    """Whether a certificate left a storage and looks through to an origin: what has none is called a battery's."""
    return fact.stored and fact.technology is not Technology.BATTERY


def interval_of(search: Search, title: Place) -> tuple[int, int]:
    """A title's interval, from and to [us]."""
    start_us = search.value(title, "interval_us")
    return start_us, start_us + search.at(TitlesIssued, title[0]).interval_us


def _stored(search: Search, register: int, span: Span) -> Iterator[Stored]:
    """Each piece of a span that a storage gave, in order."""
    discharge = search.covering(StorageDischarged, lambda _: True, register, span, "discharge record")
    for part in search.linked(LinkKind.STORE, register, span, "target"):
        source = search.value(part.place, "source")
        start = search.value(part.place, "source_start") + part.start - search.value(part.place, "target_start")
        drawn = Span(start, start + part.stop - part.start)
        charge = search.covering(StorageCharged, lambda _: True, source, drawn, "charge record")
        start_us = search.value(charge, "interval_us")
        stop_us = start_us + search.at(StorageCharged, charge[0]).interval_us
        claims = search.linked(LinkKind.CLAIM, source, drawn, "target")
        yield Stored(
            part,
            _loss(search, part.place),
            discharge,
            charge,
            *search.around(source, start_us, stop_us),
            tuple(supply_of(search, claim) for claim in claims),
        )


def _loss(search: Search, place: Place) -> Place | None:
    """The link behind one of *store*, where it says what was lost on the way."""
    seq, index = place[0], place[1] + 1
    if index >= search.at(SpansLinked, seq).segment.rows:
        return None
    lost = search.books.storages.all[_storage_of(search, place)].loss
    goes_on = search.value((seq, index), "source") == search.value(place, "source")
    goes_on &= search.value((seq, index), "source_start") == search.value(place, "source_stop")
    return (seq, index) if goes_on and search.value((seq, index), "target") == lost else None


def _storage_of(search: Search, link: Place) -> int:
    return int(search.books.storages.storage_of(search.columns(link[0])["target"][link[1] : link[1] + 1])[0])


def issues_of(issues: Iterable[Issue]) -> Iterator[Issue]:
    """These issues and all behind them."""
    for issue in issues:
        yield issue
        yield from issues_of(claim.issue for one in issue.stored for claim in one.claims)


def links_of(issues: Iterable[Issue]) -> Iterator[Place]:
    """Every link behind issues."""
    for issue in issues_of(issues):
        for one in issue.stored:
            yield one.part.place
            yield from [one.loss] if one.loss else []
            yield from (claim.part.place for claim in one.claims)


def operators_of(search: Search, issues: Iterable[Issue]) -> Iterator[int]:
    """The accounts that claimed certificates for charges."""
    for issue in issues_of(issues):
        for one in issue.stored:
            yield from (search.value(claim.claim, "source") for claim in one.claims)


def storage_facts(search: Search, issues: Iterable[Issue]) -> Iterator[int]:
    """The facts that registered the storages on the way, and those of the efficiencies that held."""
    for issue in issues_of(issues):
        for one in issue.stored:
            name = search.at(StorageDischarged, one.discharge[0]).storage
            yield from (seq for seq, fact, _ in search.of(StorageRegistered) if fact.storage == name)
            yield _efficiency(search, name, search.value(one.discharge, "interval_us"))


def _efficiency(search: Search, name: str, at_us: int) -> int:
    for seq, fact, _ in search.of(EfficiencyStated):
        if fact.storage == name and fact.start_us <= at_us < fact.stop_us:
            return search.covered(seq)
    raise missing(f"an efficiency of {name}")
