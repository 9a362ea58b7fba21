"""Green Button files (NAESB REQ.21 Energy Services Provider Interface, ESPI): an Atom feed of interval usage.

A file gives energy by interval, not a register's count. From a base - where the device's register stood, and when -
whole intervals after it are added up to positions at their ends; what lies before was counted already. Energy is
``value * 10^powerOfTenMultiplier`` of ``uom`` 72 (Wh), flow direction 1 (delivered to the customer) on channel 0 and
19 (reverse, from the customer) on channel 1. Fractions of a watt-hour are carried on, not dropped at each interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from penstock.energy.forms.rows import Fault, FileRead, Row, check_size, gathered
from penstock.errors import Invalid
from penstock.journal.words import Assurance
from penstock.period import SECOND_US
from penstock.units import INT64_MAX

SOURCE: Final = "green_button"
FEED_BYTES_MAX: Final = 33_554_432
_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_ESPI: Final = "{http://naesb.org/espi}"
_WATT_HOURS: Final = 72
_DELTA: Final = (0, 4)  # accumulationBehaviour: none given, or deltaData
_CHANNELS: Final = {1: 0, 19: 1}
_ONLY: Final = ""
_POWERS_OF_TEN: Final = range(-12, 13)


class Base(NamedTuple):
    """Where a register stood: intervals that begin earlier were counted already."""

    at_us: int
    position_wh: int


@dataclass(frozen=True, slots=True)
class _Kind:
    """A ReadingType: which channel it is of, and how many watt-hours a unit of value is."""

    channel: int
    wh: Fraction


class _Interval(NamedTuple):
    start_us: int
    stop_us: int
    value: int


def read_green_button(
    raw: bytes,
    device: str,
    bases: Mapping[int, Base] | None = None,
    assurance: Assurance = Assurance.DECLARED,
    source: str = SOURCE,
) -> FileRead:
    """Carried messages of a feed's intervals, for ``device``; ``bases`` by channel, a register at 0 where not given.

    Raises:
        Invalid: ``green_button.malformed``, ``green_button.no_energy`` where no usage in watt-hours is found.
    """
    check_size(raw)
    root = _root(raw)
    kinds = _kinds_of_meters(root)
    intervals: dict[int, list[tuple[_Interval, Fraction]]] = {}
    faults: list[Row | Fault] = []
    for href, block in _blocks(root):
        kind = kinds.get(href.removesuffix("/").removesuffix("/IntervalBlock"), kinds.get(_ONLY))
        if kind is not None:
            good, bad = _intervals(block)
            faults += bad
            if good:
                intervals.setdefault(kind.channel, []).extend((each, kind.wh) for each in good)
    if not intervals:
        raise Invalid("green_button.no_energy", "The feed holds no usage in watt-hours that we can place.")
    rows = [row for channel, each in intervals.items() for row in _summed(device, channel, each, bases or {})]
    return gathered(source, raw, assurance, [*rows, *faults])


def _root(raw: bytes) -> Element:
    if len(raw) > FEED_BYTES_MAX:
        raise Invalid("file.too_long", "The feed has more than 32 MiB.", hint="Split it.")
    try:
        root: Element = fromstring(raw, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise Invalid("green_button.malformed", "This is not XML without document types and entities.") from None
    if root.tag not in (f"{_ATOM}feed", f"{_ATOM}entry"):
        raise Invalid("green_button.malformed", "This is not an Atom feed.")
    return root


def _entries(root: Element, name: str) -> list[tuple[str, Element]]:
    """Each resource of a name with its own address."""
    found = []
    for entry in root.iter(f"{_ATOM}entry"):
        resource = entry.find(f"{_ATOM}content/{_ESPI}{name}")
        if resource is not None:
            found.append((_link(entry, "self"), resource))
    return found


def _blocks(root: Element) -> list[tuple[str, Element]]:
    """Each interval block with the address of what it belongs to."""
    return [
        (_link(entry, "up"), block)
        for entry in root.iter(f"{_ATOM}entry")
        for block in entry.findall(f"{_ATOM}content/{_ESPI}IntervalBlock")
    ]


def _link(entry: Element, relation: str) -> str:
    links = (link for link in entry.findall(f"{_ATOM}link") if link.get("rel") == relation)
    return next((link.get("href", "") for link in links), "")


def _kinds_of_meters(root: Element) -> dict[str, _Kind]:
    """The type of each meter reading's blocks, by its address; under `_ONLY` where the feed has just one type."""
    types = _entries(root, "ReadingType")
    kinds = {href: kind for href, each in types if (kind := _kind(each)) is not None}
    if len(types) == 1:
        return dict.fromkeys((_ONLY,), next(iter(kinds.values()))) if kinds else {}
    meters: dict[str, _Kind] = {}
    for entry in root.iter(f"{_ATOM}entry"):
        if entry.find(f"{_ATOM}content/{_ESPI}MeterReading") is not None:
            hrefs = [link.get("href", "") for link in entry.findall(f"{_ATOM}link") if link.get("rel") == "related"]
            meters |= {_link(entry, "self"): kinds[href] for href in hrefs if href in kinds}
    return meters


