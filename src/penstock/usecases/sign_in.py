"""Sign in: a wallet signs a text that names this door, and gets a token that opens it for a while.

The text is EIP-4361's: domain, address, chain, nonce and times, each checked before the signature counts. A nonce is
made here without being kept - its own tag says that this process made it and when - and opens one session. A token is
``session_ID_SECRET``, its secret 256 random bits; kept is the sha256 of it.

Source: EIP-4361 (Sign-In with Ethereum), EIP-191 (version 0x45, personal messages), EIP-55 (addresses).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from eth_utils.address import to_checksum_address

from penstock.energy.wallet import signed_bytes
from penstock.errors import Invalid, PenstockError, Unverified
from penstock.keys import recover
from penstock.period import SECOND_US, iso, parse_iso
from penstock.store.session_file import SessionFile, SessionRow

SESSION_US: Final = 12 * 3_600 * SECOND_US
"""Longest that a session lasts."""
NONCE_US: Final = 600 * SECOND_US
SKEW_US: Final = 60 * SECOND_US
"""How far a wallet's clock may be ahead."""
TEXT_CHARS_MAX: Final = 4_096
PREFIX: Final = "session"
_NOBODY: Final = bytes(32)
_INSTANT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|[+-][0-9]{2}:[0-9]{2})"
_URI: Final = r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+"
_TEXT: Final = re.compile(
    rf"(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?P<domain>[!-.0-~]+) wants you to sign in with your Ethereum account:\n"
    rf"(?P<address>0x[0-9a-fA-F]{{40}})\n\n(?:[ -~]+\n)?\n"
    rf"URI: (?P<uri>{_URI})\nVersion: (?P<version>[0-9]+)\nChain ID: (?P<chain>[0-9]{{1,20}})\n"
    rf"Nonce: (?P<nonce>[A-Za-z0-9]{{8,96}})\nIssued At: (?P<issued>{_INSTANT})"
    rf"(?:\nExpiration Time: (?P<expires>{_INSTANT}))?(?:\nNot Before: (?P<begins>{_INSTANT}))?"
    rf"(?:\nRequest ID: [!-~]*)?(?:\nResources:(?:\n- {_URI})*)?"
)


@dataclass(frozen=True, slots=True)
class SignInText:
    """What a text to sign in says; instants [us], ``expires_us`` and ``begins_us`` None where it says none."""

    domain: str
    address: bytes
    uri: str
    chain_id: int
    nonce: str
    issued_us: int
    expires_us: int | None
    begins_us: int | None


class Session(NamedTuple):
    """A session just opened: its token, which is kept nowhere, whose it is, and until when [us]."""

    token: str
    address: str
    expires_us: int


def parse(text: str) -> SignInText:
    """Read a text to sign in. Raises Invalid ``sign_in.text``."""
    found = _TEXT.fullmatch(text) if len(text) <= TEXT_CHARS_MAX else None
    if found is None or found["version"] != "1":
        raise _malformed("It is not a text to sign in with (EIP-4361, version 1).")
    if found["address"] != to_checksum_address(found["address"]):
        raise _malformed("Its address is not written as EIP-55 says.")
    if (found["uri"].split("://")[-1].split("/")[0]).lower() != found["domain"].lower():
        raise _malformed("Its URI is not of its domain.")
    try:
        issued_us = parse_iso(found["issued"])
        expires_us, begins_us = (parse_iso(found[name]) if found[name] else None for name in ("expires", "begins"))
    except PenstockError:
        raise _malformed("One of its times is none.") from None
    address = bytes.fromhex(found["address"][2:])
    return SignInText(
        found["domain"], address, found["uri"], int(found["chain"]), found["nonce"], issued_us, expires_us, begins_us
    )


def _malformed(sentence: str) -> Invalid:
    return Invalid("sign_in.text", sentence, hint="Fields: domain, address, URI, version, chain ID, nonce, issued at.")


