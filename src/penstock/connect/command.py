"""Commands and answers as they travel: one canonical text that is signed, and what a device checks before it obeys."""

from __future__ import annotations

import json
from typing import Final

from penstock.connect.ports import Answer, Command
from penstock.errors import Invalid, PenstockError, Refused, Unverified
from penstock.journal.canonical import Plain, dump, load
from penstock.keys import SigningKey, verify

DOMAIN: Final = b"penstock/command/1\n"
COMMAND_BYTES_MAX: Final = 4_096
ANSWER_STATES: Final = frozenset({"received", "done", "refused", "failed"})
NOTE_CHARS_MAX: Final = 200
_NUMBERS: Final = ("power_w", "start_us", "stop_us", "expires_us")


def command_text(command: Command) -> bytes:
    """What the operator signs: a domain, then the command without its signature as canonical JSON."""
    return DOMAIN + dump(_plain(command))


def signed_by(key: SigningKey, unsigned: Command) -> Command:
    """The same command under ``key``'s signature."""
    return _command(_plain(unsigned), key.sign(command_text(unsigned)))


def write_command(command: Command) -> bytes:
    """The command as it travels: canonical JSON of ``command`` and ``signature``."""
    return dump({"command": _plain(command), "signature": command.signature.hex()})


def read_command(raw: bytes) -> Command:
    """A command read and not yet believed. Raises Invalid ``command.malformed``."""
    try:
        if len(raw) > COMMAND_BYTES_MAX:
            raise ValueError("too long")
        plain = load(raw)
        if not isinstance(plain, dict) or plain.keys() != {"command", "signature"}:
            raise ValueError("not a command")
        return _command(plain["command"], bytes.fromhex(_text(plain["signature"])))
    except (ValueError, TypeError, KeyError, PenstockError):
        raise Invalid("command.malformed", "This is not a signed command.") from None


def check_command(command: Command, operator_key: bytes, device: str, now_us: int) -> None:
    """What a device checks before it obeys; whether it did this command before, it has to remember itself.

    Raises:
        Unverified: ``command.signature`` where ``operator_key`` [Ed25519] did not sign it.
        Refused: ``command.other_device``, ``command.expired``.
    """
    if not verify(operator_key, command_text(command), command.signature):
        raise Unverified("command.signature", "The operator's key did not sign this command.", id=command.id)
    if command.device != device:
        raise Refused("command.other_device", "This command is for another device.", device=command.device)
    if now_us >= command.expires_us:
        raise Refused("command.expired", "This command came after it expired.", id=command.id)


def write_answer(answer: Answer) -> bytes:
    """The answer as it travels: JSON."""
    return json.dumps(
        {"command": answer.command, "state": answer.state, "at_us": answer.at_us, "note": answer.note}
    ).encode()


def read_answer(raw: bytes) -> Answer:
    """An answer; ``at_us`` is a whole number or its digits, ``note`` may be missing and is cut at 200 characters.

    Raises:
        Invalid: ``command.answer_malformed``.
    """
    try:
        if len(raw) > COMMAND_BYTES_MAX:
            raise ValueError("too long")
        plain = json.loads(raw)
        state, at_us = _text(plain["state"]), plain["at_us"]
        if state not in ANSWER_STATES or type(at_us) not in (int, str):
            raise ValueError("not an answer")
        note = "".join(letter if letter.isprintable() else " " for letter in _text(plain.get("note", "")))
        return Answer(_text(plain["command"]), state, _int64(at_us), note[:NOTE_CHARS_MAX])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Invalid("command.answer_malformed", "This is not an answer to a command.") from None


def _plain(command: Command) -> dict[str, Plain]:
    words: dict[str, Plain] = {"id": command.id, "device": command.device, "verb": command.verb}
    return words | {name: str(getattr(command, name)) for name in _NUMBERS}


def _command(plain: Plain, signature: bytes) -> Command:
    if not isinstance(plain, dict) or plain.keys() != {"id", "device", "verb", *_NUMBERS}:
        raise ValueError("not a command")
    numbers = {name: _int64(_text(plain[name])) for name in _NUMBERS}
    made = Command(_text(plain["id"]), _text(plain["device"]), _text(plain["verb"]), **numbers, signature=signature)
    if _plain(made) != plain:
        raise ValueError("not in canonical form")
    return made


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _int64(value: int | str) -> int:
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError("too large")
    return number
