"""Judging batches: forms, keys and their times, chains in columns as one by one, assurance levels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from energy_kit import START_US, applied, chain, devices, enrolled, hour, judge, key_of, packet

from penstock.energy.chain_order import judge_order
from penstock.energy.device import Devices
from penstock.energy.forms.cose import FIRST, packet_hash, sign
from penstock.energy.judge import prepare
from penstock.energy.message import Batch, joined
from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.journal.words import Form, Technology
from penstock.keys import KeyKind, PointKey, SigningKey, derive_seed
from penstock.period import HOUR_US

M = MessageVerdict
NOW_US = START_US + 10**12


def batch_of(raws: list[bytes], found: Devices, form: Form = Form.COSE) -> Batch:
    return prepare([(form, raw) for raw in raws], found)


def one_by_one(batch: Batch, verdict: list[int]) -> list[int]:
    """Chains as they are told: one message after the other, whatever its device."""
    heads: dict[int, tuple[int, bytes]] = {}
    said = []
    for row, before in enumerate(verdict):
        device, number = int(batch.device[row]), int(batch.sequence[row])
        head, hash_ = heads.get(device, (-1, FIRST))
        if before == 0 and number >= 0:
            if number <= head:
                before = M.REPLAYED
            elif number > head + 1:
                before = M.GAP
            elif batch.previous[row].tobytes() != hash_:
                before = M.FORKED
            else:
                heads[device] = (number, batch.hash[row].tobytes())
        said.append(int(before))
    return said


@pytest.mark.parametrize("mess", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_chains_in_columns_are_chains_one_by_one(seed: int, mess: float) -> None:
    dice = np.random.Generator(np.random.PCG64(seed))
    names = [f"roof-{number}" for number in range(7)]
    found = devices(*names)
    streams = [chain(name, 12) for name in names]
    for stream in streams:
        for place in range(len(stream)):
            if place and dice.random() < mess:
                other = int(dice.integers(1, len(stream)))
                stream[place], stream[other] = stream[other], stream[place]
            if dice.random() < mess / 4:
                stream[place] = sign(packet(names[0], place, b"\x07" * 32), key_of(names[0]))
            if place > 4 and dice.random() < mess / 4:
                stream[place] = b"garbled"
            if place > 4 and dice.random() < mess / 2:
                stream[place] = stream[0]
    raws = [stream[place] for place in range(12) for stream in streams]
    batch = batch_of(raws, found)
    verdict = batch.reached.copy()
    expected = one_by_one(batch, verdict.tolist())
    judge_order(batch, verdict, found)
    assert verdict.tolist() == expected
    if mess == 0.5:
        assert {0, int(M.REPLAYED), int(M.GAP), int(M.MALFORMED)} <= set(expected)


def test_pages_have_numbers_alone_and_may_begin_anywhere() -> None:
    found = devices("charger")
    raws = [sign(packet("charger", number), key_of("charger")) for number in (7, 8, 8, 10, 9)]
    batch = dataclasses.replace(batch_of(raws, found), form=np.full(5, Form.OCMF, np.uint8))
    verdict = np.zeros(5, np.uint8)
    judge_order(batch, verdict, found)
    assert verdict.tolist() == [0, 0, M.REPLAYED, M.GAP, 0]


def test_a_sequence_number_at_the_end_of_the_range_is_a_gap() -> None:
    found = devices("roof")
    raw = sign(packet("roof", 2**63 - 1, at_us=hour(0)), key_of("roof"))
    assert judge([raw], NOW_US, found).packets["verdict"].tolist() == [M.GAP]


@pytest.mark.parametrize("form", [Form.OCMF, Form.POGG, Form.CARRIED])
def test_bytes_of_another_form_are_malformed(form: Form) -> None:
    found = devices("roof")
    batch = batch_of([chain("roof", 1)[0], b""], found, form)
    assert batch.reached.tolist() == [M.MALFORMED, M.MALFORMED]
    assert batch.form.tolist() == [form, form]


def test_a_key_of_another_kind_than_enrolled_is_the_wrong_key() -> None:
    found = devices("roof")
    other = PointKey(KeyKind.P256, derive_seed(b"another", "roof"))
    assert batch_of([sign(packet("roof"), other)], found).reached.tolist() == [M.WRONG_KEY]


def test_batches_join_as_if_they_had_come_together() -> None:
    found = devices("roof", "hill")
    raws = [*chain("roof", 2), b"x", *chain("hill", 2)]
    whole = batch_of(raws, found)
    parts = joined([batch_of(raws[:2], found), batch_of(raws[2:3], found), batch_of(raws[3:], found)])
    for field in dataclasses.fields(Batch):
        assert getattr(whole, field.name).tolist() == getattr(parts, field.name).tolist(), field.name
        assert getattr(whole, field.name).dtype == getattr(parts, field.name).dtype, field.name


def test_findings_have_the_bit_of_the_verdict() -> None:
    found = devices("roof")
    one, two, three = chain("roof", 3)
    judged = judge([one, three, b"x", sign(packet("roof", 1), SigningKey(bytes(32)))], NOW_US, found)
    assert judged.packets["verdict"].tolist() == [0, M.GAP, M.MALFORMED, M.BAD_SIGNATURE]
    assert judged.packets["findings"].tolist() == [0, 1 << M.GAP, 1 << M.MALFORMED, 1 << M.BAD_SIGNATURE]
    assert judged.packets["assurance"].tolist() == [0] * 4
    assert judged.readings["assurance"].tolist() == [0] * 4
    assert two  # the missing one


def test_nothing_at_all_is_a_batch_too() -> None:
    judged = judge([], NOW_US, devices("roof"))
    assert all(len(column) == 0 for columns in (judged.packets, judged.readings) for column in columns.values())


def test_a_message_of_many_hours_is_walked_in_its_own_order() -> None:
    found = devices("roof")
    at_us = (*hour(0), *hour(1))
    raw = sign(packet("roof", at_us=at_us, position_wh=range(10, 90, 10)), key_of("roof"))
    judged = judge([raw], NOW_US, found)
    assert judged.readings["at_us"].tolist() == list(at_us)
    assert set(judged.readings["verdict"].tolist()) == {0}
    assert packet_hash(raw) == prepare([(Form.COSE, raw)], found).hash[0].tobytes()


def charging(meter: Devices, pieces: int) -> list[int]:
    """Six transactions of a charger, which stands still in all but the third, in so many batches: the verdicts."""
    stands, raws, previous = (50, 50, 70, 70, 70, 70), [], FIRST
    for number, wh in enumerate(stands):
        one = packet("charger", number, previous, position_wh=(wh - (20 if number == 2 else 0), wh))
        raws.append(sign(one, key_of("charger")))
        previous = packet_hash(raws[-1])
    verdicts: list[int] = []
    for part in np.array_split(np.array(raws, dtype=object), pieces):
        judged = judge(part.tolist(), START_US + 9 * HOUR_US, meter)
        applied(meter, judged.packets, judged.readings)
        verdicts += judged.readings["verdict"].tolist()
    return verdicts


@pytest.mark.parametrize("pieces", [1, 2, 6])
def test_a_charger_that_stands_still_is_refused_whatever_batches_it_sends(pieces: int) -> None:
    meter = Devices()
    meter.enrol(dataclasses.replace(enrolled("charger", 10_000), technology=Technology.CHARGER), 3)
    assert charging(meter, pieces) == [0] * 10 + [ReadingVerdict.REGISTER_FROZEN] * 2
    assert (meter.still[3], meter.still_wh[3]) == (3, 70)
