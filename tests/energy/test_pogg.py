"""PoGG to the byte: the published report, what must not recover to its address, hostile reports."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from coincurve import PublicKey
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.energy.forms.pogg import SAMPLES_MAX, base58_decoded, parse, preimage
from penstock.energy.message import NO_SEQUENCE
from penstock.errors import Invalid
from penstock.keys import KeyKind, Scheme, recover

DATA = Path(__file__).parents[3] / "shared" / "data" / "arkreen"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data/arkreen is not present")
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
MINER = PrivateKey(bytes(range(1, 33)))
ADDRESS = "0x" + MINER.public_key.to_canonical_address().hex()


def sheet() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "expected.json").read_text("utf-8"))
    return found


def published() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "pogg_report.json").read_text("utf-8"))
    return found


@needs_data
def test_the_published_report_to_the_byte() -> None:
    said, expected = parse((DATA / "pogg_report.json").read_bytes()), sheet()
    address = bytes.fromhex(expected["address"][2:])
    assert said.device == expected["address"].lower()
    assert len(said.signed) == expected["signature"]["signed_message_bytes"]
    assert keccak(said.signed).hex() == expected["signature"]["keccak256"]
    signature = expected["signature"]["r"] + expected["signature"]["s"] + f"{expected['signature']['v']:02x}"
    assert said.signature.hex() == signature
    assert (said.key_kind, said.scheme) == (KeyKind.ETH_ADDRESS, Scheme.ETH_KECCAK_RSV)
    assert recover(said.signed, said.signature) == address
    assert said.is_signed_by(address)
    samples = expected["samples"]
    assert said.at_us == tuple(sample["timestamp_s"] * 1_000_000 for sample in samples)
    assert said.power_mw == tuple(sample["power_mw"] for sample in samples)
    assert said.position_wh == tuple(sample["energy_mwh"] // 1_000 for sample in samples)


def variants(params: dict[str, Any]) -> dict[str, tuple[bytes, bytes]]:
    """What must not recover to the address: signed bytes and signature of each."""
    version, address, samples = params["version"], params["address"], params["dataList"]
    good, signature = preimage(version, address, samples), base58_decoded(params["signature"])
    by_name = json.dumps({"address": address, "dataList": samples, "version": version}, separators=(",", ":")).encode()
    stronger = samples[0][:12] + f"{int(samples[0][12:24], 16) + 1:012x}" + samples[0][24:]
    return {
        "alphabetic_field_order": (by_name, signature),
        "lower_case_address": (preimage(version, address.lower(), samples), signature),
        "other_recovery_bit": (good, signature[:64] + bytes([1 - signature[64]])),
        "first_sample_power_plus_1_mw": (preimage(version, address, [stronger, *samples[1:]]), signature),
        "last_sample_dropped": (preimage(version, address, samples[:-1]), signature),
    }


@needs_data
@pytest.mark.parametrize(
    "name",
    [
        "alphabetic_field_order",
        "lower_case_address",
        "other_recovery_bit",
        "first_sample_power_plus_1_mw",
        "last_sample_dropped",
    ],
)
def test_what_must_not_recover_recovers_to_another(name: str) -> None:
    signed, signature = variants(published()["params"])[name]
    expected = sheet()["must_not_recover_to_address"][name]["recovered"]
    assert "0x" + recover(signed, signature).hex() == expected.lower() != sheet()["address"].lower()


@needs_data
def test_sha256_in_place_of_keccak256_is_not_ours() -> None:
    said, expected = parse((DATA / "pogg_report.json").read_bytes()), sheet()["must_not_recover_to_address"]
    key = PublicKey.from_signature_and_message(said.signature, hashlib.sha256(said.signed).digest(), hasher=None)
    other = "0x" + keccak(key.format(compressed=False)[1:])[12:].hex()
    assert other == expected["sha256_in_place_of_keccak256"]["recovered"].lower()
    assert "0x" + recover(said.signed, said.signature).hex() != other


def sample(second: int = 1_700_000_000, power_mw: int = 5, mwh: int = 7_999) -> str:
    return f"01{second:010x}{power_mw:012x}{mwh:016x}"


def report(samples: list[str] | None = None, address: str = ADDRESS, **fields: Any) -> bytes:
    """A report as a miner of ours would sign it, with fields replaced; None takes one out."""
    samples = [sample()] if samples is None else samples
    raw = MINER.sign_msg_hash(keccak(preimage(1, address, samples))).to_bytes()
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = ALPHABET[rest] + text
    text = "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text
    params = {"version": 1, "address": address, "dataList": samples, "signature": text} | fields
    return json.dumps({name: value for name, value in params.items() if value is not None}).encode()


def test_a_report_of_ours_and_its_order() -> None:
    samples = [sample(1_700_000_600, 9, 9_000), sample(), sample(1_700_000_300, 2, 8_000)]
    said = parse(report(samples))
    assert said.is_signed_by(MINER.public_key.to_canonical_address())
    assert said.at_us == (1_700_000_000_000_000, 1_700_000_300_000_000, 1_700_000_600_000_000)
    assert (said.position_wh, said.power_mw) == ((7, 8, 9), (5, 2, 9))
    assert (said.sequence, said.previous) == (NO_SEQUENCE, b"")
    assert parse(report(address=ADDRESS.upper().replace("X", "x"))).device == ADDRESS


def test_the_largest_sample_fits() -> None:
    said = parse(report(["01" + "f" * 38]))
    assert said.at_us == ((2**40 - 1) * 1_000_000,)
    assert said.position_wh == ((2**64 - 1) // 1_000,)


HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "deep": b'{"params":' * 9 + b"1" + b"}" * 9,
    "deep without end": b"[" * 60_000,
    "another method": b'{"method":"tx_other","params":{}}',
    "no params": b'{"method":"tx_reportMinerPoGG"}',
    "params a list": b'{"method":"tx_reportMinerPoGG","params":[]}',
    "a name twice": report()[:-1] + b',"version":1}',
    "one more": report(extra=1),
    "version 2": report(version=2),
    "version true": report(version=True),
    "version a decimal": report().replace(b'"version": 1', b'"version": 1.0'),
    "no address": report(address="0x"),
    "an address of another length": report(address=ADDRESS + "00"),
    "an address with a break": report(address=ADDRESS + "\n"),
    "an address with a quote": report(address='0x","x":"' + "0" * 33),
    "address a number": report().replace(ADDRESS.encode(), b"", 1).replace(b'"address": ""', b'"address": 5'),
    "no samples": report([]),
    "too many samples": report([sample()] * (SAMPLES_MAX + 1)),
    "samples a text": report(dataList=sample()),
    "sample a number": report(dataList=[5]),
    "sample of version 2": report(["02" + sample()[2:]]),
    "sample in upper case": report([sample(power_mw=0xABC).upper()]),
    "sample with 0x": report(["0x" + sample()]),
    "sample too short": report([sample()[:-1]]),
    "sample with a break": report([sample() + "\n"]),
    "signature missing": report(signature=None),
    "signature a number": report(signature=5),
    "signature empty": report(signature=""),
    "signature of another alphabet": report(signature="0" * 88),
    "signature too short": report(signature="2"),
    "signature too long": report(signature="z" * 89),
    "signature of nothing but zeros more": report(signature="1" * 89),
    "not UTF-8": report().replace(b"0x", b"\xff\xff"),
    "too long": report(extra="x" * 70_000),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_what_is_malformed_is_invalid(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        parse(raw)
    assert caught.value.code == "pogg.malformed"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*(st.integers(0, 2**bits - 1) for bits in (40, 48, 64))), min_size=1, max_size=5))
def test_a_report_survives_its_text(rows: list[tuple[int, int, int]]) -> None:
    said = parse(report([sample(*row) for row in rows]))
    ordered = sorted((second, mwh, power_mw) for second, power_mw, mwh in rows)
    assert said.at_us == tuple(second * 1_000_000 for second, _, _ in ordered)
    assert said.position_wh == tuple(mwh // 1_000 for _, mwh, _ in ordered)
    assert said.power_mw == tuple(power_mw for _, _, power_mw in ordered)
    assert said.is_signed_by(MINER.public_key.to_canonical_address())


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=40), st.integers(0, len(report()) - 1))
def test_any_bytes_are_a_report_or_invalid(raw: bytes, at: int) -> None:
    good = report()
    for each in (raw, good[:at] + raw + good[at:], good[:at] + raw):
        try:
            said = parse(each)
        except Invalid as error:
            assert error.code == "pogg.malformed"
        else:
            assert said.is_signed_by(MINER.public_key.to_canonical_address()) == (json.loads(each) == json.loads(good))
