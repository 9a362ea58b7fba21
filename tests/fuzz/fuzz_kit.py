"""What fuzz targets share: messages to begin with, made here and now, and what must hold of whatever is accepted."""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2
import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from penstock.energy.forms import carried, cose
from penstock.energy.message import Said
from penstock.journal.words import Assurance
from penstock.keys import KeyKind, PointKey, Scheme, SigningKey
from penstock.keys.kinds import CURVES

NOON_US = 1_767_268_800_000_000
STEP_US = 900_000_000
INT64_MAX = 2**63 - 1
KEYS: tuple[SigningKey | PointKey, ...] = (
    SigningKey(bytes(range(32))),
    PointKey(KeyKind.P256, bytes(range(1, 33))),
    PointKey(KeyKind.SECP256K1, bytes(range(1, 33))),
)
METER = ec.derive_private_key(20_261_122, ec.SECP256R1())
_ORDERS: dict[KeyKind | None, int] = {kind: CURVES[kind].group_order for kind in (KeyKind.P256, KeyKind.SECP256K1)}
ADDRESS = "0x" + "1f" * 20


@dataclass(frozen=True)
class Target:
    """A parser under attack: what to begin with, and ``check``, which says whether bytes were accepted.

    ``check`` lets out only what breaks an invariant. ``share`` of the runs asked for are made where a run is slow.
    """

    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes], bool]
    share: float = 1.0
    longest: int = 4_096


HOSTILE_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 9, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, 1e308),
    *("", "0", "-1", "1" * 80, "1e999", "NaN", "\ud800", "\0", "a\nb", "\u0661", "0x", "0x" + "00" * 32, "ff" * 32),
    *([], {}, [[]], [None], {"": None}, [{}], "2026-02-30T00:00:00Z", "https://a@b/", "eip155:0", "x" * 300),
)
"""What stands where something else should: of another type, too large, no text that can be written as UTF-8."""


def bent(target: Target, share: float = 0.25) -> Target:
    """The same parser under JSON that is whole, its values exchanged: each two bytes name a place and what to put."""
    trees = [json.loads(seed) for seed in target.seeds() if seed[:1] == b"{"]

    def check(raw: bytes) -> bool:
        tree = {"": copy.deepcopy(trees[raw[0] % len(trees)])} if raw else {"": trees[0]}
        for place, what in zip(raw[1:17:2], raw[2:17:2], strict=False):
            _exchange(tree, place, what)
        return target.check(json.dumps(tree[""], sort_keys=True, separators=(",", ":")).encode())

    return Target(lambda: [bytes([number]) for number in range(len(trees))], check, share, 17)


