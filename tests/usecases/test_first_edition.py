"""A journal of the first edition: it replays to the same state, and an attester judges it by the rules of its time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.errors import Unverified
from penstock.journal.fact import Recorded
from penstock.journal.formats import FORMATS
from penstock.journal.kinds import KINDS
from penstock.journal.segment import Columns, check_sealed
from penstock.usecases.recheck import Recheck
from penstock.usecases.replay import segment_ref
from penstock.usecases.world import World

WRITTEN = json.loads((Path(__file__).parents[1] / "golden" / "intake_first_edition.json").read_text("utf-8"))


def columns_of(name: str, written: dict[str, list[Any]]) -> Columns:
    fmt = FORMATS[name]
    columns: dict[str, Any] = {column: np.array(written[column], dtype) for column, dtype in fmt.fixed}
    if fmt.blob:
        columns[fmt.blob] = np.empty(len(written[fmt.blob]), dtype=object)
        columns[fmt.blob][:] = [bytes.fromhex(raw) for raw in written[fmt.blob]]
    return columns


def facts() -> Iterator[tuple[Recorded, Columns | None]]:
    for seq, written in enumerate(WRITTEN["facts"]):
        recorded = KINDS.decode(written["body"].encode(), seq)
        ref = segment_ref(recorded.fact)
        columns = columns_of(ref.format, written["columns"]) if ref else None
        if ref and columns:
            check_sealed(FORMATS[ref.format], columns, ref)
        yield recorded, columns


def test_it_replays_to_the_state_it_had_then() -> None:
    world = World()
    for recorded, columns in facts():
        world.apply(recorded, columns)
    state, energy = WRITTEN["state"], world.energy
    assert world.books.registers.read.tolist() == state["read"]
    heads = zip(energy.head_sequence.tolist(), energy.head_hash, strict=True)
    assert [[sequence, hash_.tobytes().hex()] for sequence, hash_ in heads] == state["heads"]
    for register, (at_us, position_wh) in state["standings"].items():
        assert (energy.last_at_us[int(register)], energy.last_wh[int(register)]) == (at_us, position_wh)


def test_an_attester_judges_it_by_the_rules_of_its_time() -> None:
    world = World()
    recheck = Recheck(world)
    for recorded, columns in facts():
        recheck.before(recorded, columns)
        world.apply(recorded, columns)
        recheck.after(recorded, columns)
    recheck.settle()
    assert world.books.registers.read.tolist() == WRITTEN["state"]["read"]


@pytest.mark.parametrize("kind", ["packets.received", "readings.verified"])
def test_a_changed_verdict_of_old_is_still_found(kind: str) -> None:
    world = World()
    recheck = Recheck(world)
    with pytest.raises(Unverified):
        for recorded, columns in facts():
            if kind == recorded.fact.KIND:
                body = recorded.body.replace(b'"name":"accepted"', b'"name":"malformed"', 1)
                recorded = KINDS.decode(body, recorded.seq)
            recheck.before(recorded, columns)
            world.apply(recorded, columns)
