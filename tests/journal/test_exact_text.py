"""Text written in one pass is the canonical text, and only of what a reader would make the same value of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from fact_samples import AT_US, any_of, example_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import Invalid
from penstock.journal.canonical import dump, to_plain
from penstock.journal.exact_text import Inexact, text_writer
from penstock.journal.fact import FactBody, Kinds, encode
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.energy import DeviceEnrolled
from penstock.journal.kinds.ledger import AccountOpened, CheckpointSigned
from penstock.journal.words import Technology


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.KIND)
def test_the_text_is_the_canonical_text(kind: type[FactBody]) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(any_of(kind))
    def same(fact: Any) -> None:
        assert text_writer(kind)(fact).encode() == dump(to_plain(fact))

    same()


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.KIND)
def test_a_fact_is_recorded_as_it_is_read_back(kind: type[FactBody]) -> None:
    fact = example_of(kind)
    recorded = KINDS.record(fact, AT_US, 7)
    assert recorded == KINDS.decode(recorded.body, 7)
    assert recorded.body == encode(fact, AT_US)
    assert recorded.fact is fact  # by the short way


class Text(str):
    """A string that says it is more."""


class Other(StrEnum):
    """An enum of another field."""

    SOLAR = "solar_pv"


@dataclass(frozen=True, slots=True)
class Wide(DeviceEnrolled):
    """A fact with more behind it."""


def enrolled(**changes: Any) -> DeviceEnrolled:
    fields: dict[str, Any] = {"device": "d", "site": "s", "technology": Technology.SOLAR_PV, "public_key": b"k"}
    fields |= {"register": "r", "capacity_w": 2, "commissioned_us": 1, "tilt_deg": 180}
    return DeviceEnrolled(**fields | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"device": Text("d")},
        {"device": Technology.SOLAR_PV},
        {"device": 1},
        {"technology": "solar_pv"},
        {"technology": Other.SOLAR},
        {"public_key": "6b"},
    ],
)
def test_what_reads_back_otherwise_is_recorded_as_read(changes: dict[str, Any]) -> None:
    with pytest.raises(Inexact):
        text_writer(DeviceEnrolled)(enrolled(**changes))
    recorded = KINDS.record(enrolled(**changes), AT_US, 3)
    assert recorded == KINDS.decode(recorded.body, 3)
    assert recorded.body == encode(recorded.fact, AT_US)
    assert isinstance(recorded.fact, DeviceEnrolled)
    assert type(recorded.fact.device) is str
    assert type(recorded.fact.technology) is Technology
    assert type(recorded.fact.public_key) is bytes


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device", None),
        ("device", "\ud800"),
        ("technology", "tidal"),
        ("public_key", bytearray(b"k")),
        ("public_key", "k"),
        ("capacity_w", True),
        ("capacity_w", 2.0),
        ("capacity_w", np.int64(2)),
        ("capacity_w", 1 << 4_096),
        ("tilt_deg", False),
    ],
)
def test_what_cannot_be_read_back_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        KINDS.record(enrolled(**{field: value}), AT_US, 0)
    assert caught.value.code in ("canonical.type", "canonical.malformed")


def test_a_kind_unknown_here_is_refused() -> None:
    fields = [getattr(enrolled(), name) for name in DeviceEnrolled.__slots__]
    for fact in (Wide(*fields), CheckpointSigned(0, b"", "")):
        with pytest.raises(Invalid) as caught:
            Kinds([DeviceEnrolled]).record(fact, AT_US, 0)
        assert caught.value.code == "journal.unknown_kind"


@dataclass(frozen=True)
class Hinted:
    """Hints that no fact has."""

    anything: Any
    either: int | str
    listed: list[str]


@pytest.mark.parametrize("fact", [Hinted("a", 1, ["a"]), Hinted(1, "a", [])])
def test_a_hint_that_no_fact_has_is_not_written(fact: Hinted) -> None:
    with pytest.raises(Inexact):
        text_writer(Hinted)(fact)


@given(st.text())
def test_any_text_is_written_as_canonical_text(text: str) -> None:
    fact = AccountOpened(text)
    assert KINDS.record(fact, AT_US, 0).body == encode(fact, AT_US)
