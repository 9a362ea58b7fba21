"""OCMF 1.x: signed records of charging meters (S.A.F.E. e.V., Open Charge Metering Format, version 1.4.1).

``OCMF|<payload JSON>|<signature JSON>``; the signature covers the payload's bytes as they came. Behind the record a
line may hold the public key that a container or a charge point gave with it (`public_key.py`).

The device is the meter's serial (MS), else the gateway's (GS). Page ``T<n>`` is message n of its chain. The fiscal
context counts pages of its own, so ``F<n>`` has no place in that chain; its readings are held against the register.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from penstock.energy.forms.json_text import read_json
from penstock.energy.forms.ocmf_reading import readings_of
from penstock.energy.forms.public_key import read_public_key
from penstock.energy.message import NO_POWER, NO_SEQUENCE, Said
from penstock.errors import Invalid
from penstock.keys import KeyKind, Scheme
from penstock.units import INT64_MAX

RECORD_BYTES_MAX: Final = 131_072
DEPTH_MAX: Final = 6
SERIAL_BYTES_MAX: Final = 256
_PREFIX: Final = b"OCMF|"
_PAGE: Final = re.compile(r"([TF])(0|[1-9][0-9]{0,18})")
_DEFAULT_ALGORITHM: Final = "ECDSA-secp256r1-SHA256"
ALGORITHMS: Final = {
    "ECDSA-secp192k1-SHA256": KeyKind.SECP192K1,
    "ECDSA-secp192r1-SHA256": KeyKind.SECP192R1,
    "ECDSA-secp256k1-SHA256": KeyKind.SECP256K1,
    _DEFAULT_ALGORITHM: KeyKind.P256,
    "ECDSA-secp384r1-SHA256": KeyKind.P384,
    "ECDSA-brainpool256r1-SHA256": KeyKind.BRAINPOOL_P256R1,
    "ECDSA-brainpoolP256r1-SHA256": KeyKind.BRAINPOOL_P256R1,
    "ECDSA-brainpool384r1-SHA256": KeyKind.BRAINPOOL_P384R1,
    "ECDSA-brainpoolP384r1-SHA256": KeyKind.BRAINPOOL_P384R1,
}
"""SA, table 20 of the text; records write the brainpool curves with and without P."""


class Record(NamedTuple):
    """The parts of a record: the payload's bytes, both sections, and the key's text that came with it."""

    payload: bytes
    said: dict[str, Any]
    signature: dict[str, Any]
    key_text: str


def parse(raw: bytes) -> Said:
    """Read a record without believing it.

    Raises:
        Invalid: ``ocmf.not_ocmf``, ``ocmf.malformed``, ``ocmf.control_text``, ``ocmf.version``, ``ocmf.serial``,
            ``ocmf.page``, ``ocmf.reading``, ``ocmf.no_register``, ``ocmf.signature``, ``ocmf.unsupported_algorithm``
            or ``ocmf.key``.
    """
    record = split(raw)
    kind = _algorithm(record.signature)
    readings = readings_of(record.said)
    return Said(
        device=_serial(record.said),
        sequence=_page(record.said),
        previous=b"",
        channel=tuple(reading.channel for reading in readings),
        at_us=tuple(reading.at_us for reading in readings),
        position_wh=tuple(reading.position_wh for reading in readings),
        power_mw=(NO_POWER,) * len(readings),
        clock=tuple(reading.clock for reading in readings),
        meter=tuple(reading.meter for reading in readings),
        scheme=Scheme.ECDSA_SHA256_DER,
        signed=record.payload,
        signature=_signature(record.signature),
        public_key=_public_key(record.key_text, kind),
        key_kind=kind,
    )


def split(raw: bytes) -> Record:
    """The parts of a record; raises Invalid ``ocmf.not_ocmf``, ``ocmf.malformed`` or ``ocmf.control_text``."""
    if not raw.startswith(_PREFIX):
        raise Invalid("ocmf.not_ocmf", "This is not an OCMF record: it does not begin with OCMF|.")
    end = raw.rfind(b"}") + 1
    payload, bar, signature = raw[len(_PREFIX) : end].rpartition(b"|")
    if len(raw) > RECORD_BYTES_MAX or not bar or b"|" in payload:
        raise Invalid("ocmf.malformed", "An OCMF record has three sections and at most 131,072 bytes.")
    try:
        said, signed, key_text = read_json(payload, DEPTH_MAX), read_json(signature, DEPTH_MAX), raw[end:].decode()
    except (ValueError, ArithmeticError, RecursionError):
        raise Invalid("ocmf.malformed", "A section of the OCMF record is not JSON of the form we take.") from None
    if type(said) is not dict or type(signed) is not dict:
        raise Invalid("ocmf.malformed", "A section of the OCMF record is not a JSON object.")
    _check_texts([said, signed])
    if str(said.get("FV", "1")).partition(".")[0] != "1":
        raise Invalid("ocmf.version", "The record is of another version of OCMF than 1.x.")
    return Record(payload, said, signed, key_text.strip())


def _check_texts(sections: list[dict[str, Any]]) -> None:
    """Refuse texts that would break out of a line of a log or turn its direction around."""
    for text in _texts(sections):
        if not text.isprintable() and any(unicodedata.category(sign)[0] in "CZ" and sign != " " for sign in text):
            raise Invalid("ocmf.control_text", "A text of the record holds control characters.")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _serial(said: dict[str, Any]) -> str:
    serial = said.get("MS") or said.get("GS")
    if type(serial) is not str or not serial.strip() or len(serial.encode()) > SERIAL_BYTES_MAX:
        raise Invalid("ocmf.serial", "The record names no meter (MS) and no gateway (GS).")
    return serial.strip()


def _page(said: dict[str, Any]) -> int:
    match = _PAGE.fullmatch(page) if type(page := said.get("PG")) is str else None
    if match is None or int(match[2]) > INT64_MAX:
        raise Invalid("ocmf.page", "The record's page (PG) is not T or F and a number.")
    return int(match[2]) if match[1] == "T" else NO_SEQUENCE


def _algorithm(signature: dict[str, Any]) -> KeyKind:
    name = signature.get("SA", _DEFAULT_ALGORITHM)
    kind = ALGORITHMS.get(name) if type(name) is str else None
    if kind is None:
        raise Invalid("ocmf.unsupported_algorithm", "The record names a signature algorithm that we do not verify.")
    return kind


def _signature(signature: dict[str, Any]) -> bytes:
    """The DER bytes in SD."""
    text, encoding = signature.get("SD"), signature.get("SE", "hex")
    if type(text) is not str or signature.get("SM", "application/x-der") != "application/x-der":
        raise Invalid("ocmf.signature", "The record holds no signature in DER (SD, SM).")
    try:
        if encoding == "hex":
            return binascii.unhexlify(text)
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    raise Invalid("ocmf.signature", "The record's signature is neither hex nor base64, as SE says.")


def _public_key(text: str, kind: KeyKind) -> bytes:
    if not text:
        return b""
    try:
        return read_public_key(text, kind)[1]
    except ValueError:
        raise Invalid("ocmf.key", "What came as the record's public key is none.") from None