class SignIn:
    """The sessions of one workspace's door. Threads may share it; nonces are this process's own."""

    def __init__(self, workspace: Path) -> None:
        self._workspace, self._lock = workspace, threading.Lock()
        self._file: SessionFile | None = None
        self._tag_key = secrets.token_bytes(32)

    def nonce(self, now_us: int) -> str:
        """Something to sign that nobody signed before; good for ten minutes and one session."""
        made = f"{now_us // SECOND_US:010x}{secrets.token_hex(12)}"
        return made + self._tag(made)

    def open(self, text: str, signature: bytes, domain: str, chain_id: int, now_us: int) -> Session:
        """A session for whoever signed ``text`` to the door that is addressed as ``domain``, on ``chain_id``.

        Raises:
            Invalid: ``sign_in.text``.
            Unverified: ``sign_in.domain``, ``sign_in.chain``, ``sign_in.time``, ``sign_in.nonce`` for one unknown, old
                or spent, ``sign_in.signature``.
        """
        said = parse(text)
        if said.domain.lower() != domain.lower():
            raise Unverified("sign_in.domain", "This text was signed for another place.", said=said.domain)
        if said.chain_id != chain_id:
            raise Unverified("sign_in.chain", "This text names another chain.", said=said.chain_id, chain=chain_id)
        _check_times(said, now_us)
        self._check_nonce(said.nonce, now_us)
        if not _signed(said.address, text, signature):
            raise Unverified("sign_in.signature", "This wallet did not sign this text.", address=_shown(said.address))
        return self._open(said, now_us)

    def check(self, token: str, now_us: int) -> str:
        """Whose session a token is: a wallet's address, lower-case. Raises Unverified ``sign_in.session``."""
        _, _, rest = token.partition("_")
        name, _, secret = rest.partition("_")
        row = self._opened().find(name) if len(token) <= 128 else None
        same = hmac.compare_digest(_digest(name, secret), row.digest if row else _NOBODY)
        if row is None or not same or row.expires_us <= now_us:
            raise Unverified("sign_in.session", "This session is over, or never was.", hint="Sign in again.")
        return row.address

    def sign_out(self, token: str, now_us: int) -> None:
        """The token opens nothing from now on. Raises as `check`."""
        self.check(token, now_us)
        self._opened().close_session(token.split("_")[1])

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None

    def _open(self, said: SignInText, now_us: int) -> Session:
        name, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        expires_us = min(now_us + SESSION_US, said.expires_us or now_us + SESSION_US)
        row = SessionRow(name, _shown(said.address), _digest(name, secret), now_us, expires_us)
        if not self._opened().open(row, said.nonce, now_us + NONCE_US + SKEW_US):
            raise Unverified("sign_in.nonce", "This nonce was used.", hint="Take a new one.")
        return Session(f"{PREFIX}_{name}_{secret}", row.address, expires_us)

    def _check_nonce(self, nonce: str, now_us: int) -> None:
        made, tag = nonce[:34], nonce[34:]
        if not hmac.compare_digest(tag.encode(), self._tag(made).encode()):
            raise Unverified("sign_in.nonce", "This door did not make this nonce.", hint="Take a new one.")
        if now_us - int(made[:10], 16) * SECOND_US > NONCE_US:
            raise Unverified("sign_in.nonce", "This nonce is too old.", hint="Take a new one.")

    def _tag(self, made: str) -> str:
        return hmac.new(self._tag_key, b"penstock/nonce/1\n" + made.encode(), hashlib.sha256).hexdigest()[:32]

    def _opened(self) -> SessionFile:
        with self._lock:
            if self._file is None:
                self._file = SessionFile(self._workspace)
            return self._file


def _check_times(said: SignInText, now_us: int) -> None:
    begins_us = max(said.issued_us, said.begins_us or said.issued_us) - SKEW_US
    ends_us = min(said.issued_us + NONCE_US, said.expires_us or said.issued_us + NONCE_US)
    if not begins_us <= now_us < ends_us:
        hint = f"It is {iso(now_us)} here; a text is good for ten minutes."
        raise Unverified("sign_in.time", "This text is not good now.", hint=hint)


def _signed(address: bytes, text: str, signature: bytes) -> bool:
    """Whether the wallet signed the text as a personal message, r || s || v with v of 27 and 28, or 0 and 1."""
    v = signature[64] if len(signature) == 65 else 255
    parity = v - 27 if v in (27, 28) else v
    if parity not in (0, 1):
        return False
    try:
        return hmac.compare_digest(recover(signed_bytes(text), signature[:64] + bytes([parity])), address)
    except ValueError:
        return False


def _shown(address: bytes) -> str:
    return "0x" + address.hex()


def _digest(id: str, secret: str) -> bytes:
    return hashlib.sha256(f"penstock/session/1\n{id}\n{secret}".encode()).digest()
