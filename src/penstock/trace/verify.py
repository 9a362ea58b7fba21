"""Checks a proof bundle offline: of one AI answer, from signed meter readings to tokens and dollars; or of one
certificate, from the signed readings it was issued for, through whatever storage, to whom it was retired for.

Copy this file, read it, run it: `python verify.py bundle.json [--log-key HEX]`. It needs Python and the `cryptography`
package (for signatures) and no part of Penstock. Exit code 0: it holds, and the report says on what. 5: it does not.
2: the file is no bundle of this version. The format is described in docs/bundle.md.

In order: the form of the file; the checkpoint's signature by the log's key, which fact 0 of the log names; each fact's
inclusion in the log and each row's in the segment that its fact sealed (RFC 9162); then, hop by hop, that the rows
say what the bundle claims. Sources: RFC 8032 (Ed25519), RFC 8949 (CBOR), RFC 9052 (COSE_Sign1), RFC 9162 (Merkle
trees), C2SP signed-note and tlog-checkpoint.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import itertools
import json
import re
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

FORMAT = "penstock.bundle/4"
FORMATS_BEFORE = ("penstock.bundle/1", "penstock.bundle/2", "penstock.bundle/3")  # what came later is empty there
BYTES_MAX = 64 << 20
DEPTH_MAX = 100
BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
COUNT_MAX = 2**63 - 1
MJ_PER_WH = 3_600_000
HOUR_US = 3_600_000_000
STATES = ("held", "reserved", "lifted", "claimed", "retired", "withdrawn", "expired", "exported")
"""By their number in ``move/1``."""
CHANGES = {
    "held": STATES,
    "reserved": ("held", "claimed", "retired", "withdrawn", "expired"),
    "lifted": ("held", "claimed", "retired"),
    "claimed": ("withdrawn",),
    "retired": (),
    "withdrawn": (),
    "expired": ("withdrawn",),
    "exported": ("held",),
}
"""The states that may follow each one."""
BACK = {"lowered": "held", "lapsed": "held", "retired": "retired", "claimed": "claimed"}
"""The state that titles come back in from a chain, by the cause."""
HELD = {"held": "transferred", "reserved": "released", "lifted": "returned", "exported": "returned"}
"""What a move is called that ends in *held*, by the state before."""
BATTERY = "battery"
IMPORTED = "import/"
SECOND_US = 1_000_000
MALFORMED = ("bundle.malformed", "bundle.version")
BILLED = "/billed"
SCHEMES = ("exact", "upto", "credit")
"""How an answer was paid for, by number in ``sale/1``."""
PARTS = ("idle", "overhead", "unattributed")
"""What of an interval's energy is no answer's, in the order of its links."""


class VerificationError(Exception):
    """The bundle does not hold. ``code`` is stable; ``message`` is one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Report:
    """What was checked of an answer and what it rests on.

    ``roofs`` are (device, Wh touched, of which public key); ``storages`` are (name, Wh it gave, Wh lost on the way);
    ``counts`` are names with how many; ``ends`` is where the answer's dollars are now [micro-dollars]. ``sold`` says in
    words what a provider signed of the answer's interval and how it was paid for; empty of answers nobody reported so.
    """

    rack: str
    number: int
    tokens: int
    energy_mj: int
    billed_usdc_micro: int
    collected_usdc_micro: int
    roofs: tuple[tuple[str, int, str], ...]
    storages: tuple[tuple[str, int, int], ...]
    ends: tuple[tuple[str, int], ...]
    counts: tuple[tuple[str, int], ...]
    keys: tuple[str, ...]
    context: tuple[str, ...]
    assumptions: tuple[str, ...]
    sold: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The report as text."""
        said = [
            f"Answer {self.number} of {self.rack} holds: {self.tokens:,} tokens from {self.energy_mj:,} mJ, "
            f"billed {self.billed_usdc_micro:,} micro-dollars, collected {self.collected_usdc_micro:,}."
        ]
        said += _origin_lines(self.roofs, self.storages)
        said += [f"  {one}" for one in self.sold]
        said += [f"  paid to {register}: {amount:,} micro-dollars" for register, amount in self.ends]
        return _printable(said + _ground_lines(self))


@dataclass(frozen=True)
class CertificateReport:
    """What was checked of a certificate, what became of its units, and what that rests on.

    ``issued`` says what was issued; ``events`` are (instant [us], what happened); ``states`` are (start, stop, state,
    holder) of its units at the checkpoint, in order. The others are as in `Report`.
    """

    register: str
    start: int
    stop: int
    issued: str
    events: tuple[tuple[int, str], ...]
    states: tuple[tuple[int, int, str, str], ...]
    roofs: tuple[tuple[str, int, str], ...]
    storages: tuple[tuple[str, int, int], ...]
    counts: tuple[tuple[str, int], ...]
    keys: tuple[str, ...]
    context: tuple[str, ...]
    assumptions: tuple[str, ...]

    def lines(self) -> list[str]:
        """The report as text."""
        said = [f"Certificate {self.register} [{self.start}, {self.stop}) holds: {self.issued}"]
        said += _origin_lines(self.roofs, self.storages)
        said += [f"  {_utc(at_us)} {told}" for at_us, told in self.events]
        said += [
            f"Its {stop - start:,} Wh [{start}, {stop}) are {state}, with {holder}."
            for start, stop, state, holder in self.states
        ]
        return _printable(said + _ground_lines(self))


def _origin_lines(roofs: tuple[tuple[str, int, str], ...], storages: tuple[tuple[str, int, int], ...]) -> list[str]:
    said = [f"  from {device}: {wh:,} Wh (whole Wh touched)" for device, wh, _ in roofs]
    return said + [f"  through {name}: {given:,} Wh, {lost:,} Wh more were lost" for name, given, lost in storages]


def _ground_lines(report: Report | CertificateReport) -> list[str]:
    said = ["Checked: " + ", ".join(f"{count} {name}" for name, count in report.counts) + "."]
    said += ["Keys it rests on:", *(f"  {key}" for key in report.keys)]
    said += ["Also recorded:", *(f"  {told}" for told in report.context)] if report.context else []
    return [*said, "It assumes:", *(f"  {assumed}" for assumed in report.assumptions)]


def _printable(said: list[str]) -> list[str]:
    return ["".join(char if char.isprintable() else "?" for char in line) for line in said]


def _utc(at_us: int) -> str:
    try:
        return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return f"{at_us} us"


def verify_any(raw: bytes, log_key: bytes | None = None) -> Report | CertificateReport:
    """Check a bundle of either subject. ``log_key`` pins the 32-byte public key that must have signed the checkpoint.

    Raises:
        VerificationError: with the code of what failed first.
    """
    plain = _load(raw)
    is_answer = "certificate" not in plain
    bundle = _Bundle(_read(plain, ANSWER if is_answer else CERTIFICATE, "bundle"))
    bundle.check_log(log_key)
    check: _AnswerCheck | _CertificateCheck = _AnswerCheck(bundle) if is_answer else _CertificateCheck(bundle)
    return check.run(log_key is not None)


def verify(raw: bytes, log_key: bytes | None = None) -> Report:
    """Check the bundle of an answer; as `verify_any`. VerificationError ``bundle.subject`` where it is of none."""
    report = verify_any(raw, log_key)
    if not isinstance(report, Report):
        raise VerificationError("bundle.subject", "This bundle is not of an answer.")
    return report


def verify_certificate(raw: bytes, log_key: bytes | None = None) -> CertificateReport:
    """Check the bundle of a certificate; as `verify_any`. VerificationError ``bundle.subject`` where it is of none."""
    report = verify_any(raw, log_key)
    if not isinstance(report, CertificateReport):
        raise VerificationError("bundle.subject", "This bundle is not of a certificate.")
    return report


# --- The form of the file ---------------------------------------------------------------------------------------------


def _text(value: Any, where: str) -> str:
    if type(value) is not str or any("\ud800" <= char <= "\udfff" for char in value):
        raise _malformed(f"{where} is not a string.")
    return value


def _count(value: Any, where: str) -> int:
    text = _text(value, where)
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0") or len(text) > 19:
        raise _malformed(f"{where} is not a whole number in its shortest decimal form.")
    if int(text) > COUNT_MAX:
        raise _malformed(f"{where} has more than 63 bits.")
    return int(text)


def _optional(value: Any, where: str) -> int | None:
    return None if value == "" else _count(value, where)


def _hex(value: Any, where: str) -> bytes:
    text = _text(value, where)
    if len(text) % 2 or any(char not in "0123456789abcdef" for char in text):
        raise _malformed(f"{where} is not lower-case hex.")
    return bytes.fromhex(text)


def _hash(value: Any, where: str) -> bytes:
    data = _hex(value, where)
    if len(data) != 32:
        raise _malformed(f"{where} is not a hash of 32 bytes.")
    return data


PART: dict[str, Any] = {"row": _count, "start": _count, "stop": _count}
SIDES: dict[str, Any] = {"before": _optional, "after": _count}
NUMBERED: dict[str, Any] = {"number": _count, "fact": _count}
AMOUNTS = ("number", "arrived_us", "tokens", "time_ms", "energy_mj", "billed_usdc_micro", "collected_usdc_micro")
ISSUE: dict[str, Any] = {"title": _count, "before": _optional, "after": _optional, "foreign": _optional}
SUPPLY: dict[str, Any] = {**PART, **ISSUE, "claim": _count}
STORED: dict[str, Any] = {
    **PART,
    **SIDES,
    "loss": _optional,
    "discharge": _count,
    "charge": _count,
    "claims": [SUPPLY],
}
ISSUE["stored"] = SUPPLY["stored"] = [STORED]  # a storage may be charged from another
WHOLE: dict[str, Any] = {
    "format": _text,
    "checkpoint": _text,
    "facts": [{"seq": _count, "body": _text, "proof": [_hash]}],
    "rows": [{"fact": _count, "index": _count, "row": _hex, "proof": [_hash]}],
    "readings": [{"reading": _count, "packet": _count}],
    "registers": [NUMBERED],
    "accounts": [NUMBERED],
    "devices": [NUMBERED],
    "fleet": [{"row": _count, "device": _count, "register": _count}],
    "lives": [_count],
    "context": [_count],
}
ANSWER: dict[str, Any] = {
    **WHOLE,
    "answer": {"rack": _text, **dict.fromkeys(AMOUNTS, _count)},
    "claims": {
        "request": _count,
        "serve": _count,
        "work": _count,
        "bill": _optional,
        "convert": [PART],
        "allocate": [SUPPLY],
        "meter": SIDES,
        "pay": [PART],
        "interval": {"stated": _optional, "sealed": _optional, "first": _optional, "losses": [_count]},
        "sale": _optional,
    },
}
CERTIFICATE: dict[str, Any] = {
    **WHOLE,
    "certificate": {"register": _text, "start": _count, "stop": _count},
    "claims": {**ISSUE, "moves": [{**PART, "links": [PART], "lift": _optional, "back": _optional}]},
}
"""Every key of a bundle, none optional; a list holds any number of the one thing in it."""


def _load(raw: bytes) -> dict[str, Any]:
    if len(raw) > BYTES_MAX:
        raise _malformed("The file is larger than 64 MiB.")
    try:
        plain = _parse(raw.decode())
    except (ValueError, RecursionError):
        raise _malformed("The file is not JSON of strings.") from None
    form = plain.get("format") if isinstance(plain, dict) else None
    if form in FORMATS_BEFORE:
        plain, form = _brought_up(plain, form), FORMAT
    if isinstance(form, str) and form.startswith("penstock.bundle/") and form != FORMAT:
        raise VerificationError("bundle.version", f"This program reads {FORMAT}, not {form}.")
    if form != FORMAT:
        raise _malformed(f"The file does not say that it is a {FORMAT}.")
    return dict(plain)


def _brought_up(plain: dict[str, Any], form: str) -> dict[str, Any]:
    """An older bundle in today's form: without accounts, and nothing in it came from a storage, a registry or a
    provider's report."""
    plain = ({"fleet": [], "lives": []} if form == FORMATS_BEFORE[0] else {}) | plain
    claims = plain.get("claims")
    if isinstance(claims, dict) and "answer" in plain:
        nothing = {"stated": "", "sealed": "", "first": "", "losses": []}
        claims = {"interval": nothing, "sale": ""} | claims
        if isinstance(claims.get("allocate"), list) and form != FORMATS_BEFORE[2]:
            bare = {"stored": [], "foreign": ""}
            claims["allocate"] = [bare | one if isinstance(one, dict) else one for one in claims["allocate"]]
        plain = plain | {"claims": claims}
    return ({} if form == FORMATS_BEFORE[2] else {"accounts": []}) | plain | {"format": FORMAT}


