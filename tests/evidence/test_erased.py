"""One roof's readings are erased: everybody else's proofs, and all books, are what they were."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_world import DAY, LOG_KEY, ROOFS, SmallWorld, StoredRecord, key_of

from penstock.energy.forms.cose import Packet, sign
from penstock.errors import Invalid, NotFound, PenstockError, Refused, Unverified
from penstock.journal.fact import Entry
from penstock.journal.formats import FORMATS
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.journal.kinds.upkeep import ReadingsErased
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.words import LinkKind
from penstock.period import DAY_US, HOUR_US
from penstock.store.opening import open_store
from penstock.store.ports import Upkeep, Write
from penstock.store.sql_store import SqlStore
from penstock.trace.bundle import build_bundle
from penstock.trace.verify import VerificationError, verify
from penstock.usecases.attest import Replica
from penstock.usecases.audit import audit_workspace
from penstock.usecases.compact import compact
from penstock.usecases.erase import ErasureAsked, erase
from penstock.usecases.ingest import ingest
from penstock.usecases.record_source import FolderSource
from penstock.usecases.retain import retain
from penstock.usecases.salted import salted
from penstock.usecases.sequencer import Receipt
from penstock.usecases.store_status import store_status
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

GONE = "roof-a"
AT_US = DAY.stop_us + DAY_US
POINTS = ("segment_begin", "segment_half", "segment_synced", "segment_renamed", "rows_inserted", "committed", "swept")
QUICK = {("erase", "segment_renamed"), ("erase", "rows_inserted"), ("erase", "committed"), ("compact", "committed")}
KILLS = [
    pytest.param(act, point, marks=() if (act, point) in QUICK else pytest.mark.nightly)
    for act in ("erase", "compact")
    for point in POINTS
]
VICTIM = Path(__file__).with_name("erase_victim.py")


class PersonalWorld(SmallWorld):
    """The small world, its readings sealed so that they can be erased; in batches, for more files."""

    def _do(self, key: str, decide: Callable[[World], list[Entry]], at_us: int = DAY.stop_us) -> Receipt:
        return super()._do(key, lambda world: salted(self.store, decide(world)), at_us)


@dataclass(frozen=True)
class Before:
    """A closed workspace, and what it was."""

    folder: Path
    note: str
    bundles: dict[int, bytes]
    roofs: dict[int, set[str]]
    books: bytes
    devices: bytes
    roots: list[bytes]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    """Made once; tests work on copies."""
    folder = tmp_path_factory.mktemp("personal") / "w"
    world = PersonalWorld(folder)
    answers = len(world.world.books.links[LinkKind.SERVE])
    bundles = {n: build_bundle(world.record, world.world.books, "rack-1", n) for n in range(0, answers, 7)}
    roofs = {number: {device for device, _, _ in verify(raw).roofs} for number, raw in bundles.items()}
    books, devices = world.world.books.digest(), world.world.energy.digest()
    note, roots = world.record.note, roots_of(world.store)
    world.store.close()
    return Before(folder, note, bundles, roofs, books, devices, roots)


@pytest.fixture
def copy(before: Before, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before.folder, tmp_path / "w"))


def roots_of(store: SqlStore) -> list[bytes]:
    found = []
    for fact in StoredRecord(store, "").facts():  # type: ignore[arg-type]
        ref = getattr(fact.fact, "segment", None)
        found += [ref.root] if ref else []
    return found


def bundle_of(opened: Workspace, before: Before, number: int) -> bytes:
    record = StoredRecord(opened.store, before.note)  # type: ignore[arg-type]
    return opened.read(lambda world: build_bundle(record, world.books, "rack-1", number))


def gone(copy: Path) -> dict[str, object]:
    return erase(copy, ErasureAsked((GONE,), "", 0), AT_US)


def check_others(copy: Path, before: Before, without: str) -> None:
    """Bundles without the roof are byte for byte what they were; with it there is none; old ones verify."""
    with Workspace(copy, read_only=True) as opened:
        for number, raw in before.bundles.items():
            if without in before.roofs[number]:
                with pytest.raises(PenstockError) as caught:
                    bundle_of(opened, before, number)
                assert caught.value.code in ("segment.row_erased", "bundle.evidence_missing")
            else:
                assert bundle_of(opened, before, number) == raw
            verify(raw, LOG_KEY.public)
        assert roots_of(opened.store)[: len(before.roots)] == before.roots


def test_the_story_has_answers_with_and_without_the_roof(before: Before) -> None:
    with_it = [number for number, roofs in before.roofs.items() if GONE in roofs]
    assert with_it and len(with_it) < len(before.roofs)


def test_rows_are_salted(before: Before) -> None:
    formats = {name for name in store_status(before.folder)["formats"] if FORMATS[name].subject}
    assert formats == {"packet/2+salt", "reading/2+salt"}


def test_proofs_of_others_stand_before_and_after(before: Before, copy: Path) -> None:
    check_others(copy, before, without="nobody")
    done = gone(copy)
    assert done["left_over"] == done["guessable"] == 0
    assert done["readings"] == 96
    check_others(copy, before, without=GONE)


def test_replay_gives_the_same_books(before: Before, copy: Path) -> None:
    gone(copy)
    for read_only in (True, False):
        with Workspace(copy, read_only=read_only) as opened:
            found = opened.read(lambda world: (world.books.digest(), world.energy.digest()))
        assert found == (before.books, before.devices)
    audit = audit_workspace(copy)
    assert audit.findings == ()


def test_the_world_after_the_act_is_that_of_a_replay(copy: Path) -> None:
    with Workspace(copy) as opened:
        before = opened.read(lambda world: world.energy.digest())
    gone(copy)
    with Workspace(copy) as opened:
        assert opened.read(lambda world: world.energy.digest()) == before


def test_erased_rows_and_seeds_are_nowhere(before: Before, copy: Path) -> None:
    with Workspace(copy) as opened:
        device = opened.read(lambda world: world.energy.number(GONE))
        register = opened.read(lambda world: int(world.energy.registers_of(device)[0]))
        packets = [
            opened.columns(row)
            for row in opened.facts()
            if isinstance(row.recorded.fact, PacketsReceived | ReadingsVerified)
        ]
        raws = [raw for one in packets if one for raw in one.get("packet", []) if GONE.encode() in bytes(raw)]
        fmt = FORMATS["reading/2+salt"]
        readings = next(one for one in packets if one and "register" in one and (one["register"] == register).any())
        seeds = opened.store.rows.seeds.seeds_of(fmt, readings)[readings["register"] == register]
    assert len(raws) >= 24 and len(seeds) == 96
    gone(copy)
    everything = b"".join(file.read_bytes() for file in copy.rglob("*") if file.is_file())
    assert not any(seed.tobytes() in everything for seed in seeds)
    for file in (copy / "segments").iterdir():
        table = pq.read_table(file).to_pydict()
        if "sequence" in table and "packet" in table:
            assert not set(raws) & {bytes(raw) for raw in table["packet"]}
            assert device not in table["device"]
        if "position_wh" in table:
            rows = [row for row, number in enumerate(table["register"]) if number == register]
            assert len(rows) <= 1, "one stand-in, where the register had got to"
            assert all(table["at_us"][row] == DAY.stop_us for row in rows)


def test_the_chain_goes_on_after_an_erasure(copy: Path) -> None:
    with Workspace(copy) as opened:
        sequence, previous, wh = opened.read(lambda world: head_of(world, GONE))
    gone(copy)
    packet = Packet(GONE, sequence + 1, previous, (DAY.stop_us + HOUR_US,), (wh + 5,))
    raw = sign(packet, key_of(GONE))
    with Workspace(copy) as opened:
        at_us = DAY.stop_us + HOUR_US
        decide = lambda world: salted(opened.store, ingest(world, [raw], at_us))  # noqa: E731
        receipt = opened.submit("more", raw, at_us, decide)
        *_, row = opened.facts(receipt.first_seq)
        assert isinstance(row.recorded.fact, ReadingsVerified)
        assert [(one.name, one.count) for one in row.recorded.fact.verdicts] == [("accepted", 1)]
        assert row.recorded.fact.counted_wh == 5
    assert audit_workspace(copy).findings == ()


def head_of(world: World, device: str) -> tuple[int, bytes, int]:
    number = world.energy.number(device)
    register = int(world.energy.registers_of(number)[0])
    head = world.energy.head_hash[number].tobytes()
    return int(world.energy.head_sequence[number]), head, int(world.energy.last_wh[register])


def test_erased_twice_there_is_nothing_left(copy: Path) -> None:
    gone(copy)
    size = store_status(copy)["facts"]
    with pytest.raises(Refused) as caught:
        erase(copy, ErasureAsked((GONE,), "", 0), AT_US + 1)
    assert caught.value.code == "erase.nothing"
    assert store_status(copy)["facts"] == size


def test_an_account_s_devices_and_its_person(before: Before, copy: Path) -> None:
    with Workspace(copy) as opened:
        opened.store.rows.people.keep("roof-b", "who that is")
    done = erase(copy, ErasureAsked((), "roof-b", 0), AT_US)
    assert done["readings"] == 96
    with Workspace(copy) as opened:
        assert opened.store.rows.people.of("roof-b") is None
    check_others(copy, before, without="roof-b")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (ErasureAsked((), "", 0), "erase.whose"),
        (ErasureAsked(("roof-a",), "roof-a", 0), "erase.whose"),
        (ErasureAsked(("roof-a",), "", 5), "erase.day"),
        (ErasureAsked(("roof-x",), "", 0), "device.unknown"),
        (ErasureAsked((), "nobody", 0), "erase.nobody"),
    ],
)
def test_what_cannot_be_meant_is_refused(copy: Path, asked: ErasureAsked, code: str) -> None:
    with pytest.raises((Invalid, NotFound)) as caught:
        erase(copy, asked, AT_US)
    assert caught.value.code == code
    assert store_status(copy)["left_over"] == 0


def test_retention_takes_old_days_of_all(before: Before, copy: Path) -> None:
    with pytest.raises(Refused):
        retain(copy, 2, DAY.start_us + 2 * DAY_US)
    done = retain(copy, 1, DAY.start_us + 2 * DAY_US)
    assert done["readings"] > 300 and done["left_over"] == 0
    with Workspace(copy, read_only=True) as opened:
        found = opened.read(lambda world: (world.books.digest(), world.energy.digest()))
        assert found == (before.books, before.devices)
    status = store_status(copy)
    assert status["formats"]["reading/2+salt"]["erased"] == done["readings"]
    assert audit_workspace(copy).findings == ()
    for raw in before.bundles.values():
        verify(raw, LOG_KEY.public)


def test_one_stand_in_a_register_however_often_days_go(copy: Path) -> None:
    with Workspace(copy) as opened:
        register = opened.read(lambda world: int(world.energy.registers_of(world.energy.number(GONE))[0]))
    retain(copy, 1, DAY.start_us + 2 * DAY_US)  # all but the reading at midnight
    gone(copy)
    with Workspace(copy, read_only=True) as opened:
        parts = [opened.columns(row) for row in opened.facts() if isinstance(row.recorded.fact, ReadingsVerified)]
        rows = [int(one["at_us"][row]) for one in parts if one for row in np.flatnonzero(one["register"] == register)]
    assert rows == [DAY.stop_us]
    assert audit_workspace(copy).findings == ()


def test_compaction_halves_the_files_and_changes_no_root(before: Before, copy: Path) -> None:
    for hour in range(1, 11):  # many small files of two formats
        with Workspace(copy) as opened:
            sequence, previous, wh = opened.read(lambda world: head_of(world, GONE))
            at_us = DAY.stop_us + hour * HOUR_US
            raw = sign(Packet(GONE, sequence + 1, previous, (at_us,), (wh + 5,)), key_of(GONE))
            decide = lambda world, raw=raw, at_us=at_us: salted(opened.store, ingest(world, [raw], at_us))  # noqa: E731
            opened.submit(f"more:{hour}", raw, at_us, decide)
    with Workspace(copy, read_only=True) as opened:
        roots, digest = roots_of(opened.store), opened.read(lambda world: world.books.digest())
    files = len(list((copy / "segments").iterdir()))
    done = compact(copy, AT_US)
    assert len(list((copy / "segments").iterdir())) == files - done["files_before"] + done["files_after"] <= files / 2
    with Workspace(copy, read_only=True) as opened:
        assert roots_of(opened.store) == roots
        assert opened.read(lambda world: world.books.digest()) == digest
    assert audit_workspace(copy).findings == ()
    check_others(copy, before, without="nobody")
    with pytest.raises(Refused) as caught:
        compact(copy, AT_US + 1)
    assert caught.value.code == "compact.nothing"
    gone(copy)  # out of files shared with others
    check_others(copy, before, without=GONE)
    assert audit_workspace(copy).findings == ()


@pytest.mark.parametrize(("act", "point"), KILLS)
def test_killed_at_any_point_it_is_done_or_not(before: Before, copy: Path, act: str, point: str) -> None:
    victim = subprocess.run([sys.executable, str(VICTIM), str(copy), act, point], capture_output=True, check=False)
    assert victim.returncode == -9, victim.stderr.decode()
    with Workspace(copy) as opened:  # finishes what was begun
        assert opened.store.litter() == 0
        kinds = [row.recorded.fact.KIND for row in opened.facts()]
        assert opened.read(lambda world: (world.books.digest(), world.energy.digest())) == (
            before.books,
            before.devices,
        )
    done = point in ("committed", "swept")
    assert ("readings.erased" in kinds or "segments.compacted" in kinds) == done
    assert audit_workspace(copy).findings == ()
    check_others(copy, before, without=GONE if done and act == "erase" else "nobody")


def test_the_fact_tells_what_went(copy: Path) -> None:
    gone(copy)
    with Workspace(copy, read_only=True) as opened:
        *_, row = opened.facts()
    fact = row.recorded.fact
    assert isinstance(fact, ReadingsErased)
    assert (fact.reason, fact.before_us, fact.readings, fact.guessable) == ("asked", 0, 96, 0)
    assert fact.segment.rows == 1
    assert set(ROOFS) > {GONE}


def erase_quietly(copy: Path, kind: type) -> None:
    """As whoever has something to hide would."""
    with Workspace(copy) as opened:
        row = next(row for row in opened.facts() if isinstance(row.recorded.fact, kind))
        sealed, store = opened.sealed(row), opened.store
        assert sealed is not None and row.segment is not None
        left = sealed.without(np.arange(len(sealed)) < 3)
        store.commit([Write("quiet", bytes(32), [], (), Upkeep(store.rows.move([(row.segment, left)])))])


@pytest.mark.parametrize("kind", [PacketsReceived, ReadingsVerified])
def test_rows_gone_that_no_fact_tells_of_are_found(copy: Path, kind: type) -> None:
    erase_quietly(copy, kind)
    assert [one.code for one in audit_workspace(copy).findings] == ["store.erased_untold"]


def test_a_stand_in_that_says_too_much_is_found(copy: Path) -> None:
    gone(copy)
    with Workspace(copy) as opened:
        store = opened.store
        (row,) = [row for row in opened.facts() if isinstance(row.recorded.fact, ReadingsVerified)][:1]
        sealed = opened.sealed(row)
        assert sealed is not None and sealed.erased is not None and row.segment is not None
        columns = {name: column.copy() for name, column in sealed.columns.items()}
        columns["position_wh"][sealed.erased & (columns["verdict"] == 0)] += 1
        more = SealedRows(sealed.format, columns, sealed.salts, sealed.erased, sealed.nodes)
        store.commit([Write("more", bytes(32), [], (), Upkeep(store.rows.move([(row.segment, more)])))])
    assert "store.erased_untold" in [one.code for one in audit_workspace(copy).findings]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_attester_takes_an_erasure_in(before: Before, copy: Path, when: str) -> None:
    replica = Replica()
    if when == "before":
        advance(replica, copy)
    gone(copy)
    advance(replica, copy)
    assert replica.world.books.digest() == before.books
    assert replica.world.energy.digest() == before.devices


def test_an_attester_refuses_rows_gone_untold(copy: Path) -> None:
    erase_quietly(copy, PacketsReceived)
    with pytest.raises(Unverified) as caught:
        advance(Replica(), copy)
    assert caught.value.code == "attest.erased_untold"


def advance(replica: Replica, folder: Path) -> None:
    with open_store(folder, read_only=True) as store:
        replica.advance(FolderSource(folder), store.size(), store.tree().root())


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda row: "00" * 32 + row[64:], "bundle.row_inclusion"),  # another salt
        (lambda row: row[64:], "bundle.row_malformed"),  # none
        (lambda row: row[:64], "bundle.row_malformed"),  # nothing else
    ],
)
def test_a_salt_belongs_to_its_row(before: Before, damage: Callable[[str], str], code: str) -> None:
    plain = json.loads(before.bundles[0])
    salted_facts = {one["seq"] for one in plain["facts"] if '"reading/2+salt"' in one["body"]}
    row = next(one for one in plain["rows"] if one["fact"] in salted_facts)
    row["row"] = damage(row["row"])
    with pytest.raises(VerificationError) as caught:
        verify(json.dumps(plain).encode())
    assert caught.value.code == code
