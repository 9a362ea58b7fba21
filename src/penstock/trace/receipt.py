"""Checks a provider's signed papers offline: an answer's energy receipt, an interval's work report, its bill.

Copy this file, read it, run it: `python receipt.py FILE --key HEX [--work FILE] [--answer FILE]`. It needs Python and
the `cryptography` package (for signatures) and no part of Penstock. Exit code 0: it holds, and the report says what it
says. 5: it does not. 2: the file is no such paper. The formats are described in docs/receipts.md.

HEX is the Ed25519 key that the provider registered for its work: take it from the record, never from the paper. With
``--work`` a receipt or a bill is held against the report it speaks of; with ``--answer`` a receipt against the answer's
own bytes. Sources: RFC 8032 (Ed25519), RFC 9162 (Merkle trees), DSSE v1, in-toto Statement v1.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

BYTES_MAX = 64 << 20
DEPTH_MAX = 32
COUNT_MAX = 2**63 - 1
BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
STATEMENT = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
RECEIPT, WORK, BILL = (f"https://penstock.dev/{name}/1" for name in ("energy-receipt", "work", "bill"))
WHOLE = (
    "number",
    "arrived_us",
    "first_us",
    "done_us",
    "prompt_tokens",
    "output_tokens",
    "time_ms",
    "energy_mj",
)
"""Columns of ``work/1`` in packed order, each a little-endian int64."""
DIGESTS = ("payment", "request", "answer", "salt")
"""Behind them, 32 bytes each."""
SALES = {"scheme": 8, "paid_usdc_micro": 8, "payer": 20, "tx": 32}
SCHEMES = (0, 1, 2, 255)
UNPAID = 255
PARTS = ("idle", "overhead", "unattributed")
SHARED = ("provider", "rack", "model")
PROVES = (
    "It proves what was stated and that nothing was stated twice: that the meter told the truth, it does not prove.",
    "That the work was done as stated is shown by challenges: see the provider's judgements in the record.",
)


class VerificationError(Exception):
    """The paper does not hold. ``code`` is stable; ``message`` is one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Checked:
    """A paper that holds: its kind, what it says, and the sentences to show."""

    kind: str
    said: dict[str, Any]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """The rows of a work report, as columns."""

    whole: dict[str, tuple[int, ...]]
    digests: dict[str, tuple[bytes, ...]]
    sales: dict[str, tuple[Any, ...]]

    def __len__(self) -> int:
        return len(self.whole["number"])


def verify(raw: bytes, key: bytes, work: bytes | None = None, answer: bytes | None = None) -> Checked:
    """Check a receipt, a report or a bill under the provider's 32-byte ``key``; see the file's first page.

    Raises:
        VerificationError: with the code of what failed first.
    """
    payload = _opened(_envelope(raw), key)
    kind, subject, said = _statement(payload)
    if kind == RECEIPT:
        return _receipt(subject, said, _work_of(work, key), answer)
    if kind == WORK:
        return _work(subject, said)[0]
    if kind == BILL:
        return _bill(subject, said, work, key)
    raise VerificationError("receipt.kind", f"This program reads receipts, work and bills, not {kind!r}.")


# --- The envelope and the statement -----------------------------------------------------------------------------------


def _envelope(raw: bytes) -> dict[str, Any]:
    held = _parse(raw)
    if not isinstance(held, dict) or held.keys() != {"payload", "payloadType", "signatures"}:
        raise _malformed("The file is no DSSE envelope.")
    match held["signatures"]:
        case [{"keyid": str(), "sig": str()}] if len(held["signatures"][0]) == 2:
            return held
    raise _malformed("The envelope does not carry exactly one signature.")


def _opened(envelope: dict[str, Any], key: bytes) -> bytes:
    """The payload, once type, key and signature are right."""
    payload, kind, signed = _base64(envelope["payload"]), _text(envelope["payloadType"]), envelope["signatures"][0]
    if kind != STATEMENT:
        raise VerificationError("receipt.payload_type", f"The envelope holds {kind!r}, not an in-toto statement.")
    if signed["keyid"] != hashlib.sha256(key).hexdigest():
        raise VerificationError("receipt.key", "The paper names another key than the provider's.")
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(_base64(signed["sig"]), encoded)
    except (InvalidSignature, ValueError):
        raise VerificationError("receipt.signature", "The paper is not signed by the provider's key.") from None
    return payload