def _exchange(tree: dict[str, Any], place: int, what: int) -> None:
    slots = list(_slots(tree))
    holder, key = slots[place % len(slots)]
    if what < 2 * len(HOSTILE_VALUES):
        holder[key] = copy.deepcopy(HOSTILE_VALUES[what // 2])
    elif key:
        other, from_key = slots[what % len(slots)]  # one place's value in another's
        holder[key] = copy.deepcopy(other[from_key]) if from_key else None


def _slots(node: Any) -> Iterator[tuple[Any, Any]]:
    pairs = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, value in pairs:
        yield node, key
        yield from _slots(value)


def must(holds: object, law: str) -> None:
    """Raises AssertionError, also where Python runs without assertions."""
    if not holds:
        raise AssertionError(law)


def columns_hold(said: Said) -> None:
    """What every form promises of what it accepts."""
    count = len(said.at_us)
    columns = (said.channel, said.position_wh, said.power_mw, said.clock, said.meter)
    must(count > 0 and all(len(column) == count for column in columns), "columns are equally long")
    must(all(isinstance(value, int) for column in (said.at_us, *columns) for value in column), "all is whole")
    must(all(0 <= value <= INT64_MAX for value in (*said.at_us, *said.position_wh)), "instants and positions fit")
    must(all(-1 <= value <= INT64_MAX for value in said.power_mw), "power fits")
    must(all(0 <= value <= 255 for value in said.channel), "channels fit")
    must(-1 <= said.sequence <= INT64_MAX, "the sequence fits")
    must(type(said.device) is str, "the device has a name")


def same_as_offline(form: int, raw: bytes, said: Said) -> None:
    """The offline verifier, written apart, reads the same of whatever the intake accepts."""
    from penstock.trace import verify

    order = _ORDERS.get(said.key_kind) if said.scheme is Scheme.ECDSA_SHA256_RAW else None
    if order and not 0 < int.from_bytes(said.signature[32:], "big") <= order // 2:
        return  # no signature of any key: the intake finds that later
    other = verify._packet_of(form, raw)
    readings: dict[tuple[int, int], int] = {}
    for channel, at_us, position_wh in zip(said.channel, said.at_us, said.position_wh, strict=True):
        readings.setdefault((channel, at_us), position_wh)
    must((other.device, other.sequence) == (said.device, said.sequence), "offline: another device or number")
    must(other.readings == readings, "offline: other readings")
    must(other.signed == said.signed, "offline: other signed bytes")


def packets() -> list[bytes]:
    """Packets of each key, plain and with every column."""
    times, positions = (NOON_US, NOON_US + STEP_US), (100, 250)
    plain = cose.Packet("roof-1", 0, cose.FIRST, times, positions)
    full = cose.Packet("hill", 7, bytes(range(32)), times, positions, (0, 1), (5_000, -1), (0, 2))
    huge = cose.Packet("r", INT64_MAX, bytes(32), (INT64_MAX,), (INT64_MAX,))
    return [cose.sign(packet, key) for packet in (plain, full, huge) for key in KEYS]


def carried_messages() -> list[bytes]:
    """Messages of both levels, with power and without."""
    times, positions = (NOON_US, NOON_US + STEP_US), (100, 250)
    first = carried.Carried("file/csv", "roof", 0, Assurance.DECLARED, bytes(32), times, positions)
    other = carried.Carried("vendor/x", "hill", 3, Assurance.VENDOR_ATTESTED, bytes(32), times, positions, (-1, 5_000))
    return [carried.write(first), carried.write(other)]


def ocmf_record(*readings: dict[str, Any], page: str = "T1", with_key: bool = False, **changed: Any) -> bytes:
    """A record that its meter signed."""
    said = {"FV": "1.0", "GI": "GW", "GS": "7", "PG": page, "MS": "M-881", "RD": list(readings)} | changed
    payload = json.dumps(said, separators=(",", ":")).encode()
    signature = METER.sign(payload, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)).hex()
    signed = json.dumps({"SA": "ECDSA-secp256r1-SHA256", "SD": signature}, separators=(",", ":")).encode()
    public = METER.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint).hex().encode()
    return b"OCMF|" + payload + b"|" + signed + (b"\n" + public if with_key else b"")


def ocmf_records() -> list[bytes]:
    """Begin and end of a transaction, tariffs, inherited fields, the fiscal context, a key behind."""
    begin = {"TM": "2026-01-01T12:00:00,000+0100 S", "TX": "B", "RV": 12.5, "RI": "1-b:1.8.0", "RU": "kWh", "ST": "G"}
    again = begin | {"TX": "C", "RV": 13}
    end = {"TM": "2026-01-01T13:00:00,000+0100 I", "TX": "E", "RV": "13.25", "EF": "t"}
    export = begin | {"RI": "01-00:C0.08.00*FF", "RU": "Wh", "RV": 7}
    tariff = begin | {"RI": "1-0:1.8.1", "RV": 3}
    return [
        ocmf_record(begin, end),
        ocmf_record(begin, again, end),
        ocmf_record(begin, export, page="F9", with_key=True),
        ocmf_record(begin, tariff, MS="", GS="gate"),
        ocmf_record(begin | {"TM": "1970-01-01T00:00:00,000+0000 U"}),
    ]


