"""Where an attester reads an operator's record: over HTTP, or in a workspace folder on the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from pydantic_core import from_json  # bounds how deep an answer may nest, which the interpreter's own does not

from penstock.errors import Invalid, NotFound, Unavailable
from penstock.usecases.publish import SEGMENT_BYTES_MAX, Publication, PublishedFact, RecordSource, Request

T = TypeVar("T")
JSON_BYTES_MAX: Final = 64 * 1024 * 1024
_TRIES: Final = 3
_PAUSE_S: Final = 0.2


class HttpSource:
    """The record API of an operator at ``url``; one connection, kept open.

    Raises:
        Invalid: ``source.address`` for an address that is not http or https.
    """

    def __init__(self, url: str, timeout_s: float = 20.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid("source.address", "A source is an http(s) address or a workspace folder.", address=url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._base = parts.path.rstrip("/")
        self._connection = kind(parts.hostname, parts.port, timeout=timeout_s)

    def facts(self, start: int, stop: int) -> Sequence[PublishedFact]:
        """As `RecordSource`; raises Unavailable ``source.unreachable``, Invalid ``source.malformed``."""
        answer = self._json(f"/record/facts?start={start}&stop={stop}")
        return _read(lambda: [_fact(one) for one in answer["facts"]])

    def segment(self, digest: str) -> bytes:
        """As `RecordSource`; raises as `facts`, and NotFound ``source.not_there``."""
        return self._get(f"/record/segments/{quote(digest, safe='')}", SEGMENT_BYTES_MAX)

    def requests(self, deal: str) -> Sequence[Request]:
        """As `RecordSource`; raises as `facts`."""
        answer = self._json(f"/record/requests?deal={quote(deal, safe='')}")
        return _read(lambda: [_request(one) for one in answer["requests"]])

    def _json(self, path: str) -> Any:
        raw = self._get(path, JSON_BYTES_MAX)
        return _read(lambda: from_json(raw))

    def _get(self, path: str, bytes_max: int) -> bytes:
        """The body at ``path``; a broken connection is opened again, a server that does not answer asked again."""
        reason = ""
        for attempt in range(_TRIES):
            try:
                return self._ask(path, bytes_max)
            except (OSError, HTTPException, Unavailable) as failed:
                reason = str(failed)
                self._connection.close()
                time.sleep(_PAUSE_S * attempt)
        raise Unavailable("source.unreachable", f"The record's source does not answer: {reason}.", path=path)

    def _ask(self, path: str, bytes_max: int) -> bytes:
        self._connection.request("GET", self._base + path, headers={"Accept": "application/json"})
        answer = self._connection.getresponse()
        body = answer.read(bytes_max + 1)
        if answer.status >= 500:
            raise Unavailable("source.unreachable", f"The source answers {answer.status}.", path=path)
        if answer.status != 200:
            raise NotFound("source.not_there", f"The source answers {answer.status}.", path=path)
        if len(body) > bytes_max:
            self._connection.close()
            raise Invalid("source.malformed", "The source sends more than an answer may hold.", path=path)
        return body


class FolderSource:
    """A workspace folder on this machine, opened for reading beside its writer. Raises as `open_store`."""

    def __init__(self, path: Path) -> None:
        from penstock.store.opening import open_store

        self._publication = Publication(open_store(path, read_only=True))

    def facts(self, start: int, stop: int) -> Sequence[PublishedFact]:
        """As `RecordSource`."""
        return self._publication.facts(start, stop)

    def segment(self, digest: str) -> bytes:
        """As `RecordSource`; raises NotFound ``publish.no_segment``."""
        return self._publication.segment(digest)

    def requests(self, deal: str) -> Sequence[Request]:
        """As `RecordSource`."""
        return self._publication.requests(deal)


def open_source(where: str) -> RecordSource:
    """The source at an address or in a folder. Raises as `HttpSource` and `FolderSource`."""
    return HttpSource(where) if "://" in where else FolderSource(Path(where))


def _fact(one: Mapping[str, Any]) -> PublishedFact:
    segment = one["segment"]
    if type(one["seq"]) is not int or not isinstance(segment, str | None):
        raise TypeError("not a fact")
    return PublishedFact(one["seq"], one["body"].encode(), segment)


def _request(one: Mapping[str, Any]) -> Request:
    numbers = (one["period"], one["as_of_us"], one["size"])
    if any(type(number) is not int for number in numbers) or not isinstance(one["deal"], str):
        raise TypeError("not a request")
    period, as_of_us, size = numbers
    subject = bytes.fromhex(one["subject"].removeprefix("0x"))
    return Request(one["deal"], subject, period, as_of_us, size, bytes.fromhex(one["root"]))


def _read(parse: Callable[[], T]) -> T:
    try:
        return parse()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Invalid("source.malformed", "The source's answer has another form than the record API's.") from None
