"""Bundles over other forms of message, a key that changed, a counter that was reset and a fleet enrolled in bulk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cbor2
import forging
import pytest
from forging import Plain, edit_fact, edit_row
from mixed_world import FLEET_START_WH, MINER, MINER_KEY, NEW_KEY, OLD_KEY, MixedWorld
from small_world import LOG_KEY, ORIGIN

from penstock.journal.words import LinkKind, Right
from penstock.span import Span
from penstock.trace import verify as verifier
from penstock.trace.bundle import build_bundle, build_certificate_bundle
from penstock.trace.verify import UNSIGNED, VerificationError, verify, verify_certificate

Bundles = dict[str, bytes]
MORNING = "roof-b, by its old key"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedWorld]:
    made = MixedWorld(Path(tmp_path_factory.mktemp("mixed")))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def bundles(mixed: MixedWorld) -> Bundles:
    """The last answer from each roof, and from as few others as can be: its evening's; and one from the old key's."""
    found: dict[str, tuple[int, bytes]] = {}
    for number in range(0, len(mixed.world.books.links[LinkKind.SERVE]), 2):
        bundle = build_bundle(mixed.record, mixed.world.books, "rack-1", number)
        keys = {device: key for device, _, key in verify(bundle, LOG_KEY.public).roofs}
        roofs = [MORNING if key == OLD_KEY.public.hex() else device for device, key in keys.items()]
        for device in roofs:
            if len(roofs) <= found.get(device, (len(roofs), b""))[0]:
                found[device] = (len(roofs), bundle)
    return {device: bundle for device, (_, bundle) in found.items()}


def test_every_roof_proves_itself_in_its_own_way(bundles: Bundles) -> None:
    assert set(bundles) == {*MixedWorld.roofs, MORNING}
    evening = {device: raw for device, raw in bundles.items() if device != MORNING}
    keys = {device: {one: key for one, _, key in verify(raw).roofs}[device] for device, raw in evening.items()}
    assert keys == {MINER: MINER_KEY.address.hex(), "roof-b": NEW_KEY.public.hex(), "roof-c": UNSIGNED}


def test_the_report_says_what_no_meter_signed(bundles: Bundles) -> None:
    assert any("roof-c/export (vendor_attested)" in line for line in verify(bundles["roof-c"]).assumptions)
    assert not any("Not signed" in line for line in verify(bundles["roof-b"]).assumptions)


def test_every_certificate_proves_itself_in_whatever_form_it_was_read(mixed: MixedWorld) -> None:
    books, devices = mixed.world.books, set[str]()
    titles = books.titles[Right.ATTRIBUTE].columns()
    spans = zip(*(titles[name].tolist() for name in ("register", "start", "stop")), strict=True)
    for register, start, stop in spans:
        urn = books.registers.urn(register)
        report = verify_certificate(build_certificate_bundle(mixed.record, books, urn, Span(start, stop)))
        ((device, energy_wh, _),) = report.roofs
        assert energy_wh == stop - start
        devices.add(device)
    assert devices == set(MixedWorld.roofs)


def _seq(plain: Plain, kind: str) -> str:
    return str(next(fact["seq"] for fact in plain["facts"] if f'"kind":"{kind}"' in fact["body"]))


def _data(plain: Plain, seq: str) -> dict[str, str]:
    data: dict[str, str] = json.loads(forging.fact_of(plain, seq)["body"])["data"]
    return data


def _turned(plain: Plain, kind: str, name: str) -> None:
    seq = _seq(plain, kind)
    text = _data(plain, seq)[name]
    edit_fact(plain, seq, **{name: ("0" if text[0] != "0" else "1") + text[1:]})


def _without(plain: Plain, kind: str) -> None:
    seq = _seq(plain, kind)
    plain["lives"].remove(seq)
    plain["facts"] = [fact for fact in plain["facts"] if fact["seq"] != seq]


def _row_of(plain: Plain, form: str) -> str:
    for number, row in enumerate(plain["rows"]):
        segment = json.loads(forging.fact_of(plain, row["fact"])["body"])["data"].get("segment", {})
        if segment.get("format") == form:
            return str(number)
    raise LookupError(form)


def _report_altered(plain: Plain) -> None:
    for row in plain["rows"]:
        raw = bytes.fromhex(row["row"])
        at = raw.find(b'"dataList":["')
        if at > 0:
            row["row"] = (raw[: at + 30] + (b"1" if raw[at + 30 : at + 31] == b"0" else b"0") + raw[at + 31 :]).hex()


def _better_assured(plain: Plain) -> None:
    for number, row in enumerate(plain["rows"]):
        fact = json.loads(forging.fact_of(plain, row["fact"])["body"])
        if fact["data"].get("segment", {}).get("format") == "reading/2":
            level = forging.row_fields(plain, str(number))["assurance"]
            edit_row(plain, str(number), assurance=-level)
    edit_fact(plain, _seq(plain, "titles.issued"), assurance="meter_signed")


def _start_of_fleet(plain: Plain, start_wh: int) -> None:
    row = plain["rows"][int(_row_of(plain, "device/1"))]
    raw = bytes.fromhex(row["row"])
    said, other = cbor2.dumps([FLEET_START_WH]), cbor2.dumps([start_wh])
    assert raw.endswith(said)
    row["row"] = (raw.removesuffix(said) + other).hex()


def _other_device(plain: Plain) -> None:
    plain["fleet"][0]["device"] = "0"


DAMAGES: list[tuple[str, str, Callable[[Plain], None], str]] = [
    (
        "roof-b",
        "old key's word altered",
        lambda plain: _turned(plain, "key.rotated", "signature"),
        "bundle.device_life",
    ),
    ("roof-b", "new key's proof altered", lambda plain: _turned(plain, "key.rotated", "proof"), "bundle.device_life"),
    ("roof-b", "another new key", lambda plain: _turned(plain, "key.rotated", "public_key"), "bundle.device_life"),
    ("roof-b", "rotation left out", lambda plain: _without(plain, "key.rotated"), "bundle.device_life"),
    ("roof-b", "epoch left out", lambda plain: _without(plain, "epoch.opened"), "bundle.register_name"),
    (
        "roof-b",
        "epoch from elsewhere",
        lambda plain: edit_fact(plain, _seq(plain, "epoch.opened"), start_count_wh="5"),
        "bundle.device_life",
    ),
    (
        "roof-b",
        "life of another",
        lambda plain: edit_fact(plain, _seq(plain, "key.rotated"), device="roof-z"),
        "bundle.device_life",
    ),
    (
        MORNING,
        "another start",
        lambda plain: edit_fact(plain, _seq(plain, "device.enrolled"), start_counts_wh=["5"]),
        "bundle.reading_mismatch",
    ),
    (
        MORNING,
        "starts of channels it has not",
        lambda plain: edit_fact(plain, _seq(plain, "device.enrolled"), start_counts_wh=["5", "5"]),
        "bundle.fact_malformed",
    ),
    ("roof-c", "another start of a fleet's", lambda plain: _start_of_fleet(plain, 1_235), "bundle.reading_mismatch"),
    ("roof-c", "a start below nothing", lambda plain: _start_of_fleet(plain, -1), "bundle.row_malformed"),
    (MINER, "report altered", _report_altered, "bundle.packet_signature"),
    (
        MINER,
        "form of another",
        lambda plain: edit_row(plain, _row_of(plain, "packet/2"), form=1),
        "bundle.packet_malformed",
    ),
    ("roof-c", "better assured", _better_assured, "bundle.assurance"),
    ("roof-c", "another's number", _other_device, "bundle.device_name"),
    (
        "roof-c",
        "another's row",
        lambda plain: edit_row(plain, _row_of(plain, "device/1"), key_kind=200),
        "bundle.row_malformed",
    ),
]


@pytest.mark.parametrize(("roof", "name", "damage", "code"), DAMAGES, ids=[name for _, name, _, _ in DAMAGES])
def test_a_damage_sealed_anew_is_refused(
    bundles: Bundles, roof: str, name: str, damage: Callable[[Plain], None], code: str
) -> None:
    plain = forging.load(bundles[roof])
    damage(plain)
    raw = forging.dump(forging.reseal(plain, LOG_KEY, ORIGIN))
    with pytest.raises(VerificationError) as refusal:
        verify(raw)
    assert refusal.value.code == code, refusal.value.message


@pytest.mark.parametrize("form", verifier.FORMATS_BEFORE)
def test_a_bundle_of_a_version_before_is_read(bundle: bytes, form: str) -> None:
    plain = forging.load(bundle)
    assert plain["lives"] == plain["fleet"] == plain["accounts"] == []
    first, second, third = verifier.FORMATS_BEFORE
    for name in {first: ["accounts", "lives", "fleet"], second: ["accounts"], third: []}[form]:
        del plain[name]
    for roof in plain["claims"]["allocate"] if form != third else []:
        assert (roof.pop("stored"), roof.pop("foreign")) == ([], "")
    nothing = {"stated": "", "sealed": "", "first": "", "losses": []}
    assert (plain["claims"].pop("interval"), plain["claims"].pop("sale")) == (nothing, "")
    plain["format"] = form
    assert verify(forging.dump(plain)).number == verify(bundle).number
