"""Canonical JSON: every fact survives its bytes, and no fact has two forms."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from fact_samples import AT_US, any_of, example_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import Invalid
from penstock.journal.canonical import Plain, dump, from_plain, load, to_plain
from penstock.journal.fact import FactBody, encode
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.energy import DeviceEnrolled
from penstock.journal.kinds.ledger import AccountOpened, CheckpointSigned
from penstock.journal.words import Technology

plain = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.KIND)
def test_every_kind_survives_its_bytes(kind: type[FactBody]) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(any_of(kind), st.integers(0, 2**62))
    def survives(fact: Any, at_us: int) -> None:
        body = encode(fact, at_us)
        back = KINDS.decode(body, 7)
        assert (back.fact, back.at_us, back.seq, back.body) == (fact, at_us, 7, body)
        assert type(back.fact) is kind
        assert encode(back.fact, back.at_us) == body

    survives()


@given(plain)
def test_plain_values_survive(value: Any) -> None:
    assert load(dump(value)) == value


@given(plain)
def test_the_form_is_compact_sorted_utf_8(value: Any) -> None:
    said = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert dump(value) == said.encode()


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.KIND)
def test_no_other_form_of_a_fact_is_read(kind: type[FactBody]) -> None:
    body = encode(example_of(kind), AT_US)
    value = json.loads(body)
    others = (
        {
            json.dumps(value, sort_keys=True, ensure_ascii=False).encode(),
            json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, indent=0).encode(),
            json.dumps(dict(reversed(value.items())), separators=(",", ":"), ensure_ascii=False).encode(),
            json.dumps(value, sort_keys=True, separators=(",", ":")).encode(),  # \u escapes
            body.replace(b'"at_us"', b'"\\u0061t_us"'),
            b" " + body,
            body + b"\n",
            b"\xef\xbb\xbf" + body,
            body.decode().encode("utf-16"),
            body.replace(b'{"at_us"', b'{"at_us":"0","at_us"', 1),
            body.replace(f'"at_us":"{AT_US}"'.encode(), f'"at_us":{AT_US}'.encode()),
            body[:-1],
        }
        - {body}
    )
    assert len(others) >= 10
    for other in others:
        with pytest.raises(Invalid) as caught:
            KINDS.decode(other, 0)
        assert caught.value.code == "canonical.malformed", other


MALFORMED = [
    b"",
    b"{",
    b"nul",
    b"1",
    b"-0",
    b"1.5",
    b'{"a":1e9}',
    b"NaN",
    b"Infinity",
    b"[-Infinity]",
    b'"\xff"',
    b'"\\ud800"',
    b'{"\\udfff":""}',
    b'"\xed\xa0\x80"',
    b"\x00",
    b'"a\nb"',
    b"[" * 100_000,
    b"[" * 50_000 + b"]" * 50_000,
    b'{"a":"1","a":"1"}',
    b'["' + b"9" * 5_000 + b'",]',
]


@pytest.fixture
def usual_depth() -> Iterator[None]:
    """A recursion limit that the C stack bears; some libraries raise it far beyond."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("usual_depth")
@pytest.mark.parametrize("raw", MALFORMED, ids=lambda raw: raw[:12])
def test_what_is_not_canonical_is_invalid_and_never_a_crash(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        load(raw)
    assert caught.value.code == "canonical.malformed"


@given(st.binary(max_size=30) | st.text(alphabet='{}[]",:\\u0aNtf ', max_size=20).map(str.encode))
def test_any_bytes_are_read_or_invalid(raw: bytes) -> None:
    try:
        value = load(raw)
    except Invalid as error:
        assert error.code == "canonical.malformed"
    else:
        assert dump(value) == raw


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc00\ud800"])
def test_half_a_surrogate_pair_is_refused_before_it_is_written(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        encode(AccountOpened(text), AT_US)
    assert caught.value.code == "canonical.type"


def test_a_pair_is_one_character() -> None:
    assert load('"🌞"'.encode()) == "🌞"
    with pytest.raises(Invalid):
        load(b'"\\ud83c\\udf1e"')


@pytest.mark.parametrize("bits", [4_096, 20_000, 1_000_000])
def test_a_huge_number_is_refused_before_it_is_written(bits: int) -> None:
    for value in (1 << bits, -(1 << bits)):
        with pytest.raises(Invalid) as caught:
            to_plain(value)
        assert caught.value.code == "canonical.type"


@pytest.mark.parametrize("digits", [1_300, 5_000, 1_000_000])
def test_a_huge_number_is_not_read(digits: int) -> None:
    with pytest.raises(Invalid) as caught:
        from_plain(int, "9" * digits)
    assert caught.value.code == "canonical.malformed"


@given(st.integers(-(2**4096) + 1, 2**4096 - 1))
def test_whole_numbers_travel_as_digits(value: int) -> None:
    assert to_plain(value) == str(value)
    assert from_plain(int, str(value)) == value


@pytest.mark.parametrize("text", ["", "01", "+1", "-0", " 1", "1 ", "1_0", "1.0", "0x1", "\u0661", "\uff11", "1e3"])
def test_a_number_has_one_spelling(text: str) -> None:
    with pytest.raises(Invalid):
        from_plain(int, text)


@pytest.mark.parametrize("text", ["AB", "aB", "a", "ab cd", " ab", "0xab", "g0"])
def test_bytes_have_one_spelling(text: str) -> None:
    with pytest.raises(Invalid):
        from_plain(bytes, text)
    assert from_plain(bytes, "abcd") == b"\xab\xcd"


def enrolled() -> DeviceEnrolled:
    return DeviceEnrolled("d", "s", Technology.SOLAR_PV, b"k", "r", 1, 2, None, 180)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device", None),
        ("device", ["d"]),
        ("technology", "tidal"),
        ("technology", ["solar_pv"]),
        ("public_key", None),
        ("capacity_w", None),
        ("capacity_w", True),
        ("capacity_w", "1.0"),
        ("tilt_deg", ""),
        ("tilt_deg", []),
    ],
)
def test_a_field_of_another_type_is_refused(field: str, value: Any) -> None:
    fields = to_plain(enrolled())
    assert isinstance(fields, dict)
    assert from_plain(DeviceEnrolled, fields) == enrolled()
    with pytest.raises(Invalid):
        from_plain(DeviceEnrolled, fields | {field: value})


def test_fields_missing_or_extra_are_refused() -> None:
    fields = to_plain(enrolled())
    assert isinstance(fields, dict)
    others: list[Plain] = [fields | {"more": "1"}, {name: fields[name] for name in list(fields)[1:]}, [], None, "d"]
    for other in others:
        with pytest.raises(Invalid):
            from_plain(DeviceEnrolled, other)


@dataclass(frozen=True)
class Holding:
    """A fact that holds what no fact may."""

    value: Any


@pytest.mark.parametrize("value", [1.0, float("nan"), [1], {"a": 1}, {1}, np.int64(3), np.float64(2), object(), 1j])
def test_facts_hold_only_what_json_cannot_blur(value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        to_plain(Holding(value))
    assert caught.value.code == "canonical.type"


def test_numbers_and_bytes_in_the_bytes() -> None:
    said = dump(to_plain(CheckpointSigned(2**64, b"\x00\xff", "é\n")))
    assert said == '{"note":"é\\n","root":"00ff","size":"18446744073709551616"}'.encode()
