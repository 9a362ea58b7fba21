"""A record counted again in parts gives the roots that its facts sealed: here, and on two machines of a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sequencer_kit import AT_US, issues, opened
from small_plant import Plant

from penstock.energy.hours import interval_totals
from penstock.errors import Corrupt, NotFound, Unavailable
from penstock.journal.fact import encode
from penstock.journal.formats import FORMATS, VERDICTS
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.segment import Column
from penstock.journal.words import Assurance
from penstock.store.ports import Forgotten, NewFact, Upkeep, Write
from penstock.usecases import recount
from penstock.usecases.cluster import Here, Machines, RayCluster
from penstock.usecases.recount import HOURS, Piece, piece_root, roots_of, sealed_segments
from penstock.usecases.replay import segment_ref

PIECE = 128
"""So small that a plant's larger segments need several."""


def check(plant: Plant, machines: Machines, parts: int = 2) -> bytes:
    """Recounted on ``machines``, everything is as the facts say; returns the root over the hours."""
    found = recount.recount(plant.workspace.path, machines, parts, PIECE)
    refs = {row.recorded.seq: segment_ref(row.recorded.fact) for row in plant.workspace.facts() if row.segment}
    assert found.roots == {seq: ref.root for seq, ref in refs.items() if ref}
    assert any(ref.rows > 2 * PIECE for ref in refs.values() if ref)
    for name, column in hours_at_once(plant).items():
        assert np.array_equal(found.hours[name], column)
    assert found.hours["counted_wh"].sum() > 0
    return found.hours_root


def hours_at_once(plant: Plant) -> dict[str, np.ndarray]:
    """The hours of all accepted readings, not in parts."""
    rows = [row for row in plant.workspace.facts() if isinstance(row.recorded.fact, ReadingsVerified)]
    columns = [plant.workspace.columns(row) or {} for row in rows]
    assert rows
    names = ("register", "at_us", "position_wh")
    accepted = [[each[name][each["verdict"] == 0] for name in names] for each in columns]
    register, at_us, position_wh = (np.concatenate(parts) for parts in zip(*accepted, strict=True))
    return interval_totals(register, at_us, position_wh)


def test_any_number_of_parts_gives_the_same(lived: Plant) -> None:
    assert len({check(lived, Here(), parts) for parts in (1, 2, 64)}) == 1


def test_segments_are_cut_where_subtrees_end(tmp_path: Path) -> None:
    store, sequencer = opened(tmp_path)
    with store:
        for count in (1, 15, 16, 17, 32, 33, 100, 129):
            sequencer.submit(f"k{count}", b"", AT_US, issues(count, 10_000 * count))
        sequencer.submit("again", b"", AT_US, issues(100, 1_000_000))
    segments = sealed_segments(tmp_path)
    assert len(segments) == 9
    assert roots_of(tmp_path, segments, Here(), 16) == {each.seq: each.ref.root for each in segments}
    wide = Piece(tmp_path, segments[6].digest, segments[6].ref.format, 16, 32)
    assert piece_root(wide) not in {each.ref.root for each in segments}


def test_another_root_is_found(lived: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recount, "piece_root", lambda _piece: bytes(32))
    with pytest.raises(Corrupt) as caught:
        recount.recount(lived.workspace.path, Here())
    assert caught.value.code == "segment.altered"


def test_a_workspace_without_readings_has_no_hours(tmp_path: Path) -> None:
    opened(tmp_path)[0].close()
    found = recount.recount(tmp_path, Here())
    assert (found.roots, len(found.hours["register"])) == ({}, 0)


def test_hours_are_no_segment() -> None:
    assert HOURS.name not in FORMATS
    assert VERDICTS.name in FORMATS


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A head that does no work and two machines that do, each a Ray node of its own on this one."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    memory = 100 * 2**20
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": memory}
    started = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            started.add_node(num_cpus=1, object_store_memory=memory)
        yield started.address
    finally:
        started.shutdown()


@pytest.mark.nightly
def test_two_workers_of_a_cluster_give_the_same_roots(lived: Plant, cluster: str) -> None:
    here = check(lived, Here())
    nowhere = Piece(Path("no workspace"), "", "", 0, PIECE)

    def where(_part: int) -> str:
        import time

        import ray

        time.sleep(0.5)
        return str(ray.get_runtime_context().get_node_id())

    with RayCluster(cluster) as machines:
        assert len(set(machines.map(where, range(6)))) == 2
        assert check(lived, machines) == here
        assert check(lived, machines, parts=7) == here
        with pytest.raises(NotFound) as caught:
            machines.map(piece_root, [nowhere])
        assert (caught.value.code, caught.value.ids) == ("store.no_workspace", {"path": "no workspace"})


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:none", "nowhere"])
def test_a_cluster_that_is_not_there_is_said_so(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(Unavailable) as caught:
        RayCluster(address)
    assert caught.value.code == "cluster.unreachable"


def test_salted_and_erased_rows_are_counted_too(tmp_path: Path) -> None:
    rows = np.arange(100)
    columns: dict[str, Column] = {
        "register": (rows % 3).astype(np.int32),
        "at_us": AT_US + rows * 60_000_000,
        "position_wh": 10 * rows,
    }
    columns |= {name: np.zeros(100, dtype) for name, dtype in VERDICTS.fixed[3:]}
    mask, opened_fact = rows % 3 == 1, encode(AccountOpened("a"), AT_US)
    with opened(tmp_path)[0] as store:
        segment = store.rows.salt(VERDICTS, columns)
        fact = ReadingsVerified(segment.ref(), bytes(32), "r", Assurance.METER_SIGNED, 0, ())
        store.commit([Write("k", bytes(32), [NewFact(fact.KIND, AT_US, encode(fact, AT_US), segment)])])
        before = recount.recount(tmp_path, Here(), 2, 16)
        digest = next(store.facts()).segment or ""
        left = store.sealed(digest, FORMATS["reading/2+salt"]).without(mask)
        erased = Upkeep(store.rows.move([(digest, left)]), [Forgotten("register", [1], None)])
        store.commit([Write("e", bytes(32), [NewFact("account.opened", AT_US, opened_fact)], (), erased)])
    after = recount.recount(tmp_path, Here(), 2, 16)
    assert after.roots == before.roots == {0: segment.ref().root}
    assert set(before.hours["register"].tolist()) == {0, 1, 2}
    assert set(after.hours["register"].tolist()) == {0, 2}