def _parse(text: str) -> Any:
    """JSON without numbers and without a key that stands twice."""
    _check_depth(text)
    return json.loads(
        text, object_pairs_hook=_once, parse_int=_no_number, parse_float=_no_number, parse_constant=_no_number
    )


def _check_depth(text: str) -> None:
    """No more levels than a bundle can need, so that no parser runs out of stack, whatever its limit is set to."""
    if text.count("[") + text.count("{") > DEPTH_MAX:
        depth = 0
        for token in BRACKETS.finditer(text):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(text[token.start()], 0)
            if depth > DEPTH_MAX:
                raise ValueError("nested too deep")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _read(value: Any, shape: Any, where: str) -> Any:
    """``value`` with its strings read as ``shape`` says."""
    if isinstance(shape, dict):
        if type(value) is not dict or value.keys() != shape.keys():
            raise _malformed(f"{where} has exactly the keys {', '.join(shape)}.")
        return {name: _read(value[name], inner, f"{where}.{name}") for name, inner in shape.items()}
    if isinstance(shape, list):
        if type(value) is not list:
            raise _malformed(f"{where} is not a list.")
        return [_read(item, shape[0], f"{where}[{at}]") for at, item in enumerate(value)]
    return shape(value, where)


def _malformed(message: str) -> VerificationError:
    return VerificationError("bundle.malformed", message)


# --- The log: checkpoint, facts, rows ---------------------------------------------------------------------------------

ROWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "packet/1": ("<iqqB", ("device", "sequence", "received_us", "verdict")),
    "packet/2": (
        "<iBqqBBI",
        ("device", "form", "sequence", "received_us", "assurance", "verdict", "findings"),
    ),
    "device/1": (
        "<BBBqqhhq",
        (
            "technology",
            "key_kind",
            "assurance",
            "capacity_w",
            "commissioned_us",
            "tilt_deg",
            "azimuth_deg",
            "rolls_over_wh",
        ),
    ),
    "reading/1": ("<iqqiB", ("register", "at_us", "position_wh", "packet", "verdict")),
    "reading/2": (
        "<iqqiBBIq",
        ("register", "at_us", "position_wh", "packet", "assurance", "verdict", "findings", "above_wh"),
    ),
    "title/1": ("<iqqiq", ("register", "start", "stop", "holder", "interval_us")),
    "move/1": ("<iqqiiB", ("register", "start", "stop", "source", "target", "state")),
    "link/1": ("<iqqiqq", ("source", "source_start", "source_stop", "target", "target_start", "target_stop")),
    "charge/1": ("<iqqqBi", ("register", "start", "stop", "interval_us", "assurance", "lot")),
    "discharge/1": ("<iqqqBq", ("register", "start", "stop", "interval_us", "assurance", "charge")),
    "lift/1": ("<iqq", ("register", "start", "stop")),
    "foreign/1": (
        "<iqqqqqqq",
        ("register", "start", "stop", "first", "last", "face_wh", "interval_us", "interval_stop_us"),
    ),
    "request/1": ("<qqiqq", ("number", "arrived_us", "buyer", "tokens", "time_ms")),
    "work/1": (
        "<qqqqqqqq",
        (
            "number",
            "arrived_us",
            "first_us",
            "done_us",
            "prompt_tokens",
            "output_tokens",
            "time_ms",
            "energy_mj",
        ),
    ),
    "sale/1": ("<qqBiq", ("number", "at_us", "scheme", "payer", "paid_usdc_micro")),
}
"""Packed rows by format: fixed fields, little-endian. Behind some of them stand bytes."""
PACKETS = ("packet/1", "packet/2")
WITH_BYTES = (*PACKETS, "device/1", "lift/1", "foreign/1", "work/1", "sale/1")
DIGESTS = {"work/1": 128, "sale/1": 84}
"""Bytes behind a row of a length that is always the same."""
READINGS = ("reading/1", "reading/2")
UNSIGNED = "no key: its readings were carried by somebody else, see their assurance"
ASSURANCE = ("meter_signed", "gateway_signed", "vendor_attested", "declared")
VENDOR_ATTESTED = 2
KEY_KINDS = (
    "ed25519",
    "p-256",
    "secp256k1",
    "eth-address",
    "p-384",
    "brainpool-p256r1",
    "brainpool-p384r1",
    "secp192r1",
    "secp192k1",
)
"""By their number in ``device/1``."""
WEAK = ("secp192r1", "secp192k1")
LIVES = ("key.rotated", "key.revoked", "key.reclaimed", "meter.replaced", "epoch.opened", "device.retired")
SIGNATURES = ("signature", "proof", "owner_signature")
TWO = ("1", "2")
VERSIONS = {"device.enrolled": TWO, "site.registered": TWO, "titles.issued": TWO, "titles.moved": TWO} | {
    "rack.registered": TWO,
    "credits.offered": TWO,
}
"""Versions of facts that are read here, where not the first alone."""


SALTED = "+salt"
SALT_BYTES = 32


@dataclass(frozen=True)
class Fact:
    """A fact of the log, proved to be at ``seq``."""

    seq: int
    kind: str
    data: dict[str, Any]
    at_us: int = 0
    version: str = "1"

    def text(self, *path: str) -> str:
        """A field, or a field of a field. Raises ``bundle.fact_malformed``."""
        value: Any = self.data
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if type(value) is not str:
            raise VerificationError("bundle.fact_malformed", f"Fact {self.seq} does not say its {'.'.join(path)}.")
        return value

    def count(self, *path: str) -> int:
        """A whole number, none negative."""
        try:
            return _count(self.text(*path), path[-1])
        except VerificationError:
            raise VerificationError("bundle.fact_malformed", f"Fact {self.seq} misstates {'.'.join(path)}.") from None

    def optional_count(self, name: str) -> int:
        """A whole number, 0 where an older version does not say it."""
        return self.count(name) if name in self.data else 0

    def optional_text(self, name: str) -> str:
        """A text, empty where an older version does not say it."""
        return self.text(name) if name in self.data else ""

    def hash(self, *path: str) -> bytes:
        """32 bytes."""
        return self.octets(*path, length=32)

    def octets(self, *path: str, length: int = 0) -> bytes:
        """Bytes, of a certain length where one is named."""
        try:
            data = _hex(self.text(*path), path[-1])
        except VerificationError:
            data = b""
        if not data or len(data) != (length or len(data)):
            raise VerificationError("bundle.fact_malformed", f"Fact {self.seq} misstates {'.'.join(path)}.")
        return data


@dataclass(frozen=True)
class Row:
    """A row of a segment, proved to be at ``index`` of the segment that ``fact`` sealed."""

    fact: Fact
    index: int
    form: str
    fields: dict[str, int]
    blob: bytes

    def __getitem__(self, name: str) -> int:
        return self.fields[name]


@dataclass
class _Bundle:
    """The parts of the file, and which of them some claim has used."""

    plain: dict[str, Any]
    facts: dict[int, Fact] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    places: set[tuple[int, int]] = field(default_factory=set)
    used_facts: set[int] = field(default_factory=set)
    used_rows: set[int] = field(default_factory=set)
    log_key: bytes = b""
    origin: str = ""
    size: int = 0

    def check_log(self, pinned: bytes | None) -> None:
        """The checkpoint's signature, then every fact's and every row's place."""
        self.origin, self.size, root = self._open_checkpoint(pinned)
        for item in self.plain["facts"]:
            self._take_fact(item, root)
        if self.facts[0].text("origin") != self.origin:
            raise VerificationError("bundle.log_key", "Fact 0 names another origin than the checkpoint.")
        for item in self.plain["rows"]:
            self._take_row(item)

    def _open_checkpoint(self, pinned: bytes | None) -> tuple[str, int, bytes]:
        """The note's origin, size and root, signed by the key that fact 0 names: its inclusion is checked next."""
        first = next((item for item in self.plain["facts"] if item["seq"] == 0), None)
        if first is None:
            raise VerificationError("bundle.fact_kind", "Fact 0, which names the log's key, is not here.")
        opened = _fact_of(first)
        if opened.kind != "workspace.opened":
            raise VerificationError("bundle.fact_kind", "Fact 0 does not open a workspace.")
        self.used_facts.add(0)
        self.log_key = opened.hash("log_key")
        if pinned is not None and pinned != self.log_key:
            raise VerificationError("bundle.log_key", "The log's key is not the one that was pinned.")
        return _open_note(self.plain["checkpoint"], self.log_key)

    def _take_fact(self, item: dict[str, Any], root: bytes) -> None:
        seq, body = item["seq"], item["body"].encode()
        if seq <= next(reversed(self.facts), -1):
            raise _malformed("Facts stand in the log's order, each once.")
        if seq >= self.size or not _included(_leaf(body), seq, self.size, item["proof"], root):
            raise VerificationError("bundle.fact_inclusion", f"Fact {seq} is not in the log at that place.")
        self.facts[seq] = _fact_of(item)

    def _take_row(self, item: dict[str, Any]) -> None:
        fact, index = self.facts.get(item["fact"]), item["index"]
        if fact is None:
            raise _malformed(f"Fact {item['fact']}, which a row names, is not here.")
        if (fact.seq, index) in self.places:
            raise _malformed("A row stands here twice.")
        self.places.add((fact.seq, index))
        if index >= fact.count("segment", "rows"):
            raise VerificationError("bundle.segment_count", f"The segment of fact {fact.seq} has no row {index}.")
        row = _row_of(fact, index, item["row"])
        root, rows = fact.hash("segment", "root"), fact.count("segment", "rows")
        if not _included(_leaf(item["row"]), index, rows, item["proof"], root):
            raise VerificationError("bundle.row_inclusion", f"Row {index} is not what fact {fact.seq} sealed.")
        self.rows.append(row)

    def fact(self, seq: int, kind: str) -> Fact:
        """A fact that must be of a kind. Raises ``bundle.fact_kind``."""
        found = self.facts.get(seq)
        if found is None or found.kind != kind:
            raise VerificationError("bundle.fact_kind", f"Fact {seq} is not here as {kind}.")
        self.used_facts.add(seq)
        return found

    def named(self, kind: str, name: str, value: str) -> Fact:
        """The one fact of a kind whose field ``name`` has ``value``. Raises ``bundle.fact_kind``."""
        found = [fact for fact in self.facts.values() if fact.kind == kind and fact.data.get(name) == value]
        if len(found) != 1:
            raise VerificationError("bundle.fact_kind", f"{len(found)} facts here are {kind} of {value}, not one.")
        return self.fact(found[0].seq, kind)

    def row(
        self, number: int, kind: str, form: str | tuple[str, ...], code: str = "bundle.fact_kind", **said: str
    ) -> Row:
        """A row of a fact of a kind that says certain things; raises ``code`` where it is anything else."""
        if number >= len(self.rows):
            raise _malformed(f"There is no row {number}.")
        row = self.rows[number]
        forms = (form,) if isinstance(form, str) else form
        if row.fact.kind != kind or row.form not in forms or any(row.fact.data.get(k) != v for k, v in said.items()):
            wanted = ", ".join([kind, *said.values()])
            raise VerificationError(code, f"Row {number} is not of a fact {wanted}.")
        self.used_rows.add(number)
        self.used_facts.add(row.fact.seq)
        return row


def _fact_of(item: dict[str, Any]) -> Fact:
    try:
        plain = _parse(item["body"])
        kind, version, data, at_us = plain["kind"], plain["v"], plain["data"], int(plain["at_us"])
        if json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False) != item["body"]:
            raise ValueError("not canonical")
        if not -COUNT_MAX <= at_us <= COUNT_MAX:
            raise ValueError("not an instant")
    except (ValueError, TypeError, KeyError, RecursionError):
        raise VerificationError("bundle.fact_malformed", f"Fact {item['seq']} is not a fact.") from None
    if type(kind) is not str or type(data) is not dict or version not in VERSIONS.get(kind, ("1",)):
        raise VerificationError("bundle.fact_malformed", f"Fact {item['seq']} is not a fact of a version read here.")
    return Fact(item["seq"], kind, data, at_us, version)


def _row_of(fact: Fact, index: int, raw: bytes) -> Row:
    form = fact.text("segment", "format")
    if form.endswith(SALTED):  # the salt stands before the row: erased, its leaf hash tells nothing
        form, raw = form.removesuffix(SALTED), raw[SALT_BYTES:]
    if form not in ROWS:
        raise VerificationError("bundle.row_malformed", f"Rows of {form} have no place in a bundle.")
    layout, names = ROWS[form]
    width = struct.calcsize(layout)
    if len(raw) < width or (len(raw) > width) != (form in WITH_BYTES):
        raise VerificationError("bundle.row_malformed", f"A row of {form} has {width} bytes.")
    if len(raw) - width != DIGESTS.get(form, len(raw) - width):
        raise VerificationError("bundle.row_malformed", f"Behind a row of {form} stand {DIGESTS[form]} bytes.")
    fields = dict(zip(names, struct.unpack(layout, raw[:width]), strict=True))
    return Row(fact, index, form, fields, raw[width:])


