"""Every parser that takes bytes of others, as a target: what may come out of it, and what holds of what it accepts.

Only errors of the tree (`penstock/errors.py`) come out, by a code of the parser's own; the few readers that work inside
another parser raise ValueError, as they say. What is accepted has one form: written again it is the same bytes. What
the intake accepts, the offline verifier reads the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import cbor2
import fuzz_kit as kit
from fuzz_kit import Target, must
from fuzz_targets_compute import COMPUTE
from fuzz_targets_deal import DEALS
from fuzz_targets_field import FIELD
from fuzz_targets_record import RECORD
from fuzz_targets_registry import REGISTRY
from fuzz_targets_serviced import SERVICED

from penstock.energy.forms import carried, cbor, cose, ocmf, pogg
from penstock.energy.forms.csv_rows import read_csv
from penstock.energy.forms.green_button import read_green_button
from penstock.energy.forms.json_text import read_json
from penstock.energy.forms.parquet_rows import read_parquet
from penstock.energy.forms.public_key import read_public_key
from penstock.energy.forms.rows import FileRead
from penstock.energy.forms.safe_xml import read_container
from penstock.energy.message import Said
from penstock.errors import Invalid
from penstock.journal.nesting import nesting
from penstock.journal.words import Form
from penstock.keys import KeyKind, is_public_key


def accepted(read: Callable[[], Any], *areas: str) -> Any:
    """What ``read`` gives, None where it refuses by a code of these areas; all else comes out."""
    try:
        return read()
    except Invalid as error:
        must(error.code.startswith(tuple(f"{area}." for area in areas)), f"another parser's code: {error.code}")
        return None


def form(number: int, parse: Callable[[bytes], Said], area: str, raw: bytes) -> bool:
    said = accepted(lambda: parse(raw), area)
    if said is not None:
        kit.columns_hold(said)
        kit.same_as_offline(number, raw, said)
    return said is not None


def packet(raw: bytes) -> bool:
    if not form(Form.COSE, cose.parse, "packet", raw):
        return False
    found, outer = cose.packet_in(raw), cbor2.loads(raw).value
    parts = [outer[0], {4: found.device.encode()}, cose.payload_of(found), outer[3]]
    must(cbor2.dumps(cbor2.CBORTag(18, parts), canonical=True) == raw, "a packet has one form")
    return True


def carried_message(raw: bytes) -> bool:
    if not form(Form.CARRIED, carried.parse, "carried", raw):
        return False
    must(carried.write(carried._carried(raw)) == raw, "a carried message has one form")
    return True


def cbor_item(raw: bytes) -> bool:
    try:
        value = cbor.read(raw)
    except ValueError:
        return False
    must(kit.plainly(value) == raw, "a value has one encoding")
    return True


def json_text(raw: bytes) -> bool:
    try:
        read_json(raw, 6)
    except (ValueError, ArithmeticError):
        return False
    must(nesting(raw.decode()) <= 6, "no deeper than it may be")
    return True


def public_key(raw: bytes) -> bool:
    kinds = [kind for kind in KeyKind if kind not in (KeyKind.ED25519, KeyKind.ETH_ADDRESS)]
    try:
        kind, point = read_public_key(raw[1:].decode("latin-1"), kinds[raw[0] % len(kinds)] if raw else kinds[0])
    except ValueError:
        return False
    must(is_public_key(kind, point), "a key that can be checked with")
    return True


def keys() -> list[bytes]:
    record = next(one for one in kit.ocmf_records() if b"\n" in one)
    point = record.rsplit(b"\n", 1)[1]
    der = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + bytes.fromhex(point.decode())
    return [b"\x00" + point, b"\x01" + der.hex().encode()]


def container(raw: bytes) -> bool:
    records = accepted(lambda: read_container(raw), "safe_xml")
    must(records is None or all(one.raw.startswith(b"OCMF|") for one in records), "records of one family")
    return bool(records)


def rows(read: Callable[[bytes], FileRead], area: tuple[str, ...], raw: bytes) -> bool:
    found = accepted(lambda: read(raw), *area)
    if found is None:
        return False
    for message in found.messages:
        kit.columns_hold(carried.parse(message))
    must(len(found.faults) <= found.refused, "a fault is a refused row")
    return bool(found.messages)


def feed(raw: bytes) -> FileRead:
    return read_green_button(raw, "home")


def fleet_csv(raw: bytes) -> bool:
    """A list of devices to enrol; it comes as text."""
    from penstock.usecases.enrol_fleet import fleet_of_csv

    found = accepted(lambda: fleet_of_csv(raw.decode("utf-8", "replace")), "fleet")
    return found is not None and len(found.names) > 0


def fleets() -> list[bytes]:
    header = b"device,technology,public_key,capacity_w,commissioned"
    row = b"roof,solar_pv," + b"1f" * 32 + b",4000,2026-01-01T00:00:00Z"
    more = b",key_kind,assurance,tilt_deg,azimuth_deg,rolls_over_wh,start_counts_wh,cell"
    return [header + b"\n" + row + b"\n", header + more + b"\r\n" + row + b",ed25519,,30,180,99,5 6,u33d\r\n"]


def intake(raw: bytes) -> bool:
    return _intake()(raw)


@functools.cache
def _intake() -> Callable[[bytes], bool]:
    from fuzz_intake import Intake

    return Intake()


TARGETS: dict[str, Target] = {
    "cose": Target(kit.packets, packet),
    "carried": Target(kit.carried_messages, carried_message),
    "ocmf": Target(kit.ocmf_records, functools.partial(form, Form.OCMF, ocmf.parse, "ocmf")),
    "pogg": Target(kit.pogg_reports, functools.partial(form, Form.POGG, pogg.parse, "pogg")),
    "cbor": Target(lambda: [*kit.carried_messages(), cbor2.dumps({1: [2], -1: "a", "b": b"c"})], cbor_item),
    "json_text": Target(lambda: [*kit.pogg_reports(), b'{"a":[1.5,{"b":"\\"["}]}'], json_text),
    "public_key": Target(keys, public_key),
    "safe_xml": Target(kit.containers, container),
    "csv_rows": Target(kit.csv_files, functools.partial(rows, read_csv, ("csv", "file"))),
    "parquet_rows": Target(
        kit.parquet_files, functools.partial(rows, read_parquet, ("parquet", "csv", "file")), share=0.5
    ),
    "green_button": Target(kit.feeds, functools.partial(rows, feed, ("green_button", "file"))),
    "intake": Target(lambda: [*kit.packets(), b"".join(kit.packets()), *kit.ocmf_records()], intake, share=0.1),
    "fleet_csv": Target(fleets, fleet_csv),
    **FIELD,
    **RECORD,
    **REGISTRY,
    **DEALS,
    **SERVICED,
    **COMPUTE,
}
"""By name; `run.py` runs them."""
