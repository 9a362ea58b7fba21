"""Ingest: whatever came is kept and judged; only what counts moves registers."""

from __future__ import annotations

import numpy as np
import pytest
from small_plant import DAYS, MODEL, ROOFS, Plant, key_of, signed

from penstock.energy.forms.cose import FIRST, packet_in, sign
from penstock.errors import Conflict
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified, Tally
from penstock.keys import SigningKey
from penstock.usecases.ingest import ingest
from penstock.usecases.sequencer import Sequencer
from penstock.usecases.world import World

AT_US = DAYS[0].stop_us


def test_a_day_of_good_packets(plant: Plant) -> None:
    receipt = plant.ingested(0)
    received, verified = plant.facts(receipt)
    assert isinstance(received, PacketsReceived)
    assert isinstance(verified, ReadingsVerified)
    assert received.verdicts == (Tally("accepted", 24 * len(ROOFS)),)
    assert verified.verdicts == (Tally("accepted", 96 * len(ROOFS)),)
    assert verified.packets_root == received.segment.root
    reached = [plant.read_wh(f"{name}/export") for name in ROOFS]
    assert verified.counted_wh == sum(reached)
    assert all(0 < wh <= watts * 12 for wh, watts in zip(reached, ROOFS.values(), strict=True))


def test_what_is_refused_is_kept_beside_the_rest_and_moves_nothing(plant: Plant) -> None:
    good = plant.packets[: len(ROOFS)]
    forged = sign(packet_in(good[0]), SigningKey(bytes(32)))
    raws = [good[0], forged, good[1], b"garbled", good[1], good[2], good[3]]
    receipt = plant.do("mixed", lambda world: ingest(world, raws, AT_US))
    received, verified = plant.facts(receipt)
    assert isinstance(received, PacketsReceived)
    assert isinstance(verified, ReadingsVerified)
    assert received.verdicts == tuple(
        Tally(name, count) for name, count in (("accepted", 4), ("malformed", 1), ("bad_signature", 1), ("replayed", 1))
    )
    columns = plant.columns(receipt, 0)
    assert [bytes(raw) for raw in columns["packet"]] == raws
    assert columns["verdict"].tolist() == [0, 3, 0, 1, 4, 0, 0]


@pytest.mark.parametrize("raws", [[], [b""], [b"x", b"y"]])
def test_a_batch_with_nothing_good_in_it(plant: Plant, raws: list[bytes]) -> None:
    receipt = plant.do("bad", lambda world: ingest(world, raws, AT_US))
    assert len(plant.columns(receipt, 0)["verdict"]) == len(raws)
    assert len(plant.columns(receipt, 1)["verdict"]) == 0
    assert [plant.read_wh(f"{name}/export") for name in ROOFS] == [0] * len(ROOFS)


def test_a_register_that_went_back_counts_from_where_it_stood(plant: Plant) -> None:
    at_us = [DAYS[0].start_us + quarter * 900_000_000 for quarter in (1, 2, 3, 4)]
    raws = signed("roof-a", at_us, [100, 90, 99_999_999, 150], 0, FIRST)
    receipt = plant.do("back", lambda world: ingest(world, raws, AT_US))
    (_, verified) = plant.facts(receipt)
    assert isinstance(verified, ReadingsVerified)
    assert verified.verdicts == (Tally("accepted", 2), Tally("register_backward", 1), Tally("over_capacity", 1))
    assert verified.counted_wh == plant.read_wh("roof-a/export") == 150


def test_the_same_day_again_is_nothing_but_replays(plant: Plant) -> None:
    plant.ingested(0)
    digest = plant.world.books.registers.digest()
    raws = plant.packets[: 24 * len(ROOFS)]
    received, verified = plant.facts(plant.do("again", lambda world: ingest(world, raws, AT_US)))
    assert isinstance(received, PacketsReceived)
    assert isinstance(verified, ReadingsVerified)
    assert received.verdicts == (Tally("replayed", len(raws)),)
    assert verified.counted_wh == 0
    assert plant.world.books.registers.digest() == digest


def test_a_repeated_key_records_nothing_and_other_content_is_a_conflict(plant: Plant) -> None:
    raws = plant.packets[:4]
    first = plant.do("k", lambda world: ingest(world, raws, AT_US), asked=b"".join(raws))
    size = plant.world.books.size
    again = plant.do("k", lambda world: ingest(world, raws, AT_US), asked=b"".join(raws))
    assert (again.repeated, again.first_seq, plant.world.books.size) == (True, first.first_seq, size)
    with pytest.raises(Conflict):
        plant.do("k", lambda world: ingest(world, raws[:3], AT_US), asked=b"".join(raws[:3]))
    assert plant.world.books.size == size


def test_a_new_process_goes_on_where_the_devices_were(plant: Plant) -> None:
    plant.ingested(0)
    again: Sequencer[World] = Sequencer(plant.workspace.store, World, plant.workspace.sequencer._kinds)
    assert again.read(lambda world: world.energy.digest()) == plant.world.energy.digest()
    assert plant.world.energy.head_sequence[0] == 23
    before = sum(plant.read_wh(f"{name}/export") for name in ROOFS)
    receipt = plant.ingested(1)
    _, verified = plant.facts(receipt)
    assert isinstance(verified, ReadingsVerified)
    assert verified.counted_wh == sum(plant.read_wh(f"{name}/export") for name in ROOFS) - before > 0
    assert set(plant.columns(receipt, 0)["verdict"].tolist()) == {0}


def test_the_rack_is_metered_like_any_device(plant: Plant) -> None:
    done = plant.worked(0)
    assert plant.read_wh("rack-1/import") == int(np.sum(done.import_wh)) > MODEL.idle_w
    energy = plant.world.energy
    assert energy.head_sequence[energy.number("rack-1")] == 23
    assert energy.key(len(energy) - 1) == key_of("rack-1").public
