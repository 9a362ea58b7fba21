"""Bundles over a corrected register: answers before and after it verify, and the debt was covered exactly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import forging
import pytest
from corrected_world import ROOF, TOO_MUCH_WH, USED_WH, CorrectedWorld
from small_world import LOG_KEY, ROOF_W

from penstock.errors import NotFound
from penstock.journal.laws import breaches
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState
from penstock.span import Span
from penstock.trace.bundle import build_bundle, build_certificate_bundle
from penstock.trace.verify import verify, verify_certificate
from penstock.usecases.correct import debts


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CorrectedWorld]:
    made = CorrectedWorld(Path(tmp_path_factory.mktemp("corrected")))
    yield made
    made.store.close()


def test_answers_over_both_registers_verify(corrected: CorrectedWorld) -> None:
    later = corrected.world.books.registers.id_of(f"{ROOF}/export#2")
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    for number in range(0, len(corrected.world.books.links[LinkKind.SERVE]), 4):
        bundle = build_bundle(corrected.record, corrected.world.books, "rack-1", number)
        after = str(later) in {item["number"] for item in forging.load(bundle)["registers"]}
        seen[after] |= {device for device, _, _ in verify(bundle, LOG_KEY.public).roofs}
    assert all(ROOF in roofs for roofs in seen.values())


def test_what_covered_the_debt_proves_that_it_was_withdrawn(corrected: CorrectedWorld) -> None:
    books, urn = corrected.world.books, f"{ROOF}/export#2"
    report = verify_certificate(build_certificate_bundle(corrected.record, books, urn, Span(0, USED_WH)))
    assert [(start, stop, state) for start, stop, state, _ in report.states] == [(0, USED_WH, "withdrawn")]


def test_a_claim_that_does_not_say_for_what_is_not_proved(corrected: CorrectedWorld) -> None:
    books, urn = corrected.world.books, f"{ROOF}/export"
    head = books.titles[Right.ATTRIBUTE].head(books.registers.id_of(urn))
    with pytest.raises(NotFound) as refusal:
        build_certificate_bundle(corrected.record, books, urn, Span(head - USED_WH, head))
    assert refusal.value.code == "bundle.evidence_missing"


def test_what_stands_is_what_was_truly_counted(corrected: CorrectedWorld) -> None:
    books = corrected.world.books
    registers = [books.registers.id_of(f"{ROOF}/export{epoch}") for epoch in ("", "#2")]
    truly_wh = corrected.positions_wh(ROOF_W[1])[-1] - TOO_MUCH_WH
    for right in (Right.ATTRIBUTE, Right.ENERGY):
        titles = books.titles[right].columns()
        own = (titles["register"] == registers[0]) | (titles["register"] == registers[1])
        own &= titles["state"] != TITLE_STATES.index(TitleState.WITHDRAWN)
        assert int((titles["stop"] - titles["start"])[own].sum()) == truly_wh
    rights = ["attribute", "energy"]
    assert debts(corrected.world) == [
        {"register": f"{ROOF}/export#2", "debt_wh": USED_WH, "covered_wh": USED_WH, "owed_wh": 0, "rights": rights}
    ]
    assert breaches(books) == ()
