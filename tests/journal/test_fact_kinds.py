"""Fact kinds: golden bytes, versions and upcasters."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from fact_samples import AT_US, example_of, golden

from penstock.errors import Invalid
from penstock.journal.canonical import Plain, dump
from penstock.journal.fact import FactBody, Kinds, encode
from penstock.journal.kinds import KINDS

GOLDEN = Path(__file__).parents[1] / "golden" / "facts.json"
HINT = "the bytes of a kind changed: raise its VERSION and add an upcaster"


@pytest.fixture(scope="module")
def written() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(GOLDEN.read_text("utf-8"))
    return found


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.KIND)
def test_the_bytes_of_a_kind_do_not_change(kind: type[FactBody], written: dict[str, dict[str, str]]) -> None:
    body = encode(example_of(kind), AT_US)
    expected = written.get(f"{kind.KIND}/{kind.VERSION}", {"body": "a new kind: write the golden file anew"})
    assert body.decode() == expected["body"], HINT
    assert hashlib.sha256(b"\x00" + body).hexdigest() == expected["leaf"]


def test_every_golden_body_is_still_read(written: dict[str, dict[str, str]]) -> None:
    for name, one in written.items():
        recorded = KINDS.decode(one["body"].encode(), 0)
        assert name.startswith(recorded.fact.KIND + "/")
    assert set(golden()) <= set(written)


def test_kinds_have_names_of_their_own() -> None:
    names = [kind.KIND for kind in KINDS]
    assert len(names) == len(set(names))
    assert all(kind.VERSION >= 1 for kind in KINDS)


def body_of(kind: str, version: str, data: Plain, at_us: str = "5") -> bytes:
    return dump({"at_us": at_us, "data": data, "kind": kind, "v": version})


@dataclass(frozen=True)
class Weighed:
    """Version 3 of a kind that once said its grams in kilograms, and before that had no scale."""

    KIND: ClassVar[str] = "test.weighed"
    VERSION: ClassVar[int] = 3
    grams: int
    scale: str


def to_2(data: dict[str, Plain]) -> dict[str, Plain]:
    return {"kilograms": data["kilograms"], "scale": "unknown"}


def to_3(data: dict[str, Plain]) -> dict[str, Plain]:
    return {"grams": f"{data['kilograms']}000", "scale": data["scale"]}


OLD = {("test.weighed", 1): to_2, ("test.weighed", 2): to_3}


def test_an_old_version_is_read_through_every_upcaster() -> None:
    kinds = Kinds([Weighed], OLD)
    assert kinds.decode(body_of("test.weighed", "1", {"kilograms": "7"}), 0).fact == Weighed(7_000, "unknown")
    assert kinds.decode(body_of("test.weighed", "2", {"kilograms": "7", "scale": "b"}), 0).fact == Weighed(7_000, "b")
    assert kinds.decode(body_of("test.weighed", "3", {"grams": "7", "scale": "b"}), 0).fact == Weighed(7, "b")


def test_the_recorded_body_stays_as_it_was_written() -> None:
    body = body_of("test.weighed", "1", {"kilograms": "7"})
    assert Kinds([Weighed], OLD).decode(body, 0).body == body


@pytest.mark.parametrize("version", ["4", "0", "-1", "99999999999999999999"])
def test_a_version_without_a_way_to_it_is_refused(version: str) -> None:
    with pytest.raises(Invalid) as caught:
        Kinds([Weighed], OLD).decode(body_of("test.weighed", version, {"grams": "7", "scale": "b"}), 3)
    assert caught.value.code == "fact.unknown_version"
    assert caught.value.ids == {"seq": "3"}


def test_an_old_version_without_its_upcaster_is_refused() -> None:
    kinds = Kinds([Weighed], {("test.weighed", 2): to_3})
    with pytest.raises(Invalid) as caught:
        kinds.decode(body_of("test.weighed", "1", {"kilograms": "7"}), 0)
    assert caught.value.code == "fact.unknown_version"


def test_a_version_does_not_pass_for_another() -> None:
    with pytest.raises(Invalid) as caught:
        Kinds([Weighed], OLD).decode(body_of("test.weighed", "3", {"kilograms": "7", "scale": "b"}), 0)
    assert caught.value.code == "canonical.malformed"


def test_a_kind_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        KINDS.decode(body_of("no.such", "1", {}), 9)
    assert (caught.value.code, caught.value.ids) == ("fact.unknown_kind", {"seq": "9"})


@pytest.mark.parametrize(
    "plain",
    [
        [],
        "text",
        None,
        {"at_us": "5", "data": {}, "kind": "test.weighed"},
        {"at_us": "5", "data": {}, "kind": "test.weighed", "v": "3", "more": ""},
        {"at_us": "5", "data": {}, "kind": "test.weighed", "v": "three"},
        {"at_us": "5", "data": {}, "kind": "test.weighed", "v": "03"},
        {"at_us": "5", "data": {}, "kind": "test.weighed", "v": ["3"]},
        {"at_us": "5", "data": {}, "kind": "test.weighed", "v": None},
        {"at_us": "now", "data": {"grams": "7", "scale": "b"}, "kind": "test.weighed", "v": "3"},
        {"at_us": "05", "data": {"grams": "7", "scale": "b"}, "kind": "test.weighed", "v": "3"},
        {"at_us": None, "data": {"grams": "7", "scale": "b"}, "kind": "test.weighed", "v": "3"},
        {"at_us": "5", "data": None, "kind": "test.weighed", "v": "3"},
    ],
)
def test_what_is_no_fact_is_invalid(plain: Plain) -> None:
    with pytest.raises(Invalid) as caught:
        Kinds([Weighed], OLD).decode(dump(plain), 0)
    assert caught.value.code == "canonical.malformed"