def pogg_reports() -> list[bytes]:
    """Reports as a request and as parameters, newest first too, an instant twice."""

    def sample(second: int, power_mw: int, mwh: int) -> str:
        return "01" + second.to_bytes(5, "big").hex() + power_mw.to_bytes(6, "big").hex() + mwh.to_bytes(8, "big").hex()

    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, signature = int.from_bytes(bytes(range(7, 72)), "big"), ""
    while number:
        number, digit = divmod(number, 58)
        signature = alphabet[digit] + signature
    later, earlier = sample(1_767_268_900, 2_000, 9_000), sample(1_767_268_800, 1_000, 8_500)
    params = {"version": 1, "address": ADDRESS, "dataList": [later, earlier], "signature": signature}
    twice = params | {"dataList": [later, sample(1_767_268_900, 2_000, 7_000)]}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tx_reportMinerPoGG", "params": params}
    return [json.dumps(body).encode() for body in (request, params, twice)]


def containers() -> list[bytes]:
    """Containers with texts plain, in hex and in base64."""
    record, key = ocmf_records()[0], b"04" + b"ab" * 64
    texts = (("plain", record.decode()), ("hex", record.hex()), ("base64", base64.b64encode(record).decode()))
    return [
        f'<?xml version="1.0"?><values><value transactionId="1" context="B"><signedData format="OCMF" '
        f'encoding="{encoding}">{text}</signedData><publicKey encoding="plain">{key.decode()}</publicKey></value>'
        f"</values>".encode()
        for encoding, text in texts
    ]


def csv_files() -> list[bytes]:
    """Files with each kind of column, and rows that are none."""
    return [
        b"device,at,position_wh\nroof,2026-01-01T12:00:00Z,100\nroof,2026-01-01T12:15:00+01:00,250\n",
        b'Device, at_us ,position_kwh,channel,power_w,note\r\nhill,1767268800000000,1.5004,1,3.25,"a\n,b"\r\n,,,,,\r\n',
        b"device,at,position_wh,power_mw\nroof,now,1,2\nroof,2026-01-01T12:00:00Z,-1,\nroof,2026-01-01T12:00Z,NaN,1\n",
    ]


def feeds() -> list[bytes]:
    """Green Button feeds in both directions, one with an overlap."""
    espi, atom = "http://naesb.org/espi", "http://www.w3.org/2005/Atom"

    def entry(resource: str, links: str = "") -> str:
        return f"<entry>{links}<content>{resource}</content></entry>"

    def usage(flow: int, *intervals: tuple[int, int, int]) -> bytes:
        kind = f'<ReadingType xmlns="{espi}"><flowDirection>{flow}</flowDirection><uom>72</uom></ReadingType>'
        rows = "".join(
            f"<IntervalReading><timePeriod><duration>{duration}</duration><start>{start}</start></timePeriod>"
            f"<value>{value}</value></IntervalReading>"
            for start, duration, value in intervals
        )
        block = f'<IntervalBlock xmlns="{espi}">{rows}</IntervalBlock>'
        return f'<?xml version="1.0"?><feed xmlns="{atom}">{entry(kind)}{entry(block)}</feed>'.encode()

    hours = ((3600, 3600, 100), (7200, 3600, 250))
    return [usage(1, *hours), usage(19, *hours, (7_000, 900, 5))]


def parquet_files(columns: Sequence[dict[str, Any]] = ()) -> list[bytes]:
    """Small files, compressed and not."""
    given = columns or (
        {"device": ["roof", "roof"], "at_us": [NOON_US, NOON_US + STEP_US], "position_wh": [100, 250]},
        {"device": ["hill"], "at_us": [NOON_US], "position_wh": [7], "channel": [1], "power_mw": [5]},
    )
    files = []
    for each, compression in zip(given, ("none", "snappy"), strict=False):
        file = io.BytesIO()
        pq.write_table(pa.table(each), file, compression=compression)
        files.append(file.getvalue())
    return files


def plainly(value: Any) -> bytes:
    """Core deterministic CBOR (RFC 8949, 4.2.1), written apart from the reader under test."""
    if isinstance(value, dict):
        parts = sorted((plainly(key), plainly(each)) for key, each in value.items())
        return _head(5, len(value)) + b"".join(key + each for key, each in parts)
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(plainly, value))
    return cbor2.dumps(value)


def _head(major: int, count: int) -> bytes:
    raw = bytearray(cbor2.dumps(count))
    raw[0] |= major << 5
    return bytes(raw)
