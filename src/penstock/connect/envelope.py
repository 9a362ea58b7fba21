"""One message among others: bare, where its first bytes tell its form, else as the CBOR pair ``[form, bytes]``."""

from __future__ import annotations

from typing import Final

import cbor2

from penstock.connect.ports import Arrived
from penstock.errors import Invalid
from penstock.journal.words import Form

MESSAGE_BYTES_MAX: Final = 262_144
"""The longest message a connector takes [bytes]."""
_PAIR: Final = 0x82  # CBOR: an array of two
_FIRST: Final = ((b"\xd2", Form.COSE), (b"OCMF|", Form.OCMF), (b"{", Form.POGG))
UNREADABLE: Final = (cbor2.CBORError, ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


def open_envelope(item: bytes) -> Arrived:
    """The message in ``item`` and its form, nothing of it believed.

    Raises:
        Invalid: ``connect.unknown_form`` where neither the first bytes nor a pair name a form,
            ``connect.message_too_long``.
    """
    if len(item) > MESSAGE_BYTES_MAX:
        raise too_long()
    if item[:1] == bytes([_PAIR]):
        return _from_pair(item)
    for first, form in _FIRST:
        if item.startswith(first):
            return Arrived(form, item)
    raise _unknown()


def as_sent(item: bytes) -> Arrived:
    """As `open_envelope`; what has no form we know is kept as it came, to be judged malformed and not lost."""
    try:
        return open_envelope(item)
    except Invalid:
        return Arrived(Form.COSE, item[:MESSAGE_BYTES_MAX])


def seal_envelope(arrived: Arrived) -> bytes:
    """The pair ``[form, bytes]``; any form travels in it."""
    return cbor2.dumps([int(arrived.form), arrived.raw], canonical=True)


def too_long() -> Invalid:
    """A message longer than any form's."""
    return Invalid("connect.message_too_long", f"A message has at most {MESSAGE_BYTES_MAX:,} bytes.")


def _from_pair(item: bytes) -> Arrived:
    try:
        form, raw = cbor2.loads(item)
        if type(form) is not int or type(raw) is not bytes:
            raise TypeError
        return Arrived(Form(form), raw)
    except UNREADABLE:
        raise _unknown() from None


def _unknown() -> Invalid:
    hint = (
        "Send COSE_Sign1, OCMF or a signed generation report as it is, any other form as the CBOR pair [form, bytes]."
    )
    return Invalid("connect.unknown_form", "Nothing tells which form this message has.", hint=hint)
