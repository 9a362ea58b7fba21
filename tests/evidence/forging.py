"""What a forger can do to a bundle: change the file, or - being the log's operator - seal a lie consistently."""

from __future__ import annotations

import copy
import hashlib
import json
import struct
from typing import Any

from penstock.energy.forms import cose as packets
from penstock.journal import checkpoint
from penstock.journal.tree import Tree, leaf_hash
from penstock.keys import SigningKey
from penstock.trace.verify import ROWS

Plain = dict[str, Any]


def load(raw: bytes) -> Plain:
    """A bundle as JSON values."""
    plain: Plain = json.loads(raw)
    return plain


def dump(plain: Plain) -> bytes:
    """The bundle's bytes."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def copied(plain: Plain) -> Plain:
    """A copy to damage."""
    return copy.deepcopy(plain)


def fact_of(plain: Plain, seq: str) -> Plain:
    """The entry of a fact."""
    return next(fact for fact in plain["facts"] if fact["seq"] == seq)


def edit_fact(plain: Plain, seq: str, **changes: Any) -> None:
    """Change fields of a fact's data."""
    fact = fact_of(plain, seq)
    body = json.loads(fact["body"])
    body["data"] |= changes
    fact["body"] = dump(body).decode()


def row_fields(plain: Plain, number: str) -> dict[str, int]:
    """The fixed fields of a row."""
    layout, names = ROWS[_form(plain, number)]
    raw = bytes.fromhex(plain["rows"][int(number)]["row"])
    return dict(zip(names, struct.unpack(layout, raw[: struct.calcsize(layout)]), strict=True))


def edit_row(plain: Plain, number: str, **changes: int) -> None:
    """Change fields of a row, by adding to them."""
    layout, names = ROWS[_form(plain, number)]
    raw = bytes.fromhex(plain["rows"][int(number)]["row"])
    fields = row_fields(plain, number)
    values = [fields[name] + changes.get(name, 0) for name in names]
    plain["rows"][int(number)]["row"] = (struct.pack(layout, *values) + raw[struct.calcsize(layout) :]).hex()


def packet_in(plain: Plain, number: str) -> packets.Packet:
    """The packet that a row carries."""
    layout, _ = ROWS["packet/2"]
    return packets.packet_in(bytes.fromhex(plain["rows"][int(number)]["row"])[struct.calcsize(layout) :])


def put_packet(plain: Plain, number: str, raw: bytes) -> None:
    """Another packet in a row."""
    layout, _ = ROWS["packet/2"]
    fixed = bytes.fromhex(plain["rows"][int(number)]["row"])[: struct.calcsize(layout)]
    plain["rows"][int(number)]["row"] = (fixed + raw).hex()


def reseal(plain: Plain, key: SigningKey, origin: str, *, roots_kept: bool = False) -> Plain:
    """A log in which everything the bundle now says is sealed, proved and signed: only its meaning can be wrong.

    Rows and facts that the bundle does not show are filled in with anything. ``roots_kept``: readings go on naming
    the packets they named.
    """
    for seq in sorted({row["fact"] for row in plain["rows"]}, key=int):
        _reseal_segment(plain, seq)
    for fact in plain["facts"]:
        body = json.loads(fact["body"])
        if body["kind"] == "readings.verified" and not roots_kept:
            before = json.loads(fact_of(plain, str(int(fact["seq"]) - 1))["body"])
            edit_fact(plain, fact["seq"], packets_root=before["data"]["segment"]["root"])
    size = checkpoint.parse(plain["checkpoint"])[0].size
    leaves = [_filler("fact", seq) for seq in range(size)]
    for fact in plain["facts"]:
        leaves[int(fact["seq"])] = leaf_hash(fact["body"].encode())
    tree = Tree(leaves)
    for fact in plain["facts"]:
        fact["proof"] = [item.hex() for item in tree.inclusion_proof(int(fact["seq"]), size)]
    plain["checkpoint"] = checkpoint.sign(checkpoint.Checkpoint(origin, size, tree.root()), origin, key)
    return plain


def _reseal_segment(plain: Plain, seq: str) -> None:
    data = json.loads(fact_of(plain, seq)["body"])["data"]
    segment = data["segment"]
    shown = [row for row in plain["rows"] if row["fact"] == seq]
    leaves = [_filler(seq, index) for index in range(int(segment["rows"]))]
    for row in shown:
        leaves[int(row["index"])] = leaf_hash(bytes.fromhex(row["row"]))
    tree = Tree(leaves)
    for row in shown:
        row["proof"] = [item.hex() for item in tree.inclusion_proof(int(row["index"]), len(leaves))]
    bound = {"root": tree.root().hex()} if data.get("root") == segment["root"] else {}  # as a statement binds itself
    edit_fact(plain, seq, segment={**segment, "root": tree.root().hex()}, **bound)


def _filler(name: str, number: int) -> bytes:
    return hashlib.sha256(f"{name}/{number}".encode()).digest()


def _form(plain: Plain, number: str) -> str:
    fact = fact_of(plain, plain["rows"][int(number)]["fact"])
    return str(json.loads(fact["body"])["data"]["segment"]["format"])
