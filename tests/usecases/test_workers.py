"""Workers: many messages in processes come to the same batch as in one; nobody is left behind."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_plant import DAYS, Plant, key_of, producer, roof_packets

from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.energy.message import Batch
from penstock.energy.verdict import MessageVerdict
from penstock.journal.words import Form
from penstock.keys import KeyKind, PointKey, derive_seed
from penstock.usecases import enrol, workers
from penstock.usecases.ingest import ingest
from penstock.usecases.intake import prepare, prepared_ahead, record
from penstock.usecases.workers import Workers

MESSAGES = [(Form.COSE, raw) for raw in [*roof_packets(2), b"garbled", b"", roof_packets(1)[0][:-1] + b"x"]]


@pytest.fixture(scope="module")
def pool() -> Iterator[Workers]:
    """Two processes that are running already."""
    with Workers(2) as made:
        made._started()
        yield made


def equal(one: Batch, other: Batch) -> bool:
    return all(
        getattr(one, field.name).tolist() == getattr(other, field.name).tolist() for field in dataclasses.fields(Batch)
    )


@pytest.mark.parametrize("chunk", [7, 50, 10_000])
def test_in_processes_or_here_it_is_the_same_batch(
    plant: Plant, pool: Workers, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CHUNK", chunk)
    monkeypatch.setattr(workers, "FEW", 10)
    here = prepare(plant.workspace, MESSAGES, Workers())
    there = prepare(plant.workspace, MESSAGES, pool)
    assert equal(here.batch, there.batch)
    assert set(here.batch.reached.tolist()) == {0, MessageVerdict.MALFORMED, MessageVerdict.BAD_SIGNATURE}
    assert there.messages == MESSAGES


def test_batches_prepared_ahead_come_in_order(plant: Plant) -> None:
    parts = [MESSAGES[start : start + 20] for start in range(0, len(MESSAGES), 20)]
    with Workers() as made:
        found = [prepared.messages for prepared in prepared_ahead(plant.workspace, iter(parts), made)]
    assert found == parts


def test_what_was_prepared_before_a_device_was_enrolled_is_prepared_again(plant: Plant) -> None:
    raw = sign(Packet("late", 0, FIRST, (DAYS[0].start_us + 900_000_000,), (7,)), key_of("late"))
    with Workers() as made:
        prepared = prepare(plant.workspace, [(Form.COSE, raw)], made)
        assert prepared.batch.reached.tolist() == [MessageVerdict.UNKNOWN_DEVICE]
        plant.do("late", lambda world: enrol.enrol_producers(world, [producer("late", 9_000)]))
        receipt = record(plant.workspace, prepared, DAYS[0].stop_us)
    assert plant.columns(receipt, 0)["verdict"].tolist() == [0]
    assert plant.read_wh("late/export") == 7


def test_what_was_prepared_in_time_is_not_prepared_again(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workers() as made:
        prepared = prepare(plant.workspace, MESSAGES[:8], made)
    monkeypatch.setattr("penstock.usecases.ingest.prepare_here", None)
    receipt = plant.do("as prepared", lambda world: ingest(world, prepared, DAYS[0].stop_us))
    assert plant.columns(receipt, 0)["verdict"].tolist() == [0] * 8


def test_one_key_that_ten_thousand_messages_claim_for_their_names_signs_none_of_them(plant: Plant) -> None:
    """Whoever holds one key cannot speak for others, however many names it tries."""
    attacker = PointKey(KeyKind.P256, derive_seed(b"one key", "for all"))
    at_us = (DAYS[0].start_us + 900_000_000,)
    raws = [sign(Packet(f"roof-{n % 4}" if n % 2 else "roof-a", n, FIRST, at_us, (1,)), attacker) for n in range(200)]
    columns = plant.columns(plant.do("claims", lambda world: ingest(world, raws, DAYS[0].stop_us)), 0)
    assert set(columns["verdict"].tolist()) == {MessageVerdict.UNKNOWN_DEVICE, MessageVerdict.WRONG_KEY}
    assert packet_hash(raws[0]) != packet_hash(raws[1])


def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(
        "import os, signal\n"
        "from penstock.usecases.workers import Workers\n"
        "if __name__ == '__main__':\n"
        "    pool = Workers(2)._started()\n"
        "    print(*{pool.submit(os.getpid).result() for _ in range(20)}, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    workers_left = [int(pid) for pid in done.stdout.split()]
    assert workers_left
    for _ in range(200):
        if not any(Path(f"/proc/{pid}").exists() for pid in workers_left):
            return
        time.sleep(0.05)
    pytest.fail("a worker outlives its parent")
