"""Intake: a file of packets is recorded once; what is no file of packets is refused whole."""

from __future__ import annotations

from pathlib import Path

import cbor2
import pytest
from small_plant import Plant, roof_packets

from penstock.errors import Invalid, NotFound, PenstockError
from penstock.journal.words import Form
from penstock.usecases import intake
from penstock.usecases.intake import batches, ingest_file, packets_in
from penstock.usecases.workspace import Workspace

PACKETS = roof_packets(1)[:16]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A closed workspace with the plant enrolled."""
    plant = Plant(tmp_path / "ws").enrolled()
    plant.workspace.store.close()
    return tmp_path / "ws"


def size_of(folder: Path) -> int:
    with Workspace(folder, read_only=True) as opened:
        return opened.store.size()


def test_packets_come_out_as_they_went_in() -> None:
    odd = [b"\x05", b"\x9f\x01\xff", cbor2.dumps({"a": 1})]
    for packets in ([], PACKETS, [*odd, PACKETS[0]]):
        assert packets_in(b"".join(packets)) == packets


@pytest.mark.parametrize("tail", [b"\x82\x01", PACKETS[0][:-1], b"\x1c", b"\x5b" + b"\x7f" * 8, b"\x81" * 2_000])
def test_what_is_no_sequence_is_refused_at_its_byte(tail: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        packets_in(PACKETS[0] + tail)
    assert caught.value.code == "meter.not_a_sequence"
    assert caught.value.ids == {"at_byte": str(len(PACKETS[0]))}


def test_a_file_is_recorded_once(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "packets.cbor"
    file.write_bytes(b"".join([*PACKETS, b"\x05", PACKETS[3]]))
    first = ingest_file(folder, file)
    assert first == {
        "packets": 18,
        "packets accepted": 16,
        "packets malformed": 1,
        "packets replayed": 1,
        "readings accepted": 64,
    }
    size = size_of(folder)
    copy = tmp_path / "copy.cbor"
    copy.write_bytes(file.read_bytes())
    assert ingest_file(folder, file) == ingest_file(folder, copy) == first
    assert size_of(folder) == size


def test_a_file_that_is_no_sequence_records_nothing(folder: Path, tmp_path: Path) -> None:
    size = size_of(folder)
    file = tmp_path / "packets.cbor"
    file.write_bytes(b"\x82\x01")
    with pytest.raises(Invalid):
        ingest_file(folder, file)
    assert size_of(folder) == size


def test_of_a_torn_file_the_whole_packets_are_recorded_once(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "packets.cbor"
    file.write_bytes(b"".join(PACKETS) + b"\x82\x01")
    size = 0
    for _ in range(2):
        with pytest.raises(Invalid) as caught:
            ingest_file(folder, file)
        said = {"at_byte": str(len(b"".join(PACKETS))), "messages_recorded": str(len(PACKETS))}
        assert (caught.value.code, caught.value.ids) == ("meter.not_a_sequence", said)
        assert size_of(folder) == (size or size_of(folder))
        size = size_of(folder)
    file.write_bytes(b"".join(PACKETS))
    assert ingest_file(folder, file) == {"packets": len(PACKETS), "packets replayed": len(PACKETS)}


def test_another_file_with_the_same_packets_counts_nothing_twice(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "packets.cbor"
    file.write_bytes(b"".join(PACKETS))
    ingest_file(folder, file)
    file.write_bytes(b"".join(PACKETS[:5]))
    assert ingest_file(folder, file) == {"packets": 5, "packets replayed": 5}


def test_without_a_workspace_nothing_is_read(tmp_path: Path) -> None:
    file = tmp_path / "packets.cbor"
    file.write_bytes(PACKETS[0])
    with pytest.raises(PenstockError):
        ingest_file(tmp_path / "packets.cbor" / "ws", file)
    with pytest.raises((NotFound, FileNotFoundError)):
        ingest_file(tmp_path / "ws", tmp_path / "no such file")


def test_a_long_file_is_taken_in_by_parts_and_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "packets.cbor"
    file.write_bytes(b"".join([*PACKETS, b"\x05"]))
    monkeypatch.setattr(intake, "BATCH", 5)
    told: list[tuple[int, int]] = []
    found = ingest_file(folder, file, lambda done, of: told.append((done, of)))
    assert found == {"packets": 17, "packets accepted": 16, "packets malformed": 1, "readings accepted": 64}
    assert told == [(5, 17), (10, 17), (15, 17), (17, 17)]
    size = size_of(folder)
    assert ingest_file(folder, file) == found
    assert size_of(folder) == size


@pytest.mark.parametrize(("count", "bytes_max", "sizes"), [(3, 99, [3, 3, 1]), (9, 25, [2, 2, 2, 1]), (9, 5, [1] * 7)])
def test_parts_are_bounded_by_messages_and_by_bytes(
    count: int, bytes_max: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BATCH", count)
    monkeypatch.setattr(intake, "BATCH_BYTES", bytes_max)
    messages = [(Form.COSE, bytes([number]) * 10) for number in range(7)]
    parts = list(batches(messages))
    assert [len(part) for part in parts] == sizes
    assert [one for part in parts for one in part] == messages


def test_no_messages_are_one_empty_part() -> None:
    assert list(batches([])) == [[]]


def test_a_file_of_another_form_is_read_by_its_suffix(plant: Plant, tmp_path: Path) -> None:
    plant.workspace.store.close()
    file = tmp_path / "readings.csv"
    file.write_text("device,at,position_wh\nroof-a,2016-08-22T09:00:00-07:00,100\nroof-a,yesterday,200\n")
    counts = ingest_file(plant.workspace.path, file)
    assert counts["packets"] == counts["packets not_taken"] == 1  # a meter that signs is not believed on a file's word
    assert counts["rows not taken"] == 1
    assert ingest_file(plant.workspace.path, file) == counts
