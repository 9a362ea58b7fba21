"""Targets around the record: facts and checkpoints of others, key files, proof bundles, calls to the node."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_kit as kit
from fuzz_kit import Target, must

from penstock.chain.dispatch import _parsed
from penstock.chain.keystore import public_part, save_key
from penstock.errors import Invalid
from penstock.journal import canonical, checkpoint
from penstock.journal.kinds import KINDS
from penstock.keys import SigningKey
from penstock.trace import verify

LOG_KEY = SigningKey(bytes(range(1, 33)))
NOTE = checkpoint.sign(checkpoint.Checkpoint("example.org/log", 7, bytes(32)), "example.org/log", LOG_KEY)
OPENED = (
    '{"at_us":"1767268800000000","data":{"log_key":"%s","origin":"example.org/log"},"kind":"workspace.opened","v":"1"}'
)


def note(raw: bytes) -> bool:
    try:
        text = raw.decode()
        found, signatures = checkpoint.parse(text)
    except UnicodeDecodeError:
        return False
    except Invalid as error:
        must(error.code == "checkpoint.malformed", error.code)
        return False
    must(f"{found.text}\n{''.join(one.line for one in signatures)}" == text, "a note has one form")
    return True


def notes() -> list[bytes]:
    witnessed = checkpoint.witness(NOTE, "witness", kit.KEYS[0], kit.NOON_US)  # type: ignore[arg-type]
    extended = checkpoint.Checkpoint("o", 0, bytes(32), ("more", "lines"))
    return [one.encode() for one in (NOTE, witnessed, checkpoint.sign(extended, "o", LOG_KEY))]


def verifier_key(raw: bytes) -> bool:
    text = raw.decode("utf-8", "replace")
    try:
        found = checkpoint.Verifier.parse(text)
    except Invalid as error:
        must(error.code == "checkpoint.key", error.code)
        return False
    must(found.vkey == text, "a key has one form")
    return True


def fact(raw: bytes) -> bool:
    try:
        plain = canonical.load(raw)
    except Invalid as error:
        must(error.code == "canonical.malformed", error.code)
        return False
    must(canonical.dump(plain) == raw, "canonical bytes have one form")
    try:
        KINDS.decode(raw, 0)
    except Invalid as error:
        must(error.code in ("canonical.malformed", "fact.unknown_kind", "fact.unknown_version"), error.code)
    return True


def facts() -> list[bytes]:
    golden = json.loads((Path(__file__).parents[1] / "golden" / "facts.json").read_text("utf-8"))
    return [OPENED.encode() % LOG_KEY.public.hex().encode(), *_bodies(golden)]


def _bodies(value: Any) -> list[bytes]:
    """Every text in the golden file that is a fact's body."""
    if isinstance(value, str):
        return [value.encode()] if value.startswith('{"at_us"') else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [body for one in inner for body in _bodies(one)]


@functools.cache
def _place() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-key-"))


def key_file(raw: bytes) -> bool:
    path = _place() / "key"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(raw)
    try:
        kind, public = public_part(path)
    except Invalid as error:
        must(error.code == "key.malformed", error.code)
        return False
    must(kind in ("ed25519", "secp256k1") and public, "a key file names its key")
    return True


def key_files() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key"
        save_key(path, LOG_KEY, "passphrase", cost_log2=4, random=bytes)
        return [path.read_bytes()]


def bundle(raw: bytes) -> bool:
    try:
        verify.verify_any(raw)
    except verify.VerificationError as error:
        must(error.code.startswith("bundle.") and error.message, error.code)
        return error.code not in verify.MALFORMED
    return True


def bundles() -> list[bytes]:
    """Bundles of an answer and of a certificate, of the right form with one fact, signed; the rest is missing."""
    body = OPENED % LOG_KEY.public.hex()
    root = verify._leaf(body.encode())
    signed = checkpoint.sign(checkpoint.Checkpoint("example.org/log", 1, root), "example.org/log", LOG_KEY)
    row = {"fact": "0", "index": "0", "row": "00" * 41, "proof": []}
    told = {"format": verify.FORMAT, "checkpoint": signed, "facts": [{"seq": "0", "body": body, "proof": []}]}
    found = [_nothing(shape) | told for shape in (verify.ANSWER, verify.CERTIFICATE)]
    return [json.dumps(said | more).encode() for said in found for more in ({}, {"rows": [row]})]


def _nothing(shape: Any) -> Any:
    """The least that has a shape: empty lists, and zeros."""
    if isinstance(shape, dict):
        return {name: _nothing(one) for name, one in shape.items()}
    return [] if isinstance(shape, list) else "0"


def offline(raw: bytes) -> bool:
    """What a device signed, as the offline verifier meets it inside a bundle; the first byte is the form."""
    if not raw:
        return False
    try:
        found = verify._packet_of(raw[0] % 5, raw[1:])
    except verify.VerificationError as error:
        must(error.code == "bundle.packet_malformed", error.code)
        return False
    must(all(type(at) is int and type(wh) is int for (_, at), wh in found.readings.items()), "readings are whole")
    return True


def messages() -> list[bytes]:
    forms: tuple[Callable[[], list[bytes]], ...] = (
        kit.packets,
        kit.ocmf_records,
        kit.pogg_reports,
        kit.carried_messages,
    )
    return [bytes([number]) + raw for number, made in enumerate(forms) for raw in made()]


def node_call(raw: bytes) -> bool:
    try:
        _parsed(raw)
    except ValueError:
        return False
    return True


RECORD: dict[str, Target] = {
    "checkpoint": Target(notes, note),
    "verifier_key": Target(lambda: [checkpoint.Verifier("o", LOG_KEY.public).vkey.encode()], verifier_key),
    "fact": Target(facts, fact, longest=8_192),
    "key_file": Target(key_files, key_file),
    "bundle": Target(bundles, bundle, longest=8_192),
    "offline_packet": Target(messages, offline),
    "node_call": Target(lambda: [b'[{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":["\\"[{"]}]'], node_call),
}
