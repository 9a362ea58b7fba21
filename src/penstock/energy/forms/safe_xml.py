"""The XML container of the S.A.F.E. transparency software: signed records, each with the public key it came with.

``<values><value transactionId context><signedData format encoding>..</signedData><publicKey encoding>..</publicKey>``;
texts are plain, hex or base64. Each OCMF record becomes one message of that form, the key in a line behind it, so
that nothing the container said is lost. The key proves that nothing was altered, not whose it is.
"""

from __future__ import annotations

import base64
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from penstock.errors import Invalid

CONTAINER_BYTES_MAX: Final = 16_777_216
RECORDS_MAX: Final = 100_000
FORMAT: Final = "OCMF"


class Contained(NamedTuple):
    """A record of a container as a message of form OCMF, with the transaction that the container files it under."""

    raw: bytes
    transaction: str
    context: str


def read_container(raw: bytes) -> list[Contained]:
    """The records of a container, in their order.

    Raises:
        Invalid: ``safe_xml.malformed`` for anything but such a container, ``safe_xml.format`` where a record is of
            another family than OCMF, ``safe_xml.key`` where a record has no public key or more than one.
    """
    root = _root(raw)
    values = root.findall("value")
    if _name(root) != "values" or not 0 < len(values) <= RECORDS_MAX:
        raise Invalid("safe_xml.malformed", "This is not a container of signed records.")
    return [_contained(value, row) for row, value in enumerate(values)]


def _root(raw: bytes) -> Element:
    if len(raw) > CONTAINER_BYTES_MAX:
        raise Invalid("safe_xml.malformed", "The container is longer than 16 MiB.", hint="Split it.")
    try:
        root: Element = fromstring(raw.decode("utf-8-sig").lstrip(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise Invalid("safe_xml.malformed", "This is not XML without document types and entities.") from None
    return root


def _contained(value: Element, row: int) -> Contained:
    data, keys = value.findall("signedData"), value.findall("publicKey")
    if len(data) != 1:
        raise Invalid("safe_xml.malformed", "A value holds no signed data, or more than one.", row=row)
    record = _text(data[0], row)
    if data[0].get("format", FORMAT) != FORMAT or not record.startswith(b"OCMF|"):
        raise Invalid("safe_xml.format", "Signed data of another family than OCMF.", row=row)
    if len(keys) != 1 or not (keys[0].text or "").strip():
        raise Invalid("safe_xml.key", "A record comes with no public key, or with several.", row=row)
    key = b"".join("".join(keys[0].itertext()).encode().split())
    return Contained(record + b"\n" + key, value.get("transactionId", ""), value.get("context", ""))


def _text(element: Element, row: int) -> bytes:
    """An element's text, decoded as its attribute says."""
    text = "".join(element.itertext()).strip()
    try:
        match element.get("encoding", "plain"):
            case "plain" | "":
                return text.encode()
            case "hex":
                return bytes.fromhex(text)
            case "base64":
                return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    raise Invalid("safe_xml.malformed", "A text of the container is not encoded as it says.", row=row)


def _name(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]