def _digest(raw: bytes) -> str:
    """sha256 of an envelope in its one written form, however the file sets its spaces."""
    return hashlib.sha256(json.dumps(_envelope(raw), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _statement(payload: bytes) -> tuple[str, tuple[str, str], dict[str, Any]]:
    """Kind, subject (name, sha256) and predicate."""
    match _parse(payload):
        case {
            "_type": str(form),
            "subject": [{"name": str(name), "digest": {"sha256": str(digest)}}],
            "predicateType": str(kind),
            "predicate": dict(said),
        } if form == STATEMENT_TYPE:
            return kind, (name, digest), said
    raise _malformed("The payload is no in-toto statement about one subject.")


# --- The receipt ------------------------------------------------------------------------------------------------------


def _receipt(subject: tuple[str, str], said: dict[str, Any], work: Checked | None, answer: bytes | None) -> Checked:
    payment, energy_mj, meter_mj = _hash(said, "payment_id"), _count(said, "energy_mj"), _count(said, "meter_mj")
    start_us, stop_us = (_count(_part(said, "interval"), name) for name in ("start_us", "stop_us"))
    tokens = {name: _count(_part(said, "tokens"), name) for name in ("prompt", "output")}
    parts = {name: _count(_part(said, "parts_mj"), name) for name in PARTS}
    if subject[0] != payment.hex():
        raise VerificationError("receipt.subject", "The receipt is about another payment than it says.")
    if start_us >= stop_us:
        raise VerificationError("receipt.interval", "The interval ends before it starts.")
    if energy_mj + sum(parts.values()) > meter_mj:
        raise VerificationError("receipt.parts", "Answer, idle, overhead and unattributed are above the meter.")
    _check_path(said, payment, energy_mj, meter_mj)
    if answer is not None and hashlib.sha256(answer).hexdigest() != subject[1]:
        raise VerificationError("receipt.answer", "The receipt is of another answer.")
    if work is not None:
        _check_row(subject, said, work)
    return Checked("energy-receipt", said, _receipt_lines(said, tokens, start_us, stop_us))


def _check_path(said: dict[str, Any], payment: bytes, energy_mj: int, meter_mj: int) -> None:
    """The Merkle-sum path: this leaf is under the root, and all leaves sum to the meter."""
    salt, root, position, count = (
        _hash(said, "salt"),
        _hash(said, "root"),
        _count(said, "position"),
        _count(said, "count"),
    )
    if position >= count:
        raise VerificationError("receipt.position", "There is no such leaf.")
    node, carried = hashlib.sha256(b"\x00" + salt + payment + _u64(energy_mj)).digest(), energy_mj
    siblings, last = _path(said), count - 1
    while last:
        if position % 2 or position < last:
            if not siblings:
                raise VerificationError("receipt.path", "The path is too short for this tree.")
            beside, beside_mj = siblings.pop(0)
            pair = (beside, beside_mj, node, carried) if position % 2 else (node, carried, beside, beside_mj)
            node, carried = _sum_node(*pair), carried + beside_mj
        position, last = position >> 1, last >> 1
    if siblings or node != root:
        raise VerificationError("receipt.path", "The path does not lead from this answer to the sealed root.")
    if carried != meter_mj:
        raise VerificationError("receipt.total", "The sealed parts do not sum to what the meter counted.")


def _path(said: dict[str, Any]) -> list[tuple[bytes, int]]:
    found = said.get("path")
    if not isinstance(found, list) or len(found) > 63:
        raise _malformed("path is not a list of siblings.")
    pairs = [{"hash": one[0], "mj": one[1]} if isinstance(one, list) and len(one) == 2 else {} for one in found]
    return [(_hash(one, "hash"), _count(one, "mj")) for one in pairs]


def _check_row(subject: tuple[str, str], said: dict[str, Any], work: Checked) -> None:
    """That the report states this very row, under these roots."""
    rows: Rows = work.said["decoded"]
    same = all(said.get(name) == work.said[name] for name in SHARED)
    energy = work.said["energy"]
    if not same or said.get("work_root") != work.said["root"] or said["root"] != energy["root"]:
        raise VerificationError("receipt.work", "The receipt speaks of another report.")
    if said["count"] != len(rows) + len(PARTS):
        raise VerificationError("receipt.work", "The receipt speaks of a tree with another number of leaves.")
    row = said["position"]
    if row >= len(rows):
        raise VerificationError("receipt.row", "The report states no such row.")
    stated = [rows.digests[name][row].hex() for name in ("payment", "answer", "salt")]
    stated += [rows.whole[name][row] for name in ("number", "prompt_tokens", "output_tokens", "energy_mj")]
    tokens = [said["tokens"][name] for name in ("prompt", "output")]
    if stated != [*subject, said["salt"], said.get("number"), *tokens, said["energy_mj"]]:
        raise VerificationError("receipt.row", "The report states another row.")
    if [said["interval"][name] for name in ("start_us", "stop_us")] != [work.said["start_us"], work.said["stop_us"]]:
        raise VerificationError("receipt.work", "The receipt speaks of another interval.")


def _receipt_lines(said: dict[str, Any], tokens: dict[str, int], start_us: int, stop_us: int) -> tuple[str, ...]:
    words = [_text(said.get(name)) for name in (*SHARED, "source", "method")]
    lines = [
        f"Answer {_count(said, 'number')} of {words[1]} holds: {sum(tokens.values()):,} tokens of {words[2]} "
        f"took {said['energy_mj']:,} mJ of the {said['meter_mj']:,} mJ that the meter counted.",
        f"  provider {words[0]}, interval [{start_us}, {stop_us}) us, power from {words[3]}, shared by {words[4]}",
        f"  payment {said['payment_id']}",
    ]
    assumed = said.get("assumptions")
    if not isinstance(assumed, list):
        raise _malformed("assumptions is not a list.")
    return tuple(lines + [f"  it assumes: {_text(one)}" for one in assumed] + list(PROVES))


# --- The report of an interval ----------------------------------------------------------------------------------------


def _work_of(raw: bytes | None, key: bytes) -> Checked | None:
    """The report beside a paper, itself checked."""
    if raw is None:
        return None
    kind, subject, said = _statement(_opened(_envelope(raw), key))
    if kind != WORK:
        raise VerificationError("receipt.kind", "The file beside it is no work report.")
    return _work(subject, said)[0]


def _work(subject: tuple[str, str], said: dict[str, Any]) -> tuple[Checked, Rows]:
    start_us, stop_us, answers = (_count(said, name) for name in ("start_us", "stop_us", "answers"))
    rows, energy = _rows(said, answers), _part(said, "energy")
    parts = [_count(energy, f"{name}_mj") for name in PARTS]
    meter_mj = _count(energy, "stop_mj") - _count(energy, "start_mj")
    _check_rows(rows, _count(said, "first_number"), start_us, stop_us)
    if sum(rows.whole["energy_mj"]) + sum(parts) != meter_mj:
        raise VerificationError("receipt.energy", "Answers, idle, overhead and unattributed are not the meter's count.")
    root = _tree_root([_leaf(rows, row) for row in range(answers)])
    if root.hex() != said.get("root") or subject[1] != said["root"]:
        raise VerificationError("receipt.root", "The rows are not those that the root commits to.")
    if subject[0] != f"{said.get('rack')}/{start_us}/{stop_us}":
        raise VerificationError("receipt.subject", "The report is about another interval than it says.")
    if _sum_root(rows, parts).hex() != energy.get("root"):
        raise VerificationError("receipt.sums", "The energy is not what its sealed root commits to.")
    paid = sum(rows.sales["paid_usdc_micro"])
    words = [_text(said.get(name)) for name in SHARED]
    lines = (
        f"Report of {words[1]}, [{start_us}, {stop_us}) us, holds: {answers:,} answers of {words[2]} by {words[0]}, "
        f"{meter_mj:,} mJ metered, {paid:,} micro-dollars paid.",
        *PROVES,
    )
    return Checked("work", said | {"decoded": rows, "paid": paid}, lines), rows


def _rows(said: dict[str, Any], answers: int) -> Rows:
    held, sales = _part(said, "rows"), _part(said, "sales")
    whole = {name: _numbers(held, name, answers) for name in WHOLE}
    digests = {name: _cells(held, name, answers, 32) for name in DIGESTS}
    sold: dict[str, tuple[Any, ...]] = {
        name: _numbers(sales, name, answers) if width == 8 else _cells(sales, name, answers, width)
        for name, width in SALES.items()
    }
    return Rows(whole, digests, sold)


def _check_rows(rows: Rows, first_number: int, start_us: int, stop_us: int) -> None:
    if any(min(column, default=0) < 0 for column in rows.whole.values()):
        raise VerificationError("receipt.figures", "A figure is below zero.")
    if rows.whole["number"] != tuple(range(first_number, first_number + len(rows))):
        raise VerificationError("receipt.numbers", "The answers are not numbered one after the other.")
    times = zip(rows.whole["arrived_us"], rows.whole["first_us"], rows.whole["done_us"], strict=True)
    if not all(arrived <= first <= done for arrived, first, done in times):
        raise VerificationError("receipt.instants", "An answer was done before it was asked for.")
    if not all(start_us <= done < stop_us for done in rows.whole["done_us"]):
        raise VerificationError("receipt.interval", "An answer lies outside of the interval.")
    if len(set(rows.digests["payment"])) != len(rows):
        raise VerificationError("receipt.payment_twice", "A payment stands twice in the report.")
    for scheme, paid in zip(rows.sales["scheme"], rows.sales["paid_usdc_micro"], strict=True):
        if scheme not in SCHEMES or paid < 0 or (scheme == UNPAID and paid):
            raise VerificationError("receipt.sales", "An answer was paid for in no known way.")


def _leaf(rows: Rows, row: int) -> bytes:
    """The leaf hash of a packed row (RFC 9162, 2.1.1)."""
    packed = struct.pack("<8q", *(rows.whole[name][row] for name in WHOLE))
    return hashlib.sha256(b"\x00" + packed + b"".join(rows.digests[name][row] for name in DIGESTS)).digest()


def _tree_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162, 2.1.1: pairs from the left, an odd last node moves up as it is."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\x01" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def _sum_root(rows: Rows, parts: Sequence[int]) -> bytes:
    """The Merkle-sum root over answers and parts; see docs/metering.md."""
    named = [(bytes(32), hashlib.sha256(name.encode()).digest(), mj) for name, mj in zip(PARTS, parts, strict=True)]
    answers = zip(rows.digests["salt"], rows.digests["payment"], rows.whole["energy_mj"], strict=True)
    level = [
        (hashlib.sha256(b"\x00" + salt + payment + _u64(mj)).digest(), mj) for salt, payment, mj in [*answers, *named]
    ]
    while len(level) > 1:
        couples = [(*level[at], *level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = [(_sum_node(*one), one[1] + one[3]) for one in couples] + level[len(couples) * 2 :]
    return level[0][0]


def _sum_node(left: bytes, left_mj: int, right: bytes, right_mj: int) -> bytes:
    if left_mj + right_mj > COUNT_MAX:
        raise VerificationError("receipt.range", "A sum of energies has more than 63 bits.")
    return hashlib.sha256(b"\x01" + left + _u64(left_mj) + right + _u64(right_mj)).digest()


# --- The bill ---------------------------------------------------------------------------------------------------------


def _bill(subject: tuple[str, str], said: dict[str, Any], raw: bytes | None, key: bytes) -> Checked:
    start_us, stop_us, answers, paid, tokens = (
        _count(said, name) for name in ("start_us", "stop_us", "answers", "paid_usdc_micro", "tokens")
    )
    words = {name: _text(said.get(name)) for name in (*SHARED, "pay_to", "asset", "network")}
    if subject[0] != f"{words['rack']}/{start_us}/{stop_us}":
        raise VerificationError("receipt.subject", "The bill is about another interval than it says.")
    work = _work_of(raw, key)
    if work is not None and raw is not None:
        if _digest(raw) != subject[1]:
            raise VerificationError("receipt.bill_work", "The bill is about another report.")
        if any(said[name] != work.said[name] for name in (*SHARED, "start_us", "stop_us")):
            raise VerificationError("receipt.bill_names", "Bill and report name different work.")
        rows: Rows = work.said["decoded"]
        counted = sum(rows.whole["prompt_tokens"]) + sum(rows.whole["output_tokens"])
        if (paid, tokens, answers) != (work.said["paid"], counted, sum(map(bool, rows.sales["paid_usdc_micro"]))):
            raise VerificationError("receipt.bill_total", "The bill is not what the report's answers add up to.")
    against = "" if work else " Its report was not at hand: the sum was not checked."
    line = (
        f"Bill of {words['rack']}, [{start_us}, {stop_us}) us, holds: {paid:,} micro-dollars for {answers:,} answers, "
    )
    return Checked("bill", said, (f"{line}paid to {words['pay_to']} on {words['network']}.{against}",))


# --- Values -----------------------------------------------------------------------------------------------------------


def _parse(raw: bytes) -> Any:
    """JSON without fractions, without a key that stands twice, and not deeper than any paper needs."""
    try:
        if len(raw) > BYTES_MAX:
            raise ValueError("too long")
        text = raw.decode()
        _check_depth(text)
        found = json.loads(text, object_pairs_hook=_once, parse_float=float, parse_constant=_no_constant)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()  # half a character is a ValueError
        return found
    except ValueError:
        raise _malformed("The file is not JSON as papers are written.") from None


def _check_depth(text: str) -> None:
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


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _part(said: dict[str, Any], name: str) -> dict[str, Any]:
    found = said.get(name)
    if not isinstance(found, dict):
        raise _malformed(f"{name} is missing.")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _malformed("A name is not text.")
    return value


def _count(said: dict[str, Any], name: str) -> int:
    value = said.get(name)
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        raise _malformed(f"{name} is no whole number of at most 63 bits.")
    return value


def _hash(said: dict[str, Any], name: str) -> bytes:
    value = said.get(name)
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise _malformed(f"{name} is not 32 bytes in small hexadecimal digits.")
    return bytes.fromhex(value)


def _base64(text: Any) -> bytes:
    try:
        raw = base64.b64decode(_text(text), validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("A field is not base64.") from None
    if base64.b64encode(raw).decode() != text:
        raise _malformed("Base64 is written in one way.")
    return raw


def _numbers(held: dict[str, Any], name: str, count: int) -> tuple[int, ...]:
    raw = _base64(held.get(name))
    if len(raw) != 8 * count:
        raise VerificationError("receipt.columns", f"The column {name} has not a figure for each answer.")
    return struct.unpack(f"<{count}q", raw)


def _cells(held: dict[str, Any], name: str, count: int, width: int) -> tuple[bytes, ...]:
    raw = _base64(held.get(name))
    if len(raw) != width * count:
        raise VerificationError("receipt.columns", f"The column {name} has not {width} bytes for each answer.")
    return tuple(raw[at : at + width] for at in range(0, len(raw), width))


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _malformed(message: str) -> VerificationError:
    return VerificationError("receipt.malformed", message)


def printable(lines: Sequence[str]) -> list[str]:
    """Lines with nothing in them that a terminal would obey."""
    return ["".join(char if char.isprintable() else "?" for char in line) for line in lines]


def main(arguments: Sequence[str]) -> int:
    """Check a file and print the report; 0 where it holds, 5 where it does not, 2 where it is no such paper."""
    read = argparse.FileType("rb")
    parser = argparse.ArgumentParser(description="Checks a provider's receipt, work report or bill, offline.")
    parser.add_argument("paper", type=read, help="the paper, or - for standard input")
    parser.add_argument("--key", required=True, type=bytes.fromhex, help="the provider's Ed25519 work key, in hex")
    parser.add_argument("--work", type=read, help="the work report that a receipt or a bill speaks of")
    parser.add_argument("--answer", type=read, help="the answer that a receipt is of, byte for byte")
    options = parser.parse_args(arguments)
    files = (options.paper, options.work, options.answer)
    raw, work, answer = (file and file.read(BYTES_MAX + 1) for file in files)
    for file in filter(None, files):
        file.close()
    try:
        lines, code = printable(verify(raw, options.key, work, answer).lines), 0
    except VerificationError as error:
        lines, code = [f"REFUSED {error.code}: {error.message}"], 2 if error.code == "receipt.malformed" else 5
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
