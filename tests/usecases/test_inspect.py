"""Inspect: rows that say what the facts say."""

from __future__ import annotations

import pytest
from small_plant import DAYS, ROOFS, Plant, key_of, signed

from penstock.energy.forms.cose import FIRST, packet_hash, packet_in, sign
from penstock.energy.verdict import PACKETS_EXPLAINED, READINGS_EXPLAINED, MessageVerdict, ReadingVerdict
from penstock.errors import NotFound
from penstock.keys import SigningKey
from penstock.period import iso
from penstock.usecases import inspect
from penstock.usecases.ingest import ingest


def test_devices(lived: Plant) -> None:
    rows = inspect.devices(lived.workspace)
    assert [row["device"] for row in rows] == [*ROOFS, "rack-1"]
    first = rows[0]
    assert first["read_wh"] == lived.read_wh("roof-a/export")
    assert first["packets"] == 48
    assert first["public_key"] == key_of("roof-a").public.hex()
    mine = [raw for raw in lived.packets if packet_in(raw).device == "roof-a"]
    assert first["last_packet"] == packet_hash(mine[-1]).hex()
    assert (rows[-1]["technology"], rows[0]["technology"]) == ("rack", "solar_pv")


def test_metering(lived: Plant) -> None:
    found = inspect.metering(lived.workspace)
    assert found["packets"] == {"accepted": 48 * (len(ROOFS) + 1)}
    assert found["readings"] == {"accepted": 192 * (len(ROOFS) + 1)}
    assert found["counted_wh"] == sum(row["read_wh"] for row in inspect.devices(lived.workspace))
    assert inspect.refusals(lived.workspace) == []


def test_refusals_are_explained_in_the_words_of_what_was_refused(plant: Plant) -> None:
    """Codes 1 to 3 stand for other things on packets than on readings."""
    at_us = [DAYS[0].start_us + quarter * 900_000_000 for quarter in range(1, 9)]
    first = signed("roof-a", at_us[:4], [100, 100, 100, 110], 0, FIRST)[0]
    times = (at_us[4], at_us[4], at_us[5], at_us[6])
    second = signed("roof-a", times, [120, 121, 119, 99_999_999], 1, packet_hash(first))[0]
    raws = [
        first,
        b"garbled",
        sign(packet_in(second), SigningKey(bytes(32))),
        signed("stranger", at_us[:1], [1], 5, FIRST)[0],
        first,
        signed("roof-b", at_us[:1], [1], 3, FIRST)[0],
        signed("roof-a", at_us[4:5], [130], 1, FIRST)[0],
        second,
    ]
    plant.do("bad ones", lambda world: ingest(world, raws, DAYS[0].stop_us))
    rows = inspect.refusals(plant.workspace)
    P, R = MessageVerdict, ReadingVerdict
    expected = [
        (P.MALFORMED, "unknown", -1),
        (P.BAD_SIGNATURE, "roof-a", 1),
        (P.UNKNOWN_DEVICE, "unknown", 5),
        (P.REPLAYED, "roof-a", 0),
        (P.GAP, "roof-b", 3),
        (P.FORKED, "roof-a", 1),
        (R.TIME_BACKWARD, "roof-a", 1),
        (R.REGISTER_BACKWARD, "roof-a", 1),
        (R.OVER_CAPACITY, "roof-a", 1),
    ]
    assert [(row["verdict"], row["device"], row["sequence"]) for row in rows] == [
        (verdict.name.lower(), device, sequence) for verdict, device, sequence in expected
    ]
    for row, (verdict, _, _) in zip(rows, expected, strict=True):
        words = PACKETS_EXPLAINED.get(verdict, "") if isinstance(verdict, P) else READINGS_EXPLAINED[R(verdict)]
        assert row["why"] == words
    assert [row["position_wh"] for row in rows[-3:]] == [121, 119, 99_999_999]
    assert [row["at"] for row in rows[-3:]] == [iso(at) for at in times[1:]]
    assert all(row["at"] == iso(DAYS[0].stop_us) for row in rows[:-3])


def test_refusals_of_several_batches_name_their_own_devices(plant: Plant) -> None:
    for number, name in enumerate(("roof-c", "roof-d")):
        at_us = [DAYS[0].start_us + 900_000_000]
        raws = [b"x"] * number + signed(name, at_us, [10**9], 0, FIRST)
        plant.do(f"batch {number}", lambda world, raws=raws: ingest(world, raws, DAYS[0].stop_us))  # type: ignore[misc]
    rows = inspect.refusals(plant.workspace)
    assert [(row["device"], row["verdict"]) for row in rows] == [
        ("roof-c", "over_capacity"),
        ("unknown", "malformed"),
        ("roof-d", "over_capacity"),
    ]


def test_certificates(lived: Plant) -> None:
    every = inspect.certificates(lived.workspace, limit=10**6)
    totals = inspect.certificate_totals(lived.workspace)
    assert totals["titles"] == len(every)
    assert totals["issued_wh"] == sum(row["energy_wh"] for row in every)
    assert totals["issued_wh"] == sum(lived.read_wh(f"{name}/export") for name in ROOFS)
    assert totals["by_state_wh"]["claimed"] == lived.read_wh("rack-1/import")
    assert sum(totals["by_state_wh"].values()) == totals["issued_wh"]
    mine = inspect.certificates(lived.workspace, "roof-b", 10**6)
    assert mine == [row for row in every if row["holder"] == "roof-b"]
    assert mine
    assert inspect.certificates(lived.workspace, limit=3) == every[:3]
    with pytest.raises(NotFound) as caught:
        inspect.certificates(lived.workspace, "nobody")
    assert caught.value.code == "account.unknown"


def test_deals(lived: Plant) -> None:
    (row,) = inspect.deals(lived.workspace)
    assert (row["deal"], row["periods"], row["assets"]) == ("first", 2, ["rack-1"])
    assert row["collected_usdc_micro"] == lived.read_wh("first/collect")
    assert row["state"] == lived.world.capital.deal("first").closed[-1].state


def test_deal_periods(lived: Plant) -> None:
    rows = inspect.deal_periods(lived.workspace, "first")
    assert [row["period"] for row in rows] == [0, 1]
    assert [row["stop"] for row in rows] == [iso(day.stop_us) for day in DAYS]
    for row in rows:
        by_target: dict[str, int] = {}
        for step in row["steps"]:
            by_target[step["target"]] = by_target.get(step["target"], 0) + step["paid_usdc_micro"]
            assert step["label"]
        assert by_target["first/paid/servicer"] == 40 * 10**6
        assert {"due", "cash"} <= {step["limit"] for step in row["steps"]}
    with pytest.raises(NotFound):
        inspect.deal_periods(lived.workspace, "second")


def test_balances(lived: Plant) -> None:
    found = inspect.balances(lived.workspace, "first")
    assert found == {name: lived.balance(f"first/{name}") for name in ("collect", "dsra", "trap")}
    assert found["collect"] == 0