def _leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def _included(node: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """Whether a leaf hash stands at ``index`` of ``size`` under ``root`` (RFC 9162, 2.1.3.2)."""
    place, last = index, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and node == root


def _open_note(note: str, key: bytes) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint, once ``key`` signed it under the origin's name."""
    text, gap, tail = note.rpartition("\n\n")
    lines = text.split("\n")
    if not gap or len(lines) < 3 or not tail.endswith("\n"):
        raise VerificationError("bundle.checkpoint_malformed", "The checkpoint is no signed note.")
    try:
        size, root = _count(lines[1], "size"), base64.b64decode(lines[2], validate=True)
    except (VerificationError, binascii.Error, ValueError):
        raise VerificationError("bundle.checkpoint_malformed", "The checkpoint has no size and root.") from None
    key_id = hashlib.sha256(lines[0].encode() + b"\n\x01" + key).digest()[:4]
    if not any(_signed_by(line, lines[0], key_id, key, f"{text}\n".encode()) for line in tail.split("\n")):
        raise VerificationError("bundle.checkpoint_signature", "The log's key did not sign this checkpoint.")
    return lines[0], size, root


def _signed_by(line: str, origin: str, key_id: bytes, key: bytes, text: bytes) -> bool:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.rpartition(" ")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return (dash, name, data[:4]) == ("\u2014", origin, key_id) and _is_signed(key, text, data[4:])


def _is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# --- Messages of meters: our own packets, OCMF records, generation reports, carried readings --------------------------

ALGORITHMS = {
    bytes.fromhex("a10127"): "ed25519",  # {1: -8}: EdDSA
    bytes.fromhex("a10126"): "p-256",  # {1: -7}: ES256
    bytes.fromhex("a101382e"): "secp256k1",  # {1: -47}: ES256K
}
CURVES: dict[str, type[ec.EllipticCurve]] = {
    "p-256": ec.SECP256R1,
    "secp256k1": ec.SECP256K1,
    "p-384": ec.SECP384R1,
    "brainpool-p256r1": ec.BrainpoolP256R1,
    "brainpool-p384r1": ec.BrainpoolP384R1,
    "secp192r1": ec.SECP192R1,
}
COSE_ORDERS = {
    "p-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}
OCMF_ALGORITHMS = {
    "ECDSA-secp192r1-SHA256": "secp192r1",
    "ECDSA-secp256k1-SHA256": "secp256k1",
    "ECDSA-secp256r1-SHA256": "p-256",
    "ECDSA-secp384r1-SHA256": "p-384",
    "ECDSA-brainpool256r1-SHA256": "brainpool-p256r1",
    "ECDSA-brainpoolP256r1-SHA256": "brainpool-p256r1",
    "ECDSA-brainpool384r1-SHA256": "brainpool-p384r1",
    "ECDSA-brainpoolP384r1-SHA256": "brainpool-p384r1",
}
OBIS = re.compile(
    r"(?:[0-9A-Za-z]{1,3}-[0-9A-Za-z]{1,3}:)?([0-9A-Fa-f]{1,3})\.([0-9]{1,3})"
    r"(?:\.([0-9A-Za-z]{1,3}))?(?:[*.][0-9A-Za-z]{1,3})?"
)
OBIS_CHANNELS = {"1": 0, "B0": 0, "2": 1, "C0": 1, "B1": 2, "C1": 3, "B2": 4, "C2": 5, "B3": 6, "C3": 7}
"""Register of a charging meter by the C of its OBIS code: import and export at the meter, behind the cable, and of one
transaction."""
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CHANNELS = 1  # in the map behind a packet's positions: which register each reading is of


@dataclass(frozen=True)
class Packet:
    """What a meter said and signed: positions [Wh] by (channel, instant [us]), in a chain of packets.

    ``sequence`` is -1 and ``previous`` empty where the form has none; ``kind`` of key is empty where nobody signed.
    """

    device: str
    sequence: int
    previous: bytes
    readings: dict[tuple[int, int], int]
    kind: str
    signed: bytes
    signature: bytes
    hash: bytes


def _packet_of(form: int, raw: bytes) -> Packet:
    if form >= len(FORMS):
        raise VerificationError("bundle.packet_malformed", f"This program reads no packets of form {form}.")
    try:
        return FORMS[form](raw)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        raise VerificationError("bundle.packet_malformed", "A packet is not a message of readings.") from None


def _cose_of(raw: bytes) -> Packet:
    """Our own: COSE_Sign1 over CBOR."""
    (tag, message), rest = _cbor(raw, 0)
    protected, unprotected, payload, signature = message
    (device, sequence, previous, at_us, position_wh, *more), over = _cbor(payload, 0)
    if (tag, rest, over) != (18, len(raw), len(payload)) or raw[0] >> 5 != 6 or protected not in ALGORITHMS:
        raise ValueError("not COSE_Sign1")
    if type(payload) is not bytes or type(signature) is not bytes or type(sequence) is not int:
        raise ValueError("not bytes")
    channel = (more[0] if more else {}).get(CHANNELS, [0] * len(at_us))
    if unprotected != {4: device.encode()} or len(more) > 1:
        raise ValueError("not of the named device")
    signed = b"\x84\x6aSignature1" + _cbor_bytes(protected) + b"\x40" + _cbor_bytes(payload)
    readings, kind = _readings(channel, at_us, position_wh), ALGORITHMS[protected]
    signature = signature if kind == "ed25519" else _der_of(kind, signature)
    return Packet(device, sequence, previous, readings, kind, signed, signature, _sha256(raw))


def _pogg_of(raw: bytes) -> Packet:
    """Arkreen's generation report: samples of 20 bytes, the key known by its address."""
    body = _json_of(raw)
    said = body["params"] if "method" in body else body
    listed = ",".join(f'"{sample}"' for sample in said["dataList"])
    signed = f'{{"version":{said["version"]},"address":"{said["address"]}","dataList":[{listed}]}}'.encode()
    samples = [bytes.fromhex(sample) for sample in said["dataList"]]
    samples.sort(key=lambda sample: (sample[1:6], sample[12:20]))  # oldest first, as they are judged
    at_us = [int.from_bytes(sample[1:6], "big") * 1_000_000 for sample in samples]
    position_wh = [int.from_bytes(sample[12:20], "big") // 1_000 for sample in samples]
    if any(len(sample) != 20 or sample[0] != 1 for sample in samples):
        raise ValueError("not samples")
    number = 0
    for sign in said["signature"]:
        number = number * 58 + BASE58.index(sign)
    readings = _readings([0] * len(samples), at_us, position_wh)
    device = said["address"].lower()
    return Packet(device, -1, b"", readings, "eth-address", signed, number.to_bytes(65, "big"), _sha256(raw))


def _ocmf_of(raw: bytes) -> Packet:
    """A signed record of a charging meter (OCMF 1.x); its signature covers the payload's bytes as they came."""
    end = raw.rfind(b"}") + 1
    payload, bar, tail = raw[len(b"OCMF|") : end].rpartition(b"|")
    said, signature = _json_of(payload), _json_of(tail)
    if not raw.startswith(b"OCMF|") or not bar or b"|" in payload:
        raise ValueError("not OCMF")
    encoding = {"hex": binascii.unhexlify, "base64": base64.b64decode}[signature.get("SE", "hex")]
    kind = OCMF_ALGORITHMS[signature.get("SA", "ECDSA-secp256r1-SHA256")]
    page, serial = said["PG"], str(said.get("MS") or said["GS"]).strip()
    sequence = int(page[1:]) if page[0] == "T" else -1
    readings = _ocmf_readings(said["RD"])
    return Packet(serial, sequence, b"", readings, kind, payload, encoding(signature["SD"]), _sha256(raw))


def _ocmf_readings(rows: list[dict[str, Any]]) -> dict[tuple[int, int], int]:
    """Totals of energy registers; a field that equals the one before is left out."""
    before: dict[str, Any] = {}
    found: list[tuple[int, str, int, int]] = []
    for row in rows:
        before = {name: before[name] for name in ("TM", "RI", "RU") if name in before} | row
        code = OBIS.fullmatch(before["RI"])
        channel = OBIS_CHANNELS.get(code[1].lstrip("0").upper()) if code and code[2].lstrip("0") == "8" else None
        if code is None or channel is None:
            continue
        at = datetime.strptime(before["TM"].split(" ")[0], "%Y-%m-%dT%H:%M:%S,%f%z")
        at_us = (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
        position = Decimal(str(before["RV"]).strip()).scaleb({"Wh": 0, "kWh": 3}[before["RU"]])
        found.append((channel, (code[3] or "0").lstrip("0") or "0", at_us, int(position)))
    tariffs = {channel: {tariff for own, tariff, _, _ in found if own == channel} for channel, _, _, _ in found}
    totals = [one for one in found if one[1] == "0" or len(tariffs[one[0]]) == 1]
    return {(channel, at_us): position_wh for channel, _, at_us, position_wh in reversed(totals)}  # the first counts


def _carried_of(raw: bytes) -> Packet:
    """Readings of a source that signs nothing: a file, a vendor's cloud."""
    (_, device, channel, _, _, at_us, position_wh, *_), rest = _cbor(raw, 0)
    if rest != len(raw) or type(device) is not str:
        raise ValueError("not a message")
    return Packet(device, -1, b"", _readings([channel] * len(at_us), at_us, position_wh), "", b"", b"", _sha256(raw))


FORMS: tuple[Callable[[bytes], Packet], ...] = (_cose_of, _ocmf_of, _pogg_of, _carried_of)
"""By the number of the form in ``packet/2``."""


def _readings(channel: list[int], at_us: list[int], position_wh: list[int]) -> dict[tuple[int, int], int]:
    """Of an instant that is said twice, what was said first: whoever judged the packet refused the other."""
    found: dict[tuple[int, int], int] = {}
    for own, at, position in zip(channel, at_us, position_wh, strict=True):
        found.setdefault((own, at), position)
    return found


def _json_of(raw: bytes) -> dict[str, Any]:
    _check_depth(raw.decode())
    said = json.loads(raw, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once)
    if not isinstance(said, dict):
        raise TypeError("not an object")
    return said


def _sha256(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _is_signed_by(kind: str, key: bytes, signed: bytes, signature: bytes) -> bool:
    """Whether a signature is the key's: EdDSA, ECDSA over SHA-256 in DER, or r || s || v for an address."""
    if kind == "ed25519":
        return _is_signed(key, signed, signature)
    try:
        if kind == "eth-address":
            return _signer_of(signed, signature) == key
        public = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[kind](), key)
        public.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True


def _der_of(kind: str, signature: bytes) -> bytes:
    """r || s as COSE writes it, in DER; s in the lower half, so that a signature has one form and a packet one hash."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < s <= COSE_ORDERS[kind] // 2:
        raise ValueError("not r || s with the lower s")
    return encode_dss_signature(r, s)


def _cbor(data: bytes, at: int) -> tuple[Any, int]:
    """The item of definite length at ``at`` and where it ends (RFC 8949, 3); a tag as (tag, item)."""
    major, short = data[at] >> 5, data[at] & 31
    width = {24: 1, 25: 2, 26: 4, 27: 8}.get(short, 0)
    if short > 27:
        raise ValueError("indefinite length")
    value = int.from_bytes(data[at + 1 : at + 1 + width], "big") if width else short
    at += 1 + width
    if major in (0, 1):
        return (value if major == 0 else -1 - value), at
    if major in (2, 3):
        if at + value > len(data):
            raise ValueError("cut short")
        part = data[at : at + value]
        return (part if major == 2 else part.decode()), at + value
    if major == 6:
        item, at = _cbor(data, at)
        return (value, item), at
    if major == 7:
        raise ValueError("no floats or simple values here")
    items = []
    for _ in range(value * (major - 3)):
        item, at = _cbor(data, at)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2], strict=True))), at


def _cbor_bytes(data: bytes) -> bytes:
    size = len(data)
    if size < 24:
        return bytes([0x40 + size]) + data
    width = 1 if size < 1 << 8 else 2 if size < 1 << 16 else 4
    return bytes([{1: 0x58, 2: 0x59, 4: 0x5A}[width]]) + size.to_bytes(width, "big") + data


# --- Signatures known by their address: keccak256, secp256k1 ----------------------------------------------------------

ROUNDS = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000A, 0x000000008000808B, 0x800000000000008B, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)  # fmt: skip
WORD = 2**64 - 1


def _keccak(data: bytes) -> bytes:
    """keccak256 as Ethereum has it: FIPS 202's sponge with the older padding 0x01."""
    rate = 136
    spare = rate - len(data) % rate
    padded = bytearray(data + bytes(spare))
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for block in range(0, len(padded), rate):
        for at in range(rate // 8):
            lanes[at] ^= int.from_bytes(padded[block + 8 * at : block + 8 * at + 8], "little")
        lanes = _keccak_f(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _keccak_f(lanes: list[int]) -> list[int]:
    """FIPS 202, 3.2 and 3.3: theta, rho with pi, chi, iota; lane (x, y) at x + 5y."""
    for constant in ROUNDS:
        sums = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [sums[x - 1] ^ _turned(sums[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[at % 5] for at, lane in enumerate(lanes)]
        moved, x, y, current = list(lanes), 1, 0, lanes[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, moved[x + 5 * y] = lanes[x + 5 * y], _turned(current, (step + 1) * (step + 2) // 2)
        lanes = [
            moved[at] ^ (~moved[at - at % 5 + (at + 1) % 5] & WORD & moved[at - at % 5 + (at + 2) % 5])
            for at in range(25)
        ]
        lanes[0] ^= constant
    return lanes


def _turned(lane: int, by: int) -> int:
    by %= 64
    return (lane << by | lane >> (64 - by)) & WORD


FIELD = 2**256 - 2**32 - 977
ORDER = COSE_ORDERS["secp256k1"]
BASE = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Point = tuple[int, int] | None


def _signer_of(message: bytes, signature: bytes) -> bytes:
    """The address whose key made r || s || v over keccak256 (SEC 1, 4.1.6); ValueError where there is none."""
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64:]
    if not (0 < r < ORDER and 0 < s < ORDER) or v not in (b"\x00", b"\x01"):
        raise ValueError("no signature")
    y = pow(r**3 + 7, (FIELD + 1) // 4, FIELD)
    if (y * y - r**3 - 7) % FIELD:
        raise ValueError("no point")
    point = (r, y if y % 2 == v[0] else FIELD - y)
    digest, inverse = int.from_bytes(_keccak(message), "big"), pow(r, -1, ORDER)
    key = _added(_times(-digest * inverse % ORDER, BASE), _times(s * inverse % ORDER, point))
    if key is None:
        raise ValueError("no key")
    return _keccak(key[0].to_bytes(32, "big") + key[1].to_bytes(32, "big"))[12:]


def _times(scalar: int, point: Point) -> Point:
    total: Point = None
    while scalar:
        total, point, scalar = _added(total, point) if scalar & 1 else total, _added(point, point), scalar >> 1
    return total


def _added(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0] and (one[1] + other[1]) % FIELD == 0:
        return None
    top, bottom = (3 * one[0] ** 2, 2 * one[1]) if one == other else (other[1] - one[1], other[0] - one[0])
    slope = top * pow(bottom, -1, FIELD) % FIELD
    x = (slope * slope - one[0] - other[0]) % FIELD
    return x, (slope * (one[0] - x) - one[1]) % FIELD


# --- The claims -------------------------------------------------------------------------------------------------------


@dataclass
class Key:
    """A device's public key and the time of readings that it signs; late ones up to its last message."""

    kind: str
    key: bytes
    from_us: int
    until_us: int = COUNT_MAX
    last_sequence: int = COUNT_MAX

    def signed(self, packet: Packet, at_us: int) -> bool:
        """Whether it signed a packet, and may have at that instant."""
        in_time = self.from_us <= at_us < self.until_us and packet.sequence <= self.last_sequence
        return (
            in_time and packet.kind == self.kind and _is_signed_by(self.kind, self.key, packet.signed, packet.signature)
        )


@dataclass
class Meter:
    """A device as the log tells it: which registers it counts from where [Wh of its own count], with which keys."""

    name: str
    commissioned_us: int
    level: int
    registers: dict[str, tuple[int, int]]
    keys: list[Key]

    def follow(self, fact: Fact, origin: str) -> None:
        """Live through a fact of its life. Raises ``bundle.device_life``."""
        last = self.keys[-1]
        from_us = fact.count("from_us")
        if from_us < last.from_us:
            raise VerificationError("bundle.device_life", f"The life of {self.name} goes back in time.")
        if fact.kind == "epoch.opened":
            self._continue(fact, origin)
        elif fact.kind in ("key.revoked", "device.retired"):
            last.until_us = min(last.until_us, from_us)
        else:
            self._change_key(fact, origin, last, from_us)

    def _change_key(self, fact: Fact, origin: str, last: Key, from_us: int) -> None:
        following = Key(fact.text("key_kind"), fact.octets("public_key"), from_us)
        rotated = fact.kind == "key.rotated"
        if rotated and not _is_stated(last, fact, origin, "signature"):
            raise VerificationError("bundle.device_life", f"The key before did not name the new key of {self.name}.")
        if not _is_stated(following, fact, origin, "proof"):
            raise VerificationError("bundle.device_life", f"Nobody shows to hold the new key of {self.name}.")
        last.until_us = min(last.until_us, from_us)
        if rotated:
            last.last_sequence = _signed_count(fact, "last_sequence")
        self.keys.append(following)

    def _continue(self, fact: Fact, origin: str) -> None:
        channel, _ = self.registers.get(fact.text("predecessor"), (-1, 0))
        corrected = fact.text("cause").startswith("corrected")
        if channel != fact.count("channel") or fact.text("register") in self.registers:
            raise VerificationError("bundle.device_life", f"An epoch of {self.name} continues none of its registers.")
        if not corrected and not _is_stated(self.keys[-1], fact, origin, "signature"):
            raise VerificationError("bundle.device_life", f"The key of {self.name} did not sign its epoch.")
        self.registers[fact.text("register")] = (channel, _signed_count(fact, "start_count_wh"))


def _is_stated(key: Key, fact: Fact, origin: str, name: str) -> bool:
    """Whether a key signed what a fact says but its signatures, for this journal (docs/devices.md)."""
    said = {one: value for one, value in fact.data.items() if one not in SIGNATURES}
    plain = {"data": said, "journal": origin, "kind": fact.kind, "v": "1"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    signature = fact.octets(name)
    try:
        if key.kind in CURVES:
            signature = _der_of(key.kind, signature)
    except (ValueError, KeyError):
        return False
    return _is_signed_by(key.kind, key.key, b"penstock/statement/1\n" + text.encode(), signature)


def _signed_count(fact: Fact, name: str) -> int:
    text = fact.text(name)
    return -_unsigned(fact, name, text[1:]) if text.startswith("-") else _unsigned(fact, name, text)


def _unsigned(fact: Fact, name: str, text: str) -> int:
    try:
        return _count(text, name)
    except (VerificationError, IndexError):
        raise VerificationError("bundle.fact_malformed", f"Fact {fact.seq} misstates {name}.") from None


@dataclass(frozen=True)
class Reading:
    """Where a register stood, and the packet that said so; None for the standing at commissioning."""

    at_us: int
    position_wh: int
    device: Meter
    packet: Packet | None
    assurance: int


@dataclass(frozen=True)
class Issued:
    """A title as it was issued: its row, its interval [us], and how well assured it is."""

    title: Row
    hour: tuple[int, int]
    level: int

    @property
    def properties(self) -> tuple[object, ...]:
        """What a storage looks through to, beside the assurance."""
        fact = self.title.fact
        numbers = [fact.optional_count(name) for name in ("carbon_mg_per_kwh", "valid_us")]
        return fact.text("zone"), fact.text("technology"), fact.optional_text("support"), *numbers


@dataclass
class _Check:
    """What the claims of any bundle rest on: numbers and names, signed readings, issues, storages."""

    bundle: _Bundle
    registers: dict[int, tuple[str, str]] = field(default_factory=dict)
    accounts: dict[int, str] = field(default_factory=dict)
    predecessors: dict[str, str] = field(default_factory=dict)
    charges: dict[int, int] = field(default_factory=dict)
    supplied: list[tuple[int, int, int]] = field(default_factory=list)
    storages: dict[str, tuple[int, int]] = field(default_factory=dict)
    devices: dict[int, Meter] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    roofs: dict[str, int] = field(default_factory=dict)
    packets: set[bytes] = field(default_factory=set)
    levels: dict[str, str] = field(default_factory=dict)
    estimated: bool = False

    def take_names(self) -> None:
        """Registers, accounts and devices by their numbers, and what became of the devices."""
        opened = self._numbers("registers", "register.opened", "bundle.register_name")
        self.registers = {number: (fact.text("register"), fact.text("unit")) for number, fact in opened.items()}
        holders = self._numbers("accounts", "account.opened", "bundle.account_name")
        self.accounts = {number: fact.text("account") for number, fact in holders.items()}
        enrolled = self._numbers("devices", "device.enrolled", "bundle.device_name")
        self.devices = {number: _meter_of(fact) for number, fact in enrolled.items()}
        self._take_fleet()
        self._live()

    def _numbers(self, name: str, kind: str, code: str) -> dict[int, Fact]:
        """Facts by their dense number. Numbers are given in the log's order, one a fact of the kind."""
        found: dict[int, Fact] = {}
        number, seq = -1, 0
        for item in self.bundle.plain[name]:
            if not 0 < item["number"] - number <= item["fact"] - seq:
                raise VerificationError(code, f"Fact {item['fact']} cannot be number {item['number']} of {name}.")
            number, seq = item["number"], item["fact"]
            found[number] = self.bundle.fact(seq, kind)
        if len({fact.text(kind.partition(".")[0]) for fact in found.values()}) != len(found):
            raise VerificationError(code, f"Two of {name} have one name.")
        return found

    def _take_fleet(self) -> None:
        """Devices enrolled in bulk: a row each, its registers named and numbered by its place."""
        bases: dict[int, tuple[int, int]] = {}
        for item in self.bundle.plain["fleet"]:
            row = self.bundle.row(item["row"], "devices.enrolled", "device/1")
            channels = row.fact.data.get("channels")
            if not isinstance(channels, list) or not all(isinstance(one, str) for one in channels):
                raise VerificationError("bundle.fact_malformed", f"Fact {row.fact.seq} misstates channels.")
            base = item["device"] - row.index, item["register"] - row.index * len(channels)
            if bases.setdefault(row.fact.seq, base) != base or min(base) < 0 or item["device"] in self.devices:
                raise VerificationError("bundle.device_name", "A device of a fleet cannot have that number.")
            meter = _bulk_meter_of(row, channels)
            self.devices[item["device"]] = meter
            for channel, name in enumerate(meter.registers):
                if self.registers.setdefault(item["register"] + channel, (name, "Wh")) != (name, "Wh"):
                    raise VerificationError("bundle.register_name", f"{name} cannot have that number.")

    def _live(self) -> None:
        """What became of the devices since: keys, epochs, ends."""
        names = {meter.name: meter for meter in self.devices.values()}
        if len(names) != len(self.devices):
            raise VerificationError("bundle.device_name", "Two devices have one name.")
        for seq in sorted(self.bundle.plain["lives"]):
            fact = self.bundle.facts.get(seq)
            meter = names.get(fact.text("device")) if fact and fact.kind in LIVES else None
            if fact is None or meter is None:
                raise VerificationError("bundle.device_life", f"Fact {seq} is not of a device's life here.")
            self.bundle.used_facts.add(seq)
            meter.follow(fact, self.bundle.origin)
            if fact.kind == "epoch.opened":
                self.predecessors[fact.text("register")] = fact.text("predecessor")

    def _register(self, number: int, unit: str) -> str:
        """The name of a register that counts in ``unit``."""
        name, counts = self.registers.get(number, ("", ""))
        if counts != unit:
            raise VerificationError("bundle.register_name", f"Register {number} is not here as one of {unit}.")
        return name

    def _expect_register(self, number: int, unit: str, name: str) -> None:
        found = self._register(number, unit)
        if found != name:
            raise VerificationError("bundle.register_name", f"Register {number} is {found}, not {name}.")

    def _link(self, number: int, kind: str) -> Row:
        return self.bundle.row(number, "spans.linked", "link/1", link=kind)

    def _check_supply(
        self, item: dict[str, Any], register: int, span: tuple[int, int], purpose: str
    ) -> tuple[Issued, Row]:
        """Title, what it was issued for, and the move that claimed it for a purpose."""
        issued, name = self._check_issue(item, register, span), self._register(register, "Wh")
        claim = self.bundle.row(
            item["claim"], "titles.moved", "move/1", "bundle.claim_missing", right="attribute", state="claimed"
        )
        if claim.fact.text("purpose") != purpose or claim["state"] != STATES.index("claimed"):
            raise VerificationError("bundle.claim_missing", f"The move does not claim {name} for this: {purpose}.")
        if claim["register"] != register or not claim["start"] <= span[0] <= span[1] <= claim["stop"]:
            raise VerificationError("bundle.claim_missing", f"The claim does not cover {span} of {name}.")
        if claim.fact.seq <= issued.title.fact.seq:
            raise VerificationError("bundle.claim_missing", f"The claim of {name} came before its title.")
        if issued.title.fact.data.get("stored") is True and not item["stored"] and item["foreign"] is None:
            raise VerificationError("bundle.origin", f"Nothing shows where {name} has its energy from.")
        self.supplied.append((register, *span))
        return issued, claim

    def _check_issue(self, item: dict[str, Any], register: int, span: tuple[int, int]) -> Issued:
        """A title over units, and the signed readings around its interval, or the registry that it came from."""
        name = self._register(register, "Wh")
        title = self.bundle.row(item["title"], "titles.issued", "title/1", "bundle.title_missing", right="attribute")
        if title["register"] != register or not title["start"] <= span[0] <= span[1] <= title["stop"]:
            raise VerificationError("bundle.title_span", f"The title does not cover {span} of {name}.")
        level = title.fact.text("assurance")
        hour = (title["interval_us"], title["interval_us"] + title.fact.count("interval_us"))
        issued = Issued(title, hour, _level(level))
        device = self._check_foreign(item, issued, name) if item["foreign"] is not None else None
        device = device or self._check_counted(item, issued, register)
        self.levels[name] = level
        if item["foreign"] is None and title.fact.data.get("stored") is True:
            self._check_stored(item["stored"], issued, register, span)
        elif item["stored"]:
            raise VerificationError("bundle.origin", f"The title of {name} does not say that it left a storage.")
        else:
            self.roofs[device] = self.roofs.get(device, 0) + span[1] - span[0]
        return issued

    def _check_counted(self, item: dict[str, Any], issued: Issued, register: int) -> str:
        """That a meter counted a title's units in its interval; the device's name."""
        before, after = self._around(item, register, issued.hour)
        if issued.level < max(before.assurance, after.assurance):
            name = self._register(register, "Wh")
            raise VerificationError("bundle.assurance", f"The title of {name} counts as better assured than it is.")
        self._check_between(issued.title, before, after, "bundle.title_span")
        self.estimated |= before.at_us != issued.hour[0] or after.at_us != issued.hour[1]
        return after.device.name

    def _check_between(self, row: Row, before: Reading, after: Reading, code: str) -> None:
        """That a row's units were counted between two readings."""
        if not before.position_wh <= row["start"] < row["stop"] <= after.position_wh:
            name = self._register(row["register"], "Wh")
            raise VerificationError(code, f"The meter of {name} did not count these units then.")

    def _check_foreign(self, item: dict[str, Any], issued: Issued, name: str) -> str:
        """That another registry's certificate stands behind a title; the registry, which has no key here."""
        row, title = self.bundle.row(item["foreign"], "certificates.imported", "foreign/1"), issued.title
        spans = all(row[at] == title[at] for at in ("register", "start", "stop", "interval_us"))
        if not spans or row["interval_stop_us"] != issued.hour[1] or not name.startswith(IMPORTED):
            raise VerificationError("bundle.foreign", f"The title of {name} is not what the other registry said.")
        if issued.level != _level(ASSURANCE[-1]) or item["before"] is not None or item["after"] is not None:
            raise VerificationError("bundle.foreign", f"Nobody here saw a meter of {name}: it is declared.")
        registry = f"registry {row.fact.text('registry')}"
        self.keys[registry] = UNSIGNED
        return registry

    def _check_stored(self, pieces: list[dict[str, Any]], issued: Issued, register: int, span: tuple[int, int]) -> None:
        """That charge, and certificates claimed for it, stand behind every unit that a storage gave."""
        start, stop = span
        if not pieces and issued.title.fact.text("technology") == BATTERY:
            return  # without origin: such a title is withdrawn as it is issued, see `_CertificateCheck`
        for piece in pieces:
            row = self._link(piece["row"], "store")
            if row["target"] != register:
                raise VerificationError("bundle.stored_sum", "A link of storage leads to another register.")
            start = _next(piece, row, "target", start, "bundle.stored_sum")
            drawn = _identity(piece, row, "target", "bundle.stored_sum")
            self._check_charge(piece, row, drawn, issued, self._storage(piece, row, issued))
        if start != stop:
            raise VerificationError("bundle.stored_sum", "What the storage took does not come to what it gave.")

    def _storage(self, piece: dict[str, Any], row: Row, issued: Issued) -> Fact:
        """The storage whose discharge record a title and a link are of."""
        record = self.bundle.row(piece["discharge"], "storage.discharged", "discharge/1", "bundle.record")
        storage = self.bundle.named("storage.registered", "storage", record.fact.text("storage"))
        title, fact = issued.title, record.fact
        alike = all(record[name] == title[name] for name in ("register", "start", "stop", "interval_us"))
        if not alike or fact.count("interval_us") != title.fact.count("interval_us"):
            raise VerificationError("bundle.record", "The title is not that of the discharge record.")
        if record["assurance"] > issued.level or storage.text("zone") != title.fact.text("zone"):
            raise VerificationError("bundle.origin", "The title says more than the discharge record.")
        for register, side in ((row["source"], "charge_register"), (row["target"], "discharge_register")):
            if storage.text(side) not in self._line(self._register(register, "Wh")):
                raise VerificationError("bundle.register_name", f"Register {register} is not the storage's {side}.")
        sums = [("drawn_wh", "quantity_in"), ("loss_wh", "loss")]
        if row.fact.seq != fact.seq + 1 or any(fact.count(own) != row.fact.count(linked) for own, linked in sums):
            raise VerificationError("bundle.loss", "The links are not what the discharge records call for.")
        self._check_loss(piece, row, storage, issued.hour[0])
        charge = self.bundle.row(piece["charge"], "storage.charged", "charge/1", "bundle.record")
        first = record["charge"] - charge.index
        if first < 0 or self.charges.setdefault(charge.fact.seq, first) != first:
            raise VerificationError("bundle.record", "The discharge is of another charge record.")
        return storage

    def _line(self, name: str) -> list[str]:
        """A register's name and those that it continues."""
        line = [name]
        while line[-1] in self.predecessors and len(line) <= len(self.predecessors):
            line.append(self.predecessors[line[-1]])
        return line

    def _check_loss(self, piece: dict[str, Any], row: Row, storage: Fact, at_us: int) -> None:
        """That what was lost behind a link is what the storage's stated efficiency makes of it, within one Wh."""
        rate, given, lost = self._rate(storage.text("storage"), at_us), _length(row, "target"), 0
        if piece["loss"] is not None:
            loss = self._link(piece["loss"], "store")
            self._expect_register(loss["target"], "Wh", storage.text("loss_register"))
            behind = (row.fact.seq, row.index + 1, row["source"], row["source_stop"])
            if (loss.fact.seq, loss.index, loss["source"], loss["source_start"]) != behind:
                raise VerificationError("bundle.loss", "The loss does not stand right behind what was given.")
            lost = _length(loss, "source")
            if lost != _length(loss, "target") or lost < 0:
                raise VerificationError("bundle.loss", "A loss has another quantity on each side.")
        if abs(given * rate[1] - (given + lost) * rate[0]) >= rate[1]:
            raise VerificationError("bundle.loss", "The loss is not what the stated efficiency makes of it.")
        part = piece["stop"] - piece["start"]
        before = self.storages.get(storage.text("storage"), (0, 0))
        self.storages[storage.text("storage")] = before[0] + part, before[1] - (-part * lost // given)

    def _rate(self, storage: str, at_us: int) -> tuple[int, int]:
        """How many Wh are discharged of how many charged, as stated for an instant."""
        facts = [fact for fact in self.bundle.facts.values() if fact.kind == "storage.efficiency"]
        found = [
            fact
            for fact in facts
            if fact.text("storage") == storage and _signed_count(fact, "start_us") <= at_us < fact.count("stop_us")
        ]
        if len(found) != 1:
            raise VerificationError("bundle.fact_kind", f"{len(found)} efficiencies of {storage} hold here, not one.")
        stated = self.bundle.fact(found[0].seq, "storage.efficiency")
        num, den = stated.count("num"), stated.count("den")
        if not 0 < num <= den:
            raise VerificationError("bundle.loss", "No storage gives more than it was charged with.")
        return num, den

    def _check_charge(
        self, piece: dict[str, Any], row: Row, drawn: tuple[int, int], issued: Issued, storage: Fact
    ) -> None:
        """That a storage's meter counted the charge, and certificates of its interval were claimed for it."""
        record, register, name = self.bundle.rows[piece["charge"]], row["source"], storage.text("storage")
        hour = (record["interval_us"], record["interval_us"] + record.fact.count("interval_us"))
        inside = record["start"] <= drawn[0] <= drawn[1] <= record["stop"]
        if not inside or record["register"] != register or record.fact.text("storage") != name:
            raise VerificationError("bundle.record", "The charge record is of other units.")
        if hour[0] > issued.hour[0]:
            raise VerificationError("bundle.hour_mismatch", "A storage gave what it was charged with later.")
        before, after = self._around(piece, register, hour)
        self._check_between(record, before, after, "bundle.meter_span")
        if max(before.assurance, after.assurance) > record["assurance"] or record["assurance"] > issued.level:
            raise VerificationError("bundle.assurance", "A charge counts as better assured than it is.")
        start = drawn[0]
        for item in piece["claims"]:
            link = self._link(item["row"], "claim")
            if link["target"] != register:
                raise VerificationError("bundle.stored_sum", "Certificates were claimed for another charge.")
            start = _next(item, link, "target", start, "bundle.stored_sum")
            span = _identity(item, link, "target", "bundle.stored_sum")
            origin, claim = self._check_supply(item, link["source"], span, f"charge of {name}")
            self._check_origin(origin, issued, hour)
            if self._account(claim["source"]) != storage.text("operator") or claim["source"] != claim["target"]:
                raise VerificationError("bundle.claim_missing", f"The operator of {name} did not claim this.")
        if start != drawn[1]:
            raise VerificationError("bundle.stored_sum", "The certificates do not come to what was charged.")

    def _check_origin(self, origin: Issued, issued: Issued, hour: tuple[int, int]) -> None:
        if origin.hour != hour:
            raise VerificationError("bundle.hour_mismatch", "A certificate is of another interval than the charge.")
        if origin.properties != issued.properties or origin.level > issued.level:
            raise VerificationError("bundle.origin", "A storage's title says otherwise than where it comes from.")

    def _account(self, number: int) -> str:
        """The name of an account."""
        if number not in self.accounts:
            raise VerificationError("bundle.account_name", f"Account {number} is not here.")
        return self.accounts[number]

    def _around(self, item: dict[str, Any], register: int, hour: tuple[int, int]) -> tuple[Reading, Reading]:
        """The readings of a register at or before an hour's start and at or after its end, in the order of packets."""
        if item["after"] is None:
            raise _malformed("No reading stands behind an interval.")
        after = self._reading(item["after"], register)
        before = self._commissioned(after) if item["before"] is None else self._reading(item["before"], register)
        if not before.at_us <= hour[0] < hour[1] <= after.at_us:
            raise VerificationError("bundle.hour_mismatch", "The readings do not stand around the hour.")
        if before.packet and after.packet and not _in_order(before.packet, after.packet):
            raise VerificationError("bundle.sequence", "The packets do not follow each other.")
        return before, after

    def _commissioned(self, after: Reading) -> Reading:
        return Reading(after.device.commissioned_us, 0, after.device, None, after.assurance)

    def _reading(self, number: int, register: int) -> Reading:
        """A reading that was accepted, in a packet that its device signed."""
        pairs = self.bundle.plain["readings"]
        if number >= len(pairs):
            raise _malformed(f"There is no reading {number}.")
        reading = self.bundle.row(pairs[number]["reading"], "readings.verified", READINGS)
        row = self.bundle.row(pairs[number]["packet"], "packets.received", PACKETS)
        if reading["register"] != register or reading["packet"] != row.index:
            raise VerificationError("bundle.reading_mismatch", "The reading is of another register or packet.")
        if row.fact.seq >= reading.fact.seq or row.fact.hash("segment", "root") != reading.fact.hash("packets_root"):
            raise VerificationError("bundle.reading_mismatch", "The packet is of another command than the reading.")
        if reading["verdict"] or row["verdict"]:
            raise VerificationError("bundle.reading_refused", "The reading or its packet was refused.")
        packet, device = self._packet(row, reading["at_us"])
        name = self._register(register, "Wh")
        if name not in device.registers:
            raise VerificationError("bundle.register_name", f"{name} is no register of {device.name}.")
        channel, start = device.registers[name]
        if packet.readings.get((channel, reading["at_us"])) != start + reading["position_wh"]:
            raise VerificationError("bundle.reading_mismatch", "The device did not sign this reading.")
        level = reading.fields.get("assurance", 0)
        if level < max(device.level, 0 if packet.kind else VENDOR_ATTESTED, int(packet.kind in WEAK)):
            raise VerificationError("bundle.assurance", "A reading counts as better assured than it is.")
        return Reading(reading["at_us"], reading["position_wh"], device, packet, level)

    def _packet(self, row: Row, at_us: int) -> tuple[Packet, Meter]:
        packet, device = _packet_of(row.fields.get("form", 0), row.blob), self.devices.get(row["device"])
        if device is None or packet.device != device.name:
            raise VerificationError("bundle.packet_device", f"The packet is not of device {row['device']}.")
        if packet.sequence != row["sequence"]:
            raise VerificationError("bundle.sequence", "The packet's number is not the one that was recorded.")
        if not packet.kind:
            self.keys[packet.device] = UNSIGNED
            return packet, device
        key = next((one for one in device.keys if one.signed(packet, at_us)), None)
        if key is None:
            raise VerificationError("bundle.packet_signature", f"{packet.device} did not sign this packet.")
        self.packets.add(packet.hash)
        self.keys[packet.device] = key.key.hex()
        return packet, device

    def _context(self) -> tuple[str, ...]:
        """Facts told beside the proof: in the log, but not checked against anything else."""
        told = []
        for seq in self.bundle.plain["context"]:
            if seq not in self.bundle.facts:
                raise _malformed(f"There is no fact {seq}.")
            self.bundle.used_facts.add(seq)
            fact = self.bundle.facts[seq]
            anchored = fact.kind == "checkpoint.anchored"
            words = f": size {fact.text('size')}, root {fact.text('root')}" if anchored else ""
            told.append(f"fact {seq}, {fact.kind}{words}")
        return tuple(told)

    def _roofs(self) -> tuple[tuple[str, int, str], ...]:
        return tuple((device, wh, self.keys[device]) for device, wh in self.roofs.items())

    def _storages(self) -> tuple[tuple[str, int, int], ...]:
        return tuple((name, given, lost) for name, (given, lost) in self.storages.items())

    def _counts(self) -> tuple[tuple[str, int], ...]:
        return (
            ("facts in the log", len(self.bundle.facts)),
            ("rows in their segments", len(self.bundle.rows)),
            ("meter signatures", len(self.packets)),
        )

    def _keys(self, is_pinned: bool) -> tuple[str, ...]:
        pinned = "pinned by you" if is_pinned else "as the log names it: pin it with --log-key"
        meters = [f"{_named(device)}: {key}" for device, key in sorted(self.keys.items())]
        return (f"log {self.bundle.origin}: {self.bundle.log_key.hex()} ({pinned})", *meters)

    def _shared(self) -> tuple[str, ...]:
        return (
            "The keys above are held by whom they name; the log's operator enrolled the meters' keys.",
            f"The log showed everyone the same {self.bundle.size} facts: compare its checkpoint with one that is "
            "anchored or cosigned.",
        )

    def _weaker(self) -> list[str]:
        weaker = sorted(f"{name} ({level})" for name, level in self.levels.items() if level != ASSURANCE[0])
        return [f"Not signed by the meter itself: {', '.join(weaker)}."] if weaker else []

    def _estimates(self) -> list[str]:
        return ["Even power between readings was assumed where none falls on the hour."] if self.estimated else []

    def _check_unused(self) -> None:
        """Nothing rides along unproved."""
        rows = set(range(len(self.bundle.rows))) - self.bundle.used_rows
        if rows or set(self.bundle.facts) - self.bundle.used_facts:
            raise VerificationError("bundle.unused", "The bundle holds facts or rows that no claim leans on.")


@dataclass
class _AnswerCheck(_Check):
    """The claims of an answer, in the order of the chain: back to the meters, ahead to the money."""

    _paid: tuple[str, ...] = ()

    def run(self, is_pinned: bool) -> Report:
        """Check all of it."""
        self.take_names()
        claims, answer = self.bundle.plain["claims"], self.bundle.plain["answer"]
        rack = self.bundle.named("rack.registered", "rack", answer["rack"])
        request, serve, work = self._check_answer(claims, rack)
        interval = self._check_interval(claims["interval"], rack, request, work)
        self._check_energy(claims, rack, request, work, interval)
        bill = self._check_bill(claims, serve, rack, interval)
        ends, collected = self._check_pay(claims, bill)
        self._check_sums(answer, request, work, bill, collected)
        context = self._context()
        self._check_unused()
        modelled = request.fact.data.get("modelled") is True
        return Report(
            rack=answer["rack"],
            number=answer["number"],
            tokens=answer["tokens"],
            energy_mj=answer["energy_mj"],
            billed_usdc_micro=answer["billed_usdc_micro"],
            collected_usdc_micro=answer["collected_usdc_micro"],
            roofs=self._roofs(),
            storages=self._storages(),
            ends=tuple(ends.items()),
            counts=self._counts(),
            keys=self._keys(is_pinned),
            context=context,
            assumptions=self._assumptions(modelled, interval),
            sold=(*self._reported(interval), *self._paid),
        )

    def _check_answer(self, claims: dict[str, Any], rack: Fact) -> tuple[Row, Row, Row]:
        """Request, accelerator time and energy: whole rows, side by side."""
        request = self.bundle.row(claims["request"], "answers.served", "request/1", rack=rack.text("rack"))
        serve, work = self._link(claims["serve"], "serve"), self._link(claims["work"], "work")
        self._expect_register(serve["target"], "tokens", rack.text("token_register"))
        self._expect_register(serve["source"], "ms", rack.text("calendar_register"))
        self._expect_register(work["source"], "mJ", rack.text("energy_register"))
        if (serve.fact.seq, serve.index) != (request.fact.seq + 2, request.index):
            raise VerificationError("bundle.serve_span", "The time is not that of this request's own command and row.")
        if _length(serve, "target") != request["tokens"] or _length(serve, "source") != request["time_ms"]:
            raise VerificationError("bundle.serve_span", "Time or tokens are not those of the request.")
        if not _length(work, "source"):
            raise VerificationError("bundle.work_span", "The answer took no energy, so nothing leads back to a meter.")
        if work.fact.seq != request.fact.seq + 1 or _span(work, "target") != _span(serve, "source"):
            raise VerificationError("bundle.work_span", "The energy did not become the accelerator time of the answer.")
        return request, serve, work

    def _check_interval(self, item: dict[str, Any], rack: Fact, request: Row, work: Row) -> Interval | None:
        """What a provider signed of the answer's interval, to the mJ: statement, sealed energy and links agree."""
        if item["sealed"] is None:
            return None
        sealed = self.bundle.fact(item["sealed"], "energy.sealed")
        if None in (item["stated"], item["first"]) or len(item["losses"]) != len(PARTS):
            raise _malformed("An interval has a statement, a first link and three of what is no answer's.")
        stated = self.bundle.row(item["stated"], "work.stated", "work/1", "bundle.interval", rack=rack.text("rack"))
        served, names = request.fact, ("rack", "start_us", "stop_us")
        of_one = all(sealed.text(one) == served.text(one) == stated.fact.text(one) for one in names)
        following = (stated.fact.seq + 2, sealed.seq + 1, stated.index) == (served.seq, served.seq, request.index)
        counts = {fact.count(*path) for fact, *path in _answer_counts(sealed, served, stated.fact)}
        if not of_one or not following or len(counts) != 1:
            raise VerificationError("bundle.interval", "Statement, sealed energy and answers are not of one interval.")
        interval = Interval(sealed, stated, sealed.count("start_us"), sealed.count("stop_us"))
        _check_stated(interval, request, work)
        if stated.fact.hash("root") != stated.fact.hash("segment", "root"):
            raise VerificationError("bundle.interval", "The statement binds its provider to other rows.")
        self._check_shared_out(item, interval, rack, work)
        return interval

    def _check_shared_out(self, item: dict[str, Any], interval: Interval, rack: Fact, work: Row) -> None:
        """From the first answer's energy to the last unattributed mJ, the links are what the meter counted."""
        sealed = interval.sealed
        answers, first = sealed.count("answers"), self._link(item["first"], "work")
        losses = [self._link(one, "work") for one in item["losses"]]
        places = [(one.fact.seq, one.index) for one in (first, *losses)]
        if places != [(work.fact.seq, place) for place in (0, *range(answers, answers + len(PARTS)))]:
            raise VerificationError("bundle.interval_sum", "The links are not the first and the last of the interval.")
        if work.fact.count("segment", "rows") != answers + len(PARTS):
            raise VerificationError("bundle.interval_sum", "More links share out the energy than the interval has.")
        at, parts = first["source_start"] + sealed.count("answers_mj"), [sealed.count(f"{one}_mj") for one in PARTS]
        if not first["source_start"] <= work["source_start"] < work["source_stop"] <= at:
            raise VerificationError("bundle.interval_sum", "The answer's energy is not among that of the answers.")
        idle = rack.text("idle_register")
        for name, row, part in zip(PARTS, losses, parts, strict=True):
            if _span(row, "source") != (work["source"], at, at + part) or _length(row, "target") != part:
                raise VerificationError("bundle.interval_sum", f"The links say another amount of {name} energy.")
            self._expect_register(row["target"], "mJ", rack.optional_text(f"{name}_register") or idle)
            at += part
        if at - first["source_start"] != work.fact.count("quantity_in"):
            raise VerificationError("bundle.interval_sum", "What is shared out is not what the meter counted.")

    def _check_energy(
        self, claims: dict[str, Any], rack: Fact, request: Row, work: Row, interval: Interval | None
    ) -> None:
        """Energy back to whole Wh of the rack's meter, and those to the roofs."""
        _, start, stop = _span(work, "source")
        first, last = start // MJ_PER_WH, -(-stop // MJ_PER_WH)
        meter = -1
        for part in claims["convert"]:
            row = self._link(part["row"], "convert")
            meter = row["source"]
            self._expect_register(meter, "Wh", rack.text("import_register"))
            sides = zip(_span(row, "source")[1:], _span(row, "target")[1:], strict=True)
            if row["target"] != work["source"] or any(mj != wh * MJ_PER_WH for wh, mj in sides):
                raise VerificationError("bundle.conversion", "Wh and mJ do not stand at the same place of one scale.")
            start = _next(part, row, "target", start, "bundle.conversion")
        if start != stop:
            raise VerificationError("bundle.conversion", "The conversions do not cover the answer's energy.")
        hours = self._check_allocations(claims["allocate"], rack, (first, last))
        if interval:
            self._check_sealed_meter(claims, meter, (first, last), interval, hours)
        else:
            for _, hour in hours:
                if not hour[0] <= request["arrived_us"] < hour[1] <= hour[0] + HOUR_US:
                    raise VerificationError("bundle.hour_mismatch", "The energy of a roof is of another hour.")
            around = min(hour[0] for _, hour in hours), max(hour[1] for _, hour in hours)
            self._check_meter(claims["meter"], meter, (first, last), around)

    def _check_allocations(
        self, allocations: list[dict[str, Any]], rack: Fact, import_wh: tuple[int, int]
    ) -> list[tuple[int, tuple[int, int]]]:
        """The roofs' Wh are the rack's, each once; where each part stops, and the time that its title spans."""
        links = [self._link(item["row"], "allocate") for item in allocations]
        spans = [_identity(item, row, "target") for item, row in zip(allocations, links, strict=True)]
        _refuse_twice([(row["source"], *span) for row, span in zip(links, spans, strict=True)])
        start, stop = import_wh
        hours = []
        for item, row, span in zip(allocations, links, spans, strict=True):
            self._expect_register(row["target"], "Wh", rack.text("import_register"))
            issued, _ = self._check_supply(item, row["source"], span, f"consumption of {rack.text('rack')}")
            start = _next(item, row, "target", start, "bundle.allocation_sum")
            hours.append((start, issued.hour))
        if start != stop:
            raise VerificationError("bundle.allocation_sum", "The roofs' Wh do not come to the answer's.")
        _refuse_twice(self.supplied)
        return hours

    def _check_sealed_meter(
        self,
        claims: dict[str, Any],
        register: int,
        import_wh: tuple[int, int],
        interval: Interval,
        hours: list[tuple[int, tuple[int, int]]],
    ) -> None:
        """The meter counts a Wh when it begins to be drawn: that in progress at the start was bought before, all others
        in the hour in which the interval began."""
        before, after = self._around(claims["meter"], register, (interval.start_us, interval.stop_us))
        begun = max(before.position_wh - 1, 0)
        if not begun <= import_wh[0] <= import_wh[1] <= after.position_wh:
            raise VerificationError("bundle.meter_span", "The rack's meter did not count these Wh in the interval.")
        for stop, hour in hours:
            early = stop <= before.position_wh and hour[0] <= interval.start_us
            if not early and not hour[0] <= interval.start_us < hour[1] <= hour[0] + HOUR_US:
                raise VerificationError("bundle.hour_mismatch", "The energy of a roof is of another hour.")

    def _check_meter(
        self, item: dict[str, Any], register: int, import_wh: tuple[int, int], hour: tuple[int, int]
    ) -> None:
        """That the rack's own meter counted these Wh in the hour of the answer."""
        before, after = self._around(item, register, hour)
        if not before.position_wh <= import_wh[0] <= import_wh[1] <= after.position_wh:
            raise VerificationError("bundle.meter_span", "The rack's meter did not count these Wh around the answer.")

    def _check_bill(self, claims: dict[str, Any], serve: Row, rack: Fact, interval: Interval | None) -> Row | None:
        """Tokens to dollars: what was paid for them, or the price of the offer, cut at floors of cumulative tokens."""
        if claims["bill"] is None:
            return None
        bill = self._link(claims["bill"], "bill")
        name = self._register(bill["target"], "usdc_micro")
        if claims["sale"] is not None:
            self._check_sale(claims["sale"], bill, serve, rack, interval)
            return bill
        offer = self.bundle.named("credits.offered", "credit_class", name.removesuffix(BILLED))
        if name != offer.text("credit_class") + BILLED:
            raise VerificationError("bundle.register_name", f"{name} does not bill a class of credits.")
        named = "units_per_credit" in offer.data
        per = "units_per_credit" if named else "tokens_per_credit"  # as its first version called it
        price, size = offer.count("price_usdc_micro"), max(offer.count(per), 1)
        due = (bill["target"], *(tokens * price // size for tokens in _span(bill, "source")[1:]))
        if _span(bill, "source") != _span(serve, "target") or _span(bill, "target") != due:
            raise VerificationError("bundle.bill_span", "The bill is not the price of the answer's tokens.")
        return bill

    def _check_sale(self, number: int, bill: Row, serve: Row, rack: Fact, interval: Interval | None) -> None:
        """The payment is of this very answer, and all of it and nothing else was billed."""
        names = ("provider", "rack", "model", "start_us", "stop_us")
        sale = self.bundle.row(number, "sales.collected", "sale/1", "bundle.sale", rack=rack.text("rack"))
        stated = interval.stated if interval else None
        if stated is None or any(sale.fact.text(one) != stated.fact.text(one) for one in names):
            raise VerificationError("bundle.sale", "The sale is of another interval than the answer.")
        if sale["number"] != stated["number"] or sale.blob[:32] != stated.blob[:32] or sale["scheme"] >= len(SCHEMES):
            raise VerificationError("bundle.sale", "The payment is for another answer.")
        if sale.fact.seq != stated.fact.seq + 5 or (bill.fact.seq, bill.index) != (sale.fact.seq + 1, stated.index):
            raise VerificationError("bundle.sale", "The sale and its bill do not stand beside the answer.")
        self._expect_register(bill["target"], "usdc_micro", rack.text("rack") + BILLED)
        if _span(bill, "source") != _span(serve, "target") or _length(bill, "target") != sale["paid_usdc_micro"]:
            raise VerificationError("bundle.bill_span", "The bill is not what was paid for the answer's tokens.")
        payment, payer, transaction = (sale.blob[low:high].hex() for low, high in ((0, 32), (32, 52), (52, 84)))
        scheme = SCHEMES[sale["scheme"]]
        self._paid = (f"paid by {scheme}: payment {payment}, from 0x{payer}, transaction 0x{transaction}",)

    @staticmethod
    def _reported(interval: Interval | None) -> tuple[str, ...]:
        """What the provider signed, in words."""
        if interval is None:
            return ()
        sealed, stated = interval.sealed, interval.stated.fact
        parts = ", ".join(f"{sealed.count(f'{one}_mj'):,} {one}" for one in PARTS)
        return (
            f"of {sealed.count('meter_mj'):,} mJ metered {_utc(interval.start_us)} to {_utc(interval.stop_us)}: "
            f"{sealed.count('answers_mj'):,} to {sealed.count('answers'):,} answers, {parts}",
            f"as {stated.text('provider')} signed: report sha256 {stated.text('envelope')}, its energy under "
            f"{sealed.text('root')}",
        )

    def _check_pay(self, claims: dict[str, Any], bill: Row | None) -> tuple[dict[str, int], int]:
        """Each payment takes what the bill or a payment before it brought; returns where all ends, and collections."""
        held: list[tuple[int, int, int]] = [_span(bill, "target")] if bill else []
        collected = 0
        for item in claims["pay"]:
            row = self._link(item["row"], "pay")
            start, stop = _identity(item, row, "source", "bundle.pay_sum")
            held = _taken(held, (row["source"], item["start"], item["stop"]), _span(row, "source")[1:])
            held.append((row["target"], start, stop))
            collected += stop - start if bill and row["source"] == bill["target"] else 0
        ends: dict[str, int] = {}
        for register, start, stop in held:
            name = self._register(register, "usdc_micro")
            ends[name] = ends.get(name, 0) + stop - start
        return ends, collected

    def _check_sums(self, answer: dict[str, Any], request: Row, work: Row, bill: Row | None, collected: int) -> None:
        """What the bundle says of the answer, against the rows."""
        found = {
            **{name: request[name] for name in ("number", "arrived_us", "tokens", "time_ms")},
            "energy_mj": _length(work, "source"),
            "billed_usdc_micro": _length(bill, "target") if bill else 0,
            "collected_usdc_micro": collected,
        }
        for name, value in found.items():
            if answer[name] != value:
                raise VerificationError("bundle.answer_sum", f"The rows come to {name} {value}, not {answer[name]}.")

    def _assumptions(self, modelled: bool, interval: Interval | None) -> tuple[str, ...]:
        return (
            *self._shared(),
            "Nobody else claimed these Wh elsewhere in the log, and each meter has one register: an audit of the whole "
            "journal shows that, one bundle cannot.",
            "Energy reached the rack by contract, hour by hour, over the grid; this proves statements, not electrons.",
            *(self._sealed_so(interval) if interval else [SHARED_SO]),
            *self._weaker(),
            *(["The rack, its time and its energy are modelled."] if modelled and not interval else []),
            *self._estimates(),
        )

    @staticmethod
    def _sealed_so(interval: Interval) -> list[str]:
        sealed = interval.sealed
        return [
            f"The interval's energy is shared by {sealed.text('method')} with {sealed.text('parameters')}.",
            f"Power is from {sealed.text('source')}.",
            "The provider's signature is on its own papers, by the sha256 above: the receipt of the payment and the "
            "report; they are checked by receipt.py.",
            "A Wh counts when it begins to be drawn: the first may have been bought before the interval; whole Wh at "
            "an edge are shared with a neighbour.",
        ]


SHARED_SO = (
    "The hour's energy is shared over its answers by tokens, after idle; whole Wh at an edge are shared with a "
    "neighbour."
)


@dataclass(frozen=True)
class Interval:
    """What a provider signed: the sealed energy of an interval, and the row that states the answer; instants [us]."""

    sealed: Fact
    stated: Row
    start_us: int
    stop_us: int


def _answer_counts(sealed: Fact, served: Fact, stated: Fact) -> tuple[tuple[Any, ...], ...]:
    """Where the number of answers of an interval is said."""
    return (sealed, "answers"), (served, "answers"), (served, "segment", "rows"), (stated, "segment", "rows")


def _check_stated(interval: Interval, request: Row, work: Row) -> None:
    """The row that was signed says of the answer what the journal says."""
    stated, sealed = interval.stated, interval.sealed
    said = (stated["arrived_us"], stated["prompt_tokens"] + stated["output_tokens"], stated["time_ms"])
    found = (request["arrived_us"], request["tokens"], request["time_ms"])
    if said != found or not interval.start_us <= stated["done_us"] < interval.stop_us:
        raise VerificationError("bundle.interval", "The statement says something else of the answer.")
    if stated["energy_mj"] != _length(work, "source"):
        raise VerificationError("bundle.interval_sum", "The statement says another energy of the answer.")
    parts = [sealed.count(f"{one}_mj") for one in ("answers", *PARTS)]
    if sum(parts) != sealed.count("meter_mj") or request.fact.count("energy_mj") != sealed.count("meter_mj"):
        raise VerificationError("bundle.interval_sum", "What is shared out is not what the meter counted.")


def _named(device: str) -> str:
    return device if device.startswith("registry ") else f"meter {device}"


def _burned(back: Fact) -> str:
    """What brought units back from a chain, in words."""
    if back.text("cause") == "lapsed":
        return "- nobody minted them on chain in time"
    badge = back.text("badge")
    return f"- {back.text('cause')} on chain, burn {back.text('number')}" + (
        f", badge {badge}" if badge != "-1" else ""
    )


@dataclass(frozen=True)
class Piece:
    """Units of the certificate that have one holder and one state; ``chain`` is their id while they are lifted."""

    start: int
    stop: int
    holder: int
    state: str
    chain: bytes = b""


@dataclass
class _CertificateCheck(_Check):
    """The claims of a certificate: why it was issued, and every move of its units since."""

    events: list[tuple[int, str]] = field(default_factory=list)
    lifted: bool = False

    def run(self, is_pinned: bool) -> CertificateReport:
        """Check all of it."""
        self.take_names()
        claims, named = self.bundle.plain["claims"], self.bundle.plain["certificate"]
        register, span = self._number(named["register"]), (named["start"], named["stop"])
        if span[0] >= span[1]:
            raise _malformed("A certificate has units.")
        issued = self._check_issue(claims, register, span)
        _refuse_twice(self.supplied)
        pieces = self._check_moves(claims["moves"], issued, register, span)
        self._check_bare(claims, issued, pieces)
        context = self._context()
        self._check_unused()
        return CertificateReport(
            register=named["register"],
            start=span[0],
            stop=span[1],
            issued=self._issued(issued, span),
            events=tuple(self.events),
            states=tuple((one.start, one.stop, one.state, self._account(one.holder)) for one in pieces),
            roofs=self._roofs(),
            storages=self._storages(),
            counts=self._counts(),
            keys=self._keys(is_pinned),
            context=context,
            assumptions=self._assumptions(),
        )

    def _number(self, name: str) -> int:
        for number, known in self.registers.items():
            if known == (name, "Wh"):
                return number
        raise VerificationError("bundle.register_name", f"{name} is not here as a register of Wh.")

    def _issued(self, issued: Issued, span: tuple[int, int]) -> str:
        """What was issued, in words."""
        fact = issued.title.fact
        valid_us, support = fact.optional_count("valid_us"), fact.optional_text("support")
        return (
            f"{span[1] - span[0]:,} Wh of {fact.text('technology')} in {fact.text('zone')}, "
            f"{_utc(issued.hour[0])} to {_utc(issued.hour[1])}, {fact.text('assurance')}, "
            f"{fact.optional_count('carbon_mg_per_kwh'):,} mg CO2e per kWh"
            + (", from a storage" if fact.data.get("stored") is True else "")
            + (f", support: {support}" if support else "")
            + (f", valid until {_utc(issued.hour[1] + valid_us)}" if valid_us else "")
            + "."
        )

    def _check_bare(self, claims: dict[str, Any], issued: Issued, pieces: list[Piece]) -> None:
        """What a storage gave without an origin is worth nothing: it was withdrawn."""
        bare = issued.title.fact.data.get("stored") is True and not claims["stored"] and claims["foreign"] is None
        if bare and any(piece.state != "withdrawn" for piece in pieces):
            raise VerificationError("bundle.origin", "A storage's certificate has no origin, and was not withdrawn.")

    def _check_moves(
        self, moves: list[dict[str, Any]], issued: Issued, register: int, span: tuple[int, int]
    ) -> list[Piece]:
        """Live through every move, in the order of the log; what the units are in the end."""
        title = issued.title
        pieces, last = [Piece(*span, title["holder"], STATES[0])], (title.fact.seq, -1)
        self.events.append((title.fact.at_us, f"issued to {self._account(title['holder'])}"))
        for item in moves:
            row = self.bundle.row(item["row"], "titles.moved", "move/1", "bundle.move_row", right="attribute")
            if (row.fact.seq, row.index) <= last or row.fact.seq == title.fact.seq:
                raise VerificationError("bundle.move_order", "The moves do not stand in the log's order, each once.")
            last = (row.fact.seq, row.index)
            touched = (max(row["start"], span[0]), min(row["stop"], span[1]))
            if row["register"] != register or touched != (item["start"], item["stop"]) or touched[0] >= touched[1]:
                raise VerificationError("bundle.move_span", "A move does not touch the units that are said.")
            pieces = self._moved(pieces, item, row, issued)
        return pieces

    def _moved(self, pieces: list[Piece], item: dict[str, Any], row: Row, issued: Issued) -> list[Piece]:
        """The pieces behind a move, which must find them as the moves before left them."""
        state = row.fact.text("state")
        if row["state"] >= len(STATES) or STATES[row["state"]] != state:
            raise VerificationError("bundle.move_row", "A move's row and its fact say another state.")
        after: list[Piece] = []
        touched: list[Piece] = []
        for piece in pieces:
            start, stop = max(piece.start, item["start"]), min(piece.stop, item["stop"])
            if start >= stop:
                after.append(piece)
                continue
            if piece.holder != row["source"]:
                raise VerificationError("bundle.move_holder", "A move comes from somebody who did not hold the units.")
            if state not in CHANGES[piece.state]:
                raise VerificationError("bundle.move_state", f"What is {piece.state} cannot become {state}.")
            touched.append(piece)
            cuts = [(piece.start, start), (stop, piece.stop)]
            after += [Piece(low, high, piece.holder, piece.state, piece.chain) for low, high in cuts if low < high]
            after.append(Piece(start, stop, row["target"], state, self._chain(item, row, issued, piece)))
        self._check_links(item, row, issued)
        self.events.append((row.fact.at_us, self._told(item, row, touched[0].state)))
        return sorted(after, key=lambda piece: piece.start)

    def _chain(self, item: dict[str, Any], row: Row, issued: Issued, piece: Piece) -> bytes:
        """The id that units have on chain behind a move: what lifts them names it, what brings them back as well."""
        if (row.fact.text("state") == "lifted") != (item["lift"] is not None) or (
            (piece.state == "lifted") != (item["back"] is not None)
        ):
            raise VerificationError("bundle.lift", "Units are lifted to a chain, and come back, by facts that say so.")
        if item["back"] is not None:
            self._check_back(item["back"], row, piece.chain)
        return self._check_lift(item, row, issued) if item["lift"] is not None else b""

    def _check_lift(self, item: dict[str, Any], row: Row, issued: Issued) -> bytes:
        lift = self.bundle.row(item["lift"], "titles.lifted", "lift/1", "bundle.lift")
        inside = lift["start"] <= item["start"] < item["stop"] <= lift["stop"]
        if lift.fact.seq != row.fact.seq - 1 or lift["register"] != row["register"] or not inside:
            raise VerificationError("bundle.lift", "The batch did not lift these units.")
        name, stored = self._register(row["register"], "Wh"), issued.title.fact.data.get("stored") is True
        counting = [meter.commissioned_us for meter in self.devices.values() if name in meter.registers]
        chain = _chain_id(issued, 0 if stored or not counting else counting[0])
        if lift.fact.hash("certificate") != chain:
            raise VerificationError("bundle.chain_id", "The id on chain is not that of what was issued.")
        self.lifted = True
        return chain

    def _check_back(self, seq: int, row: Row, chain: bytes) -> None:
        fact = self.bundle.fact(seq, "titles.returned")
        if seq != row.fact.seq - 1 or BACK.get(fact.text("cause")) != row.fact.text("state"):
            raise VerificationError("bundle.lift", "The units did not come back from the chain in this way.")
        if fact.hash("certificate") != chain:
            raise VerificationError("bundle.chain_id", "Another id came back from the chain than was lifted.")

    def _check_links(self, item: dict[str, Any], row: Row, issued: Issued) -> None:
        """That links say for what units were claimed; older claims, and those made on chain, have none."""
        claimed = row.fact.text("state") == "claimed" and item["back"] is None
        if not claimed or (row.fact.version == TWO[0] and not item["links"]):
            if item["links"]:
                raise VerificationError("bundle.claim_missing", "Links stand beside a move that claims nothing.")
            return
        start = item["start"]
        for part in item["links"]:
            link = self._link(part["row"], "claim")
            if link["source"] != row["register"] or link.fact.at_us != row.fact.at_us:
                raise VerificationError("bundle.claim_missing", "A link is of another claim.")
            start = _next(part, link, "source", start, "bundle.claim_missing")
            _identity(part, link, "source", "bundle.claim_missing")
            began_us, ended_us = link.fact.count("start_us"), link.fact.count("stop_us")
            if not (began_us < issued.hour[1] and issued.hour[0] < ended_us):
                raise VerificationError("bundle.hour_mismatch", "The claim is for another time.")
            self._register(link["target"], "Wh")
        if start != item["stop"]:
            raise VerificationError("bundle.claim_missing", "The links do not cover what was claimed.")

    def _told(self, item: dict[str, Any], row: Row, before: str) -> str:
        """A move in words."""
        fact, energy = row.fact, f"{item['stop'] - item['start']:,} Wh"
        source, target, state = self._account(row["source"]), self._account(row["target"]), fact.text("state")
        moved = f"from {source} to {target}" if source != target else f"by {source}"
        kept = state == before == STATES[0] and source == target
        said = [f"{energy} {'kept' if kept else HELD[before] if state == STATES[0] else state} {moved}"]
        said += [f"for {fact.text('beneficiary')}"] if fact.text("beneficiary") else []
        said += [f"({fact.text('purpose')})"] if fact.text("purpose") else []
        said += [f'"{fact.optional_text("statement")}"'] if fact.optional_text("statement") else []
        for part in item["links"]:
            link = self._link(part["row"], "claim")
            start, stop = _identity(part, link, "source")
            said.append(f"- for {self._register(link['target'], 'Wh')} [{start}, {stop})")
        if item["lift"] is not None:
            lift = self.bundle.rows[item["lift"]]
            said.append(f"- as id {lift.fact.text('certificate')}, to 0x{lift.blob.hex()}")
        if item["back"] is not None:
            said.append(_burned(self.bundle.facts[item["back"]]))
        return " ".join(said)

    def _assumptions(self) -> tuple[str, ...]:
        chain = (
            "On chain all units of an id are alike: which of them came back follows from the order of all that was "
            "lifted and burned, as an audit checks it."
        )
        stored = (
            "Which charge a discharge rests on follows, first in, first out, from all of its records, as does its "
            "loss to the last Wh: an audit shows that; here both are linked, and the loss fits what was stated."
        )
        return (
            *self._shared(),
            "No other move touched these units, neither since the last one shown nor between two that fit together, no "
            "other claim leans on them, and each meter has one register: an audit of the whole journal shows that, one "
            "bundle cannot. What came after the checkpoint is not here.",
            "Energy goes by contract over the grid; this proves statements, not electrons.",
            *([stored] if self.storages else []),
            *([chain] if self.lifted else []),
            *self._weaker(),
            *self._estimates(),
        )


def _level(name: Any) -> int:
    """An assurance level as a number, the strongest 0."""
    if name not in ASSURANCE:
        raise VerificationError("bundle.assurance", "There is no such assurance level.")
    return ASSURANCE.index(name)


def _meter_of(fact: Fact) -> Meter:
    more = fact.data.get("more_registers", [])
    if not isinstance(more, list) or not all(isinstance(name, str) for name in more):
        raise VerificationError("bundle.fact_malformed", f"Fact {fact.seq} misstates more_registers.")
    counts = fact.data.get("start_counts_wh", [])
    if not isinstance(counts, list) or len(counts) > 1 + len(more) or not all(isinstance(one, str) for one in counts):
        raise VerificationError("bundle.fact_malformed", f"Fact {fact.seq} misstates start_counts_wh.")
    starts = [_unsigned(fact, "start_counts_wh", one) for one in counts]
    kind, level = fact.data.get("key_kind", KEY_KINDS[0]), _level(fact.data.get("assurance", ASSURANCE[0]))
    registers = _started([fact.text("register"), *more], starts)
    key = Key(str(kind), fact.octets("public_key"), 0)
    return Meter(fact.text("device"), fact.count("commissioned_us"), level, registers, [key])


def _bulk_meter_of(row: Row, channels: list[str]) -> Meter:
    try:
        (name, key, _, starts), rest = _cbor(row.blob, 0)
        if rest != len(row.blob) or type(name) is not str or type(key) is not bytes or type(starts) is not list:
            raise ValueError("not an identity")
        if len(starts) > len(channels) or not all(type(one) is int and 0 <= one <= COUNT_MAX for one in starts):
            raise ValueError("not its counts")
        kind, level = KEY_KINDS[row["key_kind"]], row["assurance"]
    except (ValueError, TypeError, LookupError, RecursionError):
        raise VerificationError("bundle.row_malformed", "A device's row does not say who it is.") from None
    registers = _started([f"{name}/{ending}" for ending in channels], starts)
    return Meter(name, row["commissioned_us"], level, registers, [Key(kind, key, 0)])


def _started(names: list[str], starts: list[int]) -> dict[str, tuple[int, int]]:
    """Registers by name: their channel, and what the device's own counter showed when it was commissioned [Wh]."""
    begun = zip(names, starts + [0] * len(names), strict=False)
    return {name: (channel, start) for channel, (name, start) in enumerate(begun)}


def _span(row: Row, side: str) -> tuple[int, int, int]:
    return row[side], row[f"{side}_start"], row[f"{side}_stop"]


def _length(row: Row, side: str) -> int:
    return row[f"{side}_stop"] - row[f"{side}_start"]


def _next(part: dict[str, Any], row: Row, side: str, start: int, code: str) -> int:
    """Where a part ends that must start at ``start`` and lie within its row."""
    _, low, high = _span(row, side)
    if part["start"] != start or not low <= part["start"] < part["stop"] <= high:
        raise VerificationError(code, "A part does not start where the one before it stopped, or leaves its link.")
    return int(part["stop"])


def _identity(part: dict[str, Any], row: Row, side: str, code: str = "bundle.allocation_sum") -> tuple[int, int]:
    """The units on the other side of a link between like units."""
    other = {"source": "target", "target": "source"}[side]
    _, low, high = _span(row, side)
    if _length(row, side) != _length(row, other) or not low <= part["start"] < part["stop"] <= high:
        raise VerificationError(code, "A link between like units carries another quantity on each side.")
    shift = row[f"{other}_start"] - low
    return part["start"] + shift, part["stop"] + shift


def _refuse_twice(spans: list[tuple[int, int, int]]) -> None:
    ordered = sorted(spans)
    for (register, _, stop), (following, start, _) in itertools.pairwise(ordered):
        if register == following and start < stop:
            raise VerificationError("bundle.claimed_twice", "A Wh of a roof is given twice.")


def _taken(
    held: list[tuple[int, int, int]], span: tuple[int, int, int], paid: tuple[int, int]
) -> list[tuple[int, int, int]]:
    """What is left of ``held`` without ``span``: all of one piece of it that a link of ``paid`` took."""
    register, start, stop = span
    for at, (own, low, high) in enumerate(held):
        if own == register and (start, stop) == (max(low, paid[0]), min(high, paid[1])):
            rest = [(own, low, start), (own, stop, high)]
            return [*held[:at], *(piece for piece in rest if piece[1] < piece[2]), *held[at + 1 :]]
    raise VerificationError("bundle.pay_sum", "A payment takes dollars that nothing before it brought.")


def _in_order(before: Packet, after: Packet) -> bool:
    """Whether one packet is the other, or comes after it, hash on hash where it follows at once."""
    if before.hash == after.hash or min(before.sequence, after.sequence) < 0:
        return True
    chained = not after.previous or after.previous == before.hash
    return before.sequence < after.sequence and (chained or after.sequence > before.sequence + 1)


def _chain_id(issued: Issued, commissioned_us: int) -> bytes:
    """The id of a certificate on chain: keccak256 over the ABI words of all that moves its price (docs/lifting.md)."""
    fact, start_us = issued.title.fact, issued.hour[0]
    try:
        words: list[int | bytes] = [
            fact.text("zone").encode(),
            start_us // SECOND_US,
            (issued.hour[1] - start_us) // SECOND_US,
            fact.text("technology").encode(),
            issued.level,
            _month(commissioned_us),
            fact.optional_count("carbon_mg_per_kwh"),
            fact.optional_text("support").encode(),
            int(fact.data.get("stored") is True),
        ]
        return _keccak(b"".join(_word(one) for one in words))
    except OverflowError:
        raise VerificationError("bundle.chain_id", "What was issued has no id on chain.") from None


def _month(at_us: int) -> int:
    """yyyymm; 0 for 0."""
    at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us)
    return at.year * 100 + at.month if at_us else 0


def _word(value: int | bytes) -> bytes:
    """A number right in its 32 bytes, a text left."""
    return value.ljust(32, b"\0")[:32] if isinstance(value, bytes) else value.to_bytes(32, "big")


def main(arguments: list[str]) -> int:
    """Check a file and print the report; 0 where it holds, 5 where it does not, 2 where it is no bundle."""
    parser = argparse.ArgumentParser(description="Checks the proof bundle of an answer or a certificate, offline.")
    parser.add_argument("bundle", type=argparse.FileType("rb"), help="the bundle, or - for standard input")
    parser.add_argument("--log-key", type=bytes.fromhex, help="public key the log must have, in hex")
    options = parser.parse_args(arguments)
    with options.bundle as file:
        raw = file.read(BYTES_MAX + 1)
    try:
        lines, code = verify_any(raw, options.log_key).lines(), 0
    except VerificationError as error:
        lines, code = [f"REFUSED {error.code}: {error.message}"], 2 if error.code in MALFORMED else 5
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
