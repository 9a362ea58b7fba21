"""Whatever a field protocol says, a connector reads it or refuses it by code; nothing else comes out."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.connect.field_text import energy_mj_down, instant_us, power_mw_down
from penstock.connect.ocpp_meter import signed_records, unsigned_samples
from penstock.connect.prometheus import Target, read
from penstock.connect.sunspec_models import MODELS, number, text
from penstock.connect.vendor_dialect import dialects, shipped
from penstock.connect.vendor_history import in_order, positions_mj, read_rows
from penstock.errors import Invalid
from penstock.journal.nesting import nesting

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60)
JSON = st.recursive(
    SCALARS, lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=9), part, max_size=4)
)
METRIC = "kepler_node_cpu_joules_total"
BOUND = settings(max_examples=150, deadline=None)


@BOUND
@given(JSON, st.sampled_from(["Wh", "kWh", "W", ""]), st.integers(-40, 40))
def test_numbers_and_times(value: object, unit: str, power_of_ten: int) -> None:
    for reads in (energy_mj_down, power_mw_down):
        with suppress(Invalid):
            assert -1 <= reads(value, unit, power_of_ten) <= 2**63 * 3_600_000
    with suppress(Invalid):
        instant_us(value)


ROW = st.fixed_dictionaries({}, optional=dict.fromkeys(("end_at", "wh_del", "powr", "time", "total"), SCALARS))


@BOUND
@given(st.lists(ROW | JSON, max_size=5), st.sampled_from(dialects()))
def test_clouds_rows(rows: list[object], name: str) -> None:
    dialect = shipped(name)
    for body in ({"intervals": rows, "data": {"readings": rows}}, rows):
        with suppress(Invalid):
            good, _ = read_rows(body, dialect, ZoneInfo("Europe/Berlin"))
            ordered = in_order(good)
            assert all(before.at_us < after.at_us for before, after in pairwise(ordered))
            assert len(positions_mj(ordered, 5, dialect)) == len(ordered)


UNIT = st.fixed_dictionaries({}, optional={"unit": st.text(max_size=3), "multiplier": st.integers()})
SAMPLE = st.fixed_dictionaries(
    {"value": st.text(max_size=60) | st.floats()},
    optional={
        "format": st.sampled_from(["Raw", "SignedData"]),
        "unit": st.text(max_size=5),
        "measurand": st.sampled_from(["Energy.Active.Import.Register", "Power.Active.Import", "SoC"]),
        "signed_meter_value": st.fixed_dictionaries({"signed_meter_data": st.text(max_size=60)}),
        "unit_of_measure": st.fixed_dictionaries(
            {}, optional={"unit": st.text(max_size=3), "multiplier": st.integers()}
        ),
    },
)
VALUE = st.fixed_dictionaries({"timestamp": st.text(max_size=30), "sampled_value": st.lists(SAMPLE, max_size=3)})


@BOUND
@given(st.lists(VALUE, max_size=3))
def test_chargers_values(values: list[dict[str, object]]) -> None:
    assert all(one.raw for one in signed_records(values))
    samples, _ = unsigned_samples(values, "m", "ocpp1.6")
    assert all(len(one.at_us) == len(one.position_wh) == len(one.power_mw) > 0 for one in samples)


@BOUND
@given(st.lists(st.text(alphabet='{}="\\, \t#+-e0123456789NaInf_abc', max_size=40), max_size=4))
def test_exporters_pages(tails: list[str]) -> None:
    page = "\n".join(METRIC + tail for tail in tails)
    with suppress(Invalid):
        standings, _ = read(page, Target("http://rack", "rack", METRIC), {})
        assert all(one.position_mj >= 0 for one in standings.values())


@BOUND
@given(st.sampled_from(sorted(MODELS)), st.binary(min_size=300, max_size=300))
def test_inverters_registers(model: int, raw: bytes) -> None:
    registers = [int.from_bytes(raw[place : place + 2], "big") for place in range(0, 300, 2)]
    for name, point in MODELS[model][1].items():
        if point.kind == "string32":
            assert text(MODELS[model][1], registers, name).isascii()
        elif point.kind != "sunssf":
            found = number(MODELS[model][1], registers, name)
            if found is not None:
                with suppress(Invalid):
                    energy_mj_down(found[0], "Wh", found[1])


@pytest.mark.parametrize("text", ["[" * 1_000_000, '"' + "\\" * 100_000, '"' + '\\"' * 500_000, '{"a":"' * 100_000])
def test_nesting_is_counted_in_one_pass(text: str) -> None:
    assert nesting(text) >= 0
