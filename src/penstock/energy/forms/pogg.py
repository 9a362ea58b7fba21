"""Arkreen's signed generation report (PoGG), as API miners send it in JSON-RPC: ``tx_reportMinerPoGG``.

Source: Arkreen's API miner documentation. A sample is 20 bytes, big-endian, in 40 lower-case hex digits: version 01,
time [s, 5 bytes], power [mW, 6], register [mWh, 8]. Signed is keccak256 of the compact JSON of version, address and
dataList in that order, the address as it was sent; the signature is r || s || v in base58, v 0 or 1, and the key is
known by its address. The signed bytes hold no number and no hash of the report before, so replay is found by what
the register already counted. Samples come oldest or newest first.
"""

from __future__ import annotations

import re
from typing import Any, Final

from penstock.energy.forms.json_text import read_json
from penstock.energy.message import NO_SEQUENCE, Clock, MeterState, Said
from penstock.errors import Invalid
from penstock.keys import KeyKind, Scheme
from penstock.period import SECOND_US

REPORT_BYTES_MAX: Final = 65_536
SAMPLES_MAX: Final = 1_024
MWH_PER_WH: Final = 1_000
METHOD: Final = "tx_reportMinerPoGG"
_DEPTH: Final = 4
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_SAMPLE: Final = re.compile(r"01[0-9a-f]{38}", re.ASCII)
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SIGNATURE_BYTES: Final = 65
_SIGNATURE_CHARS_MAX: Final = 89
"""As many as 65 bytes can need."""


def parse(raw: bytes) -> Said:
    """Read a report, the JSON-RPC request or its ``params`` alone, without believing it.

    Raises:
        Invalid: ``pogg.malformed``.
    """
    try:
        return _parse(raw)
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        raise Invalid("pogg.malformed", "This is not a signed generation report.") from None


def preimage(version: int, address: str, samples: list[str]) -> bytes:
    """The bytes whose keccak256 is signed."""
    listed = ",".join(f'"{sample}"' for sample in samples)
    return f'{{"version":{version},"address":"{address}","dataList":[{listed}]}}'.encode()


def _parse(raw: bytes) -> Said:
    if len(raw) > REPORT_BYTES_MAX:
        raise ValueError("too long")
    params = _params(read_json(raw, _DEPTH))
    version, address, samples = params["version"], params["address"], params["dataList"]
    if type(version) is not int or version != 1 or not _ADDRESS.fullmatch(address):
        raise ValueError("not of a version and an address")
    if type(samples) is not list or not 0 < len(samples) <= SAMPLES_MAX:
        raise ValueError("no samples, or too many")
    readings = sorted(map(_sample, samples))
    count = len(readings)
    return Said(
        device=address.lower(),
        sequence=NO_SEQUENCE,
        previous=b"",
        channel=(0,) * count,
        at_us=tuple(at_us for at_us, _, _ in readings),
        position_wh=tuple(mwh // MWH_PER_WH for _, mwh, _ in readings),
        power_mw=tuple(power_mw for _, _, power_mw in readings),
        clock=(Clock.SYNCHRONISED,) * count,
        meter=(MeterState.GOOD,) * count,
        scheme=Scheme.ETH_KECCAK_RSV,
        signed=preimage(version, address, samples),
        signature=base58_decoded(params["signature"]),
        key_kind=KeyKind.ETH_ADDRESS,
    )


def _params(body: Any) -> dict[str, Any]:
    if type(body) is not dict:
        raise ValueError("not an object")
    if "method" in body:
        if body["method"] != METHOD:
            raise ValueError("another method")
        body = body["params"]
    if type(body) is not dict or body.keys() != {"version", "address", "dataList", "signature"}:
        raise ValueError("not these four")
    return body


def _sample(text: Any) -> tuple[int, int, int]:
    """Instant [us], register [mWh], power [mW]."""
    if not _SAMPLE.fullmatch(text):
        raise ValueError("not a sample")
    raw = bytes.fromhex(text)
    second, power_mw, mwh = (int.from_bytes(raw[start:stop], "big") for start, stop in ((1, 6), (6, 12), (12, 20)))
    return second * SECOND_US, mwh, power_mw


def base58_decoded(text: Any) -> bytes:
    """The 65 bytes of a signature in base58 (Bitcoin's alphabet); ValueError for anything else."""
    if type(text) is not str or len(text) > _SIGNATURE_CHARS_MAX:
        raise ValueError("not a signature")
    number = 0
    for sign in text:
        number = number * 58 + _BASE58.index(sign)
    zeros = len(text) - len(text.lstrip("1"))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(raw) != _SIGNATURE_BYTES:
        raise ValueError("not 65 bytes")
    return raw