def _kind(reading_type: Element) -> _Kind | None:
    """None for what is no delta of watt-hours in a direction we know."""
    try:
        power = _number(reading_type, "powerOfTenMultiplier", 0)
        direction = _number(reading_type, "flowDirection", 1)
        behaviour = _number(reading_type, "accumulationBehaviour", 4)
        uom = _number(reading_type, "uom", 0)
    except ValueError:
        return None
    if uom != _WATT_HOURS or behaviour not in _DELTA or direction not in _CHANNELS or power not in _POWERS_OF_TEN:
        return None
    return _Kind(_CHANNELS[direction], Fraction(10) ** power)


def _intervals(block: Element) -> tuple[list[_Interval], list[Row | Fault]]:
    good: list[_Interval] = []
    bad: list[Row | Fault] = []
    for number, reading in enumerate(block.findall(f"{_ESPI}IntervalReading"), 1):
        try:
            good.append(_interval(reading))
        except ValueError:
            bad.append(Fault(number, "interval"))
    return good, bad


def _interval(reading: Element) -> _Interval:
    period = reading.find(f"{_ESPI}timePeriod")
    if period is None:
        raise ValueError("no time")
    start_s, duration_s = _number(period, "start"), _number(period, "duration")
    value = _number(reading, "value")
    if start_s < 0 or duration_s <= 0 or value < 0 or (start_s + duration_s) * SECOND_US > INT64_MAX:
        raise ValueError("out of bounds")
    return _Interval(start_s * SECOND_US, (start_s + duration_s) * SECOND_US, value)


def _number(parent: Element, name: str, default: int | None = None) -> int:
    text = parent.findtext(f"{_ESPI}{name}")
    if text is None and default is not None:
        return default
    digits = (text or "").strip()
    if len(digits) > 19 or not digits.removeprefix("-").isdecimal() or not digits.isascii():
        raise ValueError("not a number")
    return int(digits)


def _summed(
    device: str, channel: int, intervals: list[tuple[_Interval, Fraction]], bases: Mapping[int, Base]
) -> list[Row | Fault]:
    """Positions at the ends of intervals that follow each other, from the base on; an overlap is a fault."""
    base = bases.get(channel)
    ordered = sorted(intervals)
    begin_us, total = base if base is not None else (ordered[0][0].start_us, 0)
    rows: list[Row | Fault] = [Row(device, channel, begin_us, total)] if base is None else []
    stood, reached_us = Fraction(total), begin_us
    for number, (each, wh) in enumerate(ordered, 1):
        if each.start_us < begin_us:
            continue
        if each.start_us < reached_us:
            rows.append(Fault(number, "overlap"))
            continue
        stood, reached_us = stood + each.value * wh, each.stop_us
        rows.append(Row(device, channel, reached_us, int(stood)))
    return rows
