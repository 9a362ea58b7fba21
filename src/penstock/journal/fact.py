"""Facts: what happened, as canonical bytes that become leaves of the journal's tree.

A fact kind is a frozen dataclass with a name and a version (``kinds/``). An old
version is read through its upcaster, a pure function to the next one. The body
of a fact is ``{"at_us", "data", "kind", "v"}``; its leaf is
``sha256(0x00 || body)`` (RFC 9162, 2.1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from penstock.errors import Invalid
from penstock.journal.canonical import Plain, dump, from_plain, load, to_plain
from penstock.journal.exact_text import Inexact, quote, text_writer
from penstock.journal.segment import Segment

Upcaster = Callable[[dict[str, Plain]], dict[str, Plain]]


class FactBody(Protocol):
    """A frozen dataclass that says its kind and version."""

    KIND: ClassVar[str]
    VERSION: ClassVar[int]
    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact about to be recorded, with the segment it names where it has one."""

    fact: FactBody
    segment: Segment | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact read back: its place in the journal, its instant [us] and what it says."""

    seq: int
    at_us: int
    fact: FactBody
    body: bytes


def encode(fact: FactBody, at_us: int) -> bytes:
    """The canonical body of ``fact`` as of ``at_us``."""
    return dump({"at_us": str(at_us), "data": to_plain(fact), "kind": fact.KIND, "v": str(fact.VERSION)})


def _encode_exact(fact: FactBody, at_us: int) -> bytes:
    """As `encode`, in a third of the time; raises Inexact, UnicodeEncodeError."""
    data = text_writer(type(fact))(fact)
    return f'{{"at_us":"{at_us}","data":{data},"kind":{quote(fact.KIND)},"v":"{fact.VERSION}"}}'.encode()


class Kinds:
    """The fact kinds known here, by name, with the upcasters of their older versions."""

    def __init__(
        self, kinds: Iterable[type[FactBody]], upcasters: Mapping[tuple[str, int], Upcaster] | None = None
    ) -> None:
        self._kinds = {kind.KIND: kind for kind in kinds}
        self._upcasters = dict(upcasters or {})

    def __iter__(self) -> Iterator[type[FactBody]]:
        return iter(self._kinds.values())

    def record(self, fact: FactBody, at_us: int, seq: int) -> Recorded:
        """``fact`` as `decode` will read it from its body: what cannot be read back never stands.

        Raises:
            Invalid: ``journal.unknown_kind``, ``canonical.type``, ``canonical.malformed``.
        """
        kind = type(fact)
        if self._kinds.get(getattr(fact, "KIND", "")) is not kind:
            raise Invalid("journal.unknown_kind", f"{kind.__name__} is no kind of fact here.")
        try:
            return Recorded(seq, at_us, fact, _encode_exact(fact, at_us))
        except (Inexact, UnicodeEncodeError):
            read = from_plain(kind, to_plain(fact))
            return Recorded(seq, at_us, read, encode(read, at_us))

    def decode(self, body: bytes, seq: int) -> Recorded:
        """Read a body back, through upcasters where it is of an older version.

        Raises:
            Invalid: ``fact.unknown_kind``, ``fact.unknown_version``, ``canonical.malformed``.
        """
        plain = load(body)
        if not isinstance(plain, dict) or plain.keys() != {"at_us", "data", "kind", "v"}:
            raise Invalid("canonical.malformed", "A fact has at_us, data, kind and v.", seq=seq)
        kind = self._kinds.get(str(plain["kind"]))
        if kind is None:
            raise Invalid("fact.unknown_kind", f"There is no fact kind {plain['kind']!r}.", seq=seq)
        data = self._upcast(kind, from_plain(int, plain["v"]), plain["data"], seq)
        return Recorded(seq, from_plain(int, plain["at_us"]), from_plain(kind, data), body)

    def _upcast(self, kind: type[FactBody], version: int, data: Plain, seq: int) -> Plain:
        while version < kind.VERSION:
            step = self._upcasters.get((kind.KIND, version))
            if step is None or not isinstance(data, dict):
                raise Invalid("fact.unknown_version", f"{kind.KIND} version {version} has no upcaster.", seq=seq)
            data, version = step(data), version + 1
        if version > kind.VERSION:
            raise Invalid("fact.unknown_version", f"{kind.KIND} version {version} is newer than this program.", seq=seq)
        return data
