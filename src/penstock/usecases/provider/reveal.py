"""Reveal: challengers commit at the door, and by revealing their secrets get the bodies of exactly the rows drawn.

Who may challenge is named in the offer, each by an Ed25519 key that signs its commitment; how many rows it will draw
stands in the commitment. The secrets test the first report with answers after the newest of them, and no other: so one
reveal shows one draw, whoever listens, and nobody can try secrets until the rows are those it wants to read.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from penstock.compute.challenge import HASH_BYTES, commitment, draw, seed_of
from penstock.compute.work import WorkReport, open_report
from penstock.connect.inference.commitments import Commitments, Kept
from penstock.connect.inference.workbook import ReportRow
from penstock.errors import Invalid, Refused, Unavailable, Unverified
from penstock.keys import SigningKey
from penstock.keys.dsse import Envelope, canonical, open_sealed, read_json, seal
from penstock.usecases.provider.provider import Provider

TYPE: Final = "application/vnd.penstock.challenge+json"
ROWS_MAX: Final = 128
SECRETS_MAX: Final = 16
_REPORTS: Final = 64
Secret = tuple[str, bytes]
"""A challenger's name and its secret."""


def sign_commitment(provider: str, challenger: str, secret: bytes, rows: int, key: SigningKey) -> bytes:
    """What a challenger posts before the work that it tests is reported: a DSSE envelope. Raises as `commitment`."""
    said = {"challenger": challenger, "commitment": commitment(provider, challenger, secret).hex(), "rows": rows}
    return seal(canonical(said), TYPE, key).to_json()


@dataclass(frozen=True, slots=True)
class Revealed:
    """What secrets draw: the report's root, the seed, and of each row its place, payment, request and answer."""

    root: bytes
    seed: bytes
    rows: tuple[tuple[int, bytes, bytes, bytes], ...]

    def to_json(self) -> dict[str, Any]:
        """Bodies in base64, all else in hex."""
        names = ("row", "payment_id", "request", "answer")
        rows = [
            dict(zip(names, (row, payment.hex(), *(b64encode(raw).decode() for raw in bodies)), strict=True))
            for row, payment, *bodies in self.rows
        ]
        return {"root": self.root.hex(), "seed": self.seed.hex(), "rows": rows}


class Challengers:
    """Commitments and reveals at a provider's door; ``offer.challengers`` are ``NAME=KEY`` each."""

    def __init__(self, provider: Provider, commitments: Commitments) -> None:
        self._provider, self._commitments = provider, commitments

    def commit(self, raw: bytes) -> dict[str, int]:
        """Take a signed commitment; its place, and the newest report it comes after (-1: none).

        Raises:
            Invalid: ``challenge.commitment``, ``dsse.malformed``. Refused: ``challenge.not_named``,
            ``challenge.too_many``. Unverified: ``dsse.signature``. Conflict: ``challenge.committed``.
        """
        envelope = Envelope.from_json(raw)
        said = read_json(envelope.payload)
        wanted = {"challenger", "commitment", "rows"}
        if not isinstance(said, dict) or said.keys() != wanted or type(said["rows"]) is not int:
            raise Invalid("challenge.commitment", "A commitment tells challenger, commitment and rows.")
        name, digest = str(said["challenger"]), _hex(said["commitment"])
        open_sealed(envelope, self._key_of(name), TYPE)
        if not 1 <= said["rows"] <= ROWS_MAX:
            raise Invalid("challenge.commitment", f"One to {ROWS_MAX} rows are drawn.")
        after = self._newest()
        return {"place": self._commitments.keep(name, digest, said["rows"], after), "after_report": after}

    def reveal(self, root: bytes, secrets: Sequence[Secret]) -> Revealed:
        """The rows that ``secrets``, in order of commitment, draw of the report with ``root``; their bodies.

        Raises:
            Unverified: ``challenge.not_committed``. Invalid: ``challenge.secret``. NotFound: ``challenge.no_work``,
            ``workbook.body_gone``. Unavailable: ``challenge.not_stated`` before that report.
            Refused: ``challenge.order``, ``challenge.not_next`` where they test another report.
        """
        kept = [self._opened(*one) for one in secrets]
        if not kept or len(kept) > SECRETS_MAX:
            raise Invalid("challenge.secret", f"One to {SECRETS_MAX} secrets are revealed at once.")
        if any(one.place >= two.place for one, two in pairwise(kept)):
            raise Refused("challenge.order", "Secrets come in order of commitment, each once.")
        report = self._tested(kept[-1].after_report)
        if report.root != root:
            raise Refused("challenge.not_next", "These secrets test another report.", root=report.root.hex())
        seed = seed_of([secret for _, secret in secrets], root)
        rows = draw(seed, len(report), min(one.rows for one in kept))
        return Revealed(root, seed, tuple(self._row(report, row) for row in rows))

    def _row(self, report: WorkReport, row: int) -> tuple[int, bytes, bytes, bytes]:
        bodies = self._provider.workbook.bodies(int(report.rows["number"][row]))
        return row, report.rows["payment"][row].tobytes(), *bodies

    def _opened(self, challenger: str, secret: bytes) -> Kept:
        found = self._commitments.find(commitment(self._provider.offer.provider, challenger, secret))
        if found is None or found.challenger != challenger:
            raise Unverified("challenge.not_committed", "Nobody committed to this secret here.")
        return found

    def _tested(self, after: int) -> WorkReport:
        """The first report with answers behind number ``after``."""
        while rows := self._provider.reports(after, _REPORTS):
            if found := next((one for one in rows if one.answers), None):
                return self._read(found)
            after = rows[-1].number
        raise Unavailable("challenge.not_stated", "The work that these secrets test is not reported yet.")

    def _read(self, row: ReportRow) -> WorkReport:
        work = Envelope.from_json(json.dumps(json.loads(row.written)["work"]))
        return open_report(work, self._provider.keys.work.public)

    def _newest(self) -> int:
        last = self._provider.workbook.last_report()
        return last.number if last else -1

    def _key_of(self, challenger: str) -> bytes:
        """Raises Refused ``challenge.not_named``."""
        for one in self._provider.offer.challengers:
            name, sign, key = one.partition("=")
            if sign and name == challenger:
                return _hex(key)
        raise Refused("challenge.not_named", "This provider names no such challenger.", challenger=challenger[:100])


def read_reveal(raw: bytes) -> tuple[bytes, list[Secret]]:
    """The root and secrets of a reveal as it is posted. Raises Invalid ``challenge.reveal``."""
    said = read_json(raw)
    try:
        return _hex(said["root"]), [(str(one["challenger"]), _hex(one["secret"])) for one in said["secrets"]]
    except (KeyError, TypeError) as error:
        raise Invalid("challenge.reveal", "A reveal tells root, and secrets with their challengers.") from error


def _hex(text: object) -> bytes:
    try:
        raw = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != HASH_BYTES:
        raise Invalid("challenge.commitment", f"Commitments, keys, roots and secrets are {HASH_BYTES} bytes in hex.")
    return raw
