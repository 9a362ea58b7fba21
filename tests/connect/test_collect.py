"""From spool to workspace: nothing lost, nothing counted twice, whoever dies and whenever."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from connect_kit import DEVICES, START_US, chain_of, enrolled, reached_wh, verdicts

from penstock.connect.ports import Arrived, Samples
from penstock.connect.spool import Batch, Spool
from penstock.energy.forms import carried
from penstock.energy.forms.cose import parse
from penstock.errors import Invalid, Refused, Unavailable
from penstock.journal.words import Assurance, Form
from penstock.keys import SigningKey
from penstock.usecases.collect import Collector, drain, into_workspace
from penstock.usecases.gateway import Gateway
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace

KEY = SigningKey(bytes(range(32)))
VICTIM = Path(__file__).with_name("collect_victim.py")


def samples(device: str, first: int, stop: int, channel: int = 0) -> Samples:
    steps = range(first, stop)
    at_us, position_wh = tuple(START_US + 1_000_000 * n for n in steps), tuple(10 * n for n in steps)
    return Samples("sunspec", device, channel, at_us, position_wh, (-1,) * len(steps))


def test_a_batch_delivered_twice_is_recorded_once(tmp_path: Path) -> None:
    with enrolled(tmp_path / "ws") as workspace, Spool(tmp_path / "spool.sqlite") as spool:
        spool.put(chain_of("roof-a", 3))
        batch = spool.cut()
        assert batch is not None
        deliver = into_workspace(workspace, Workers())
        deliver(batch)
        size = workspace.store.size()
        deliver(batch)  # the process died before it could say so
        assert workspace.store.size() == size
        spool.done(batch.number)
        assert drain(spool, deliver) == 0
        assert (reached_wh(workspace, "roof-a"), verdicts(workspace)) == (600, {"accepted": 3})


def test_what_cannot_be_delivered_waits(tmp_path: Path) -> None:
    def down(_batch: Batch) -> None:
        raise Unavailable("connect.unreachable", "The line is down.")

    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.put(chain_of("roof-a", 2))
        with pytest.raises(Unavailable):
            drain(spool, down)
        assert spool.waiting().messages == 2


def test_a_collector_outlasts_a_line_that_comes_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.usecases.collect.PAUSE_S", 0.01)
    enough, dice = threading.Event(), random.Random(5)  # noqa: S311
    got: list[Arrived] = []

    def flaky(batch: Batch) -> None:
        if dice.random() < 0.5:
            raise Unavailable("connect.unreachable", "The line is down.")
        got.extend(batch.messages)
        if dice.random() < 0.5:
            raise Unavailable("connect.unreachable", "The answer was lost.")
        if chain[-1] in batch.messages:
            enough.set()

    chain = chain_of("roof-a", 30)
    with Spool(tmp_path / "spool.sqlite") as spool, Collector(spool, flaky) as collector:
        for one in chain:
            spool.put([one])
        assert enough.wait(30)
    assert collector.failure is None
    assert list(dict.fromkeys(got)) == chain


def test_a_refusal_stops_the_collector_and_loses_nothing(tmp_path: Path) -> None:
    refused = threading.Event()

    def refuse(_batch: Batch) -> None:
        refused.set()
        raise Refused("connect.refused", "No.")

    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.put(chain_of("roof-a", 1))
        with Collector(spool, refuse) as collector:
            assert refused.wait(10)
        assert isinstance(collector.failure, Refused)
        assert spool.waiting().messages == 1


def test_the_gateway_chains_what_it_signs(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        gateway = Gateway(spool, KEY)
        gateway.take([samples("meter", 1, 4), samples("other", 1, 2)])
        gateway.take([samples("meter", 1, 6)])  # polled again, two of them new
        gateway.take([samples("meter", 2, 4)])
        batch = spool.cut()
    assert batch is not None
    packets = [parse(one.raw) for one in batch.messages]
    assert all(one.is_signed_by(KEY.public) for one in packets)
    mine = [one for one in packets if one.device == "meter"]
    assert [one.sequence for one in mine] == [0, 1]
    assert [at for one in mine for at in one.at_us] == list(samples("meter", 1, 6).at_us)


def test_a_gateway_with_a_new_spool_goes_on_from_the_workspace(tmp_path: Path) -> None:
    with Spool(tmp_path / "a.sqlite") as old, Spool(tmp_path / "b.sqlite") as new:
        Gateway(old, KEY).take([samples("meter", 1, 4)])
        (first,) = old.cut().messages  # type: ignore[union-attr]
        digest = hashlib.sha256(first.raw).digest()
        Gateway(new, KEY, lambda device: (0, digest) if device == "meter" else None).take([samples("meter", 4, 6)])
        (second,) = new.cut().messages  # type: ignore[union-attr]
    packet = parse(second.raw)
    assert (packet.sequence, packet.previous) == (1, digest)


def test_registers_of_one_device_share_a_chain(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        gateway = Gateway(spool, KEY)
        gateway.take([samples("meter", 1, 3), samples("meter", 1, 3, channel=1)])
        gateway.take([replace(samples("meter", 1, 4, channel=1), power_mw=(7, 8, 9))])
        batch = spool.cut()
    assert batch is not None
    packets = [parse(one.raw) for one in batch.messages]
    assert [one.sequence for one in packets] == [0, 1, 2]
    assert [set(one.channel) for one in packets] == [{0}, {1}, {1}]
    assert (packets[2].at_us, packets[2].power_mw) == (samples("meter", 3, 4).at_us, (9,))


@pytest.mark.parametrize(
    ("source", "level"), [("vendor/any", Assurance.VENDOR_ATTESTED), ("file/any", Assurance.DECLARED)]
)
def test_what_we_did_not_measure_is_carried_and_may_be_revised(tmp_path: Path, source: str, level: Assurance) -> None:
    said = replace(samples("meter", 1, 4), source=source, origin=bytes(32))
    with Spool(tmp_path / "spool.sqlite") as spool:
        gateway = Gateway(spool)  # no key is needed to carry
        gateway.take([said])
        gateway.take([said])
        gateway.take([replace(said, position_wh=(10, 20, 31))])
        batch = spool.cut()
    assert batch is not None
    assert [one.form for one in batch.messages] == [Form.CARRIED] * 2
    assert level.value.encode() in batch.messages[0].raw
    assert [carried.parse(one.raw).position_wh for one in batch.messages] == [(10, 20, 30), (10, 20, 31)]


def test_many_samples_become_several_packets(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        Gateway(spool, KEY).take([samples("meter", 1, 501)])
        batch = spool.cut()
    assert batch is not None
    packets = [parse(one.raw) for one in batch.messages]
    assert [one.sequence for one in packets] == list(range(len(packets)))
    assert sum(len(one.at_us) for one in packets) == 500 > len(packets) > 1


def test_samples_need_a_key_and_as_many_positions_as_instants(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        with pytest.raises(Refused) as caught:
            Gateway(spool).take([Arrived(Form.COSE, b"x"), samples("meter", 1, 2)])
        assert caught.value.code == "connect.no_gateway_key"
        with pytest.raises(Invalid) as ragged:
            Gateway(spool, KEY).take([Samples("sunspec", "meter", 0, (1, 2), (1,), (1, 2))])
        assert ragged.value.code == "connect.ragged_samples"
        assert spool.waiting().messages == 0


def run_until_killed(folder: Path, point: str, count: int, after_s: float) -> None:
    command = [sys.executable, str(VICTIM), str(folder), point, str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None and victim.stderr is not None
        assert victim.stdout.readline() == "open\n", victim.stderr.read()
        timer = threading.Timer(after_s, victim.kill)
        timer.start()
        assert victim.wait() in (-9, 0), victim.stderr.read()
        timer.cancel()


def kill_often(tmp_path: Path, plan: list[tuple[str, int, float]]) -> None:
    """The victim puts each device's chain into the spool, not knowing how far it got, and drains; it dies and dies."""
    enrolled(tmp_path / "ws").store.close()
    for point, count, after_s in plan:
        run_until_killed(tmp_path, point, count, after_s)
    run_until_killed(tmp_path, "never", 0, 120)
    with Workspace(tmp_path / "ws", read_only=True) as workspace:
        assert [reached_wh(workspace, device) for device in DEVICES] == [40 * 4 * 50] * len(DEVICES)
        assert verdicts(workspace) == {"accepted": 40 * len(DEVICES)}


def test_killed_between_record_and_spool_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    points = ["rows_inserted", "committed", "cut", "delivered"]
    kill_often(tmp_path, [(point, 2, 60.0) for point in points])


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_instants_again_and_again(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    kill_often(tmp_path, [("never", 0, dice.random() * 0.3) for _ in range(20)])
