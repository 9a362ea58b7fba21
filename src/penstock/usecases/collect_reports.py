"""Collect reports: from a provider's door or a folder into the workspace, each once, in order.

A report's steps are commands with keys made of its digest: whatever dies in between, the same call goes on from there.
The rack's meter is ingested, its hours are matched, the work is recorded, its dollars are moved on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from penstock.compute.work import open_report
from penstock.errors import Invalid, NotFound, Unavailable, Unverified
from penstock.journal.words import LinkKind
from penstock.keys.dsse import BILL, Envelope, open_sealed, read_json, read_statement
from penstock.period import HOUR_US
from penstock.usecases.compute.redeem_credits import redeem_credits
from penstock.usecases.ingest import ingest
from penstock.usecases.match import Draw, match
from penstock.usecases.record_work import Payee, Sealed, collect_work, open_sales, record_work
from penstock.usecases.redeem_spent import Spenders, redeem_spent, spent_rows
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

REPORT_MAX: Final = 64 * 2**20
_WAIT_S: Final = 30.0
NOBODY: Final = Spenders()
"""Nobody pays by credits."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A report as it came: checked, with the meter's message."""

    sealed: Sealed
    packet: bytes

    def key(self, step: str) -> str:
        """The key of one step on this report."""
        return f"{step}:{self.sealed.envelope.hex()[:40]}"


@dataclass(frozen=True, slots=True)
class Collected:
    """What became of a report: its rack and interval [us], answers, dollars [micro-dollars], whether it was known."""

    rack: str
    start_us: int
    stop_us: int
    answers: int
    paid_usdc_micro: int
    energy_mj: int
    known: bool

    def to_json(self) -> dict[str, str | int | bool]:
        """Field by field."""
        return asdict(self)


def read_report(world: World, provider: str, raw: bytes) -> Taken:
    """A written report, its signatures checked against the key that ``provider`` registered.

    Raises:
        NotFound: ``provider.unknown``. Invalid: ``work.malformed``, as `Envelope.from_json`, `open_report`.
        Unverified: ``work.provider`` for another's, ``work.bill`` for a bill of something else, as `open_report`.
    """
    key = world.capacity.providers.named(provider).work_key
    if len(raw) > REPORT_MAX:
        raise Invalid("work.malformed", f"A report has at most {REPORT_MAX:,} bytes.")
    said = read_json(raw)
    if not isinstance(said, dict) or said.keys() != {"bill", "packet", "work"}:
        raise Invalid("work.malformed", "A report is an object of bill, packet and work.")
    work, bill = (Envelope.from_json(json.dumps(said[name])) for name in ("work", "bill"))
    report = open_report(work, key)
    if report.provider != provider:
        raise Unverified("work.provider", "The report is another provider's.", provider=report.provider)
    billed = read_statement(open_sealed(bill, key), BILL)
    told = billed.predicate.get("paid_usdc_micro")
    if billed.subject_sha256 != work.digest.hex() or told != report.paid_usdc_micro:
        raise Unverified("work.bill", "The bill is not of this report.", provider=provider)
    return Taken(Sealed(report, work.digest, bill), _packet(said["packet"]))


def collect_report_on(
    workspace: Workspace,
    taken: Taken,
    payee: Payee,
    beneficiary: str,
    at_us: int,
    *,
    unmatched: bool = False,
    spenders: Spenders = NOBODY,
) -> Collected:
    """Record one report, step by step. Raises as `match`, `record_work`, `collect_work`, `redeem_spent`."""
    report = taken.sealed.report
    known = workspace.store.receipt(taken.key("work")) is not None

    def step(name: str, decide: Callable[[World], Any]) -> None:
        workspace.submit(taken.key(name), taken.sealed.envelope, at_us, decide)

    step("open", lambda world: open_sales(world, report.rack))
    step("drawn", lambda world: ingest(world, [taken.packet], at_us))
    if not unmatched:
        step("match", lambda world: _match(world, taken, beneficiary))
    step("work", lambda world: record_work(world, taken.sealed, payee, unmatched=unmatched))
    step("paid", lambda world: collect_work(world, taken.sealed, payee, at_us))
    if spent_rows(report).any():
        _redeem(workspace, taken, spenders, at_us)
    return Collected(
        report.rack,
        report.period.start_us,
        report.period.stop_us,
        len(report),
        report.paid_usdc_micro,
        report.metered.meter_mj,
        known,
    )


def collect_all(
    workspace: Workspace,
    provider: str,
    source: Iterator[tuple[int, bytes]],
    payee: Payee,
    at_us: int,
    *,
    unmatched: bool = False,
    spenders: Spenders = NOBODY,
) -> list[Collected]:
    """Record every report that ``source`` has, in order. Raises as `read_report`, `collect_report_on`: what came before
    stands."""
    found = []
    for _, raw in source:
        taken = workspace.read(lambda world, raw=raw: read_report(world, provider, raw))  # type: ignore[misc]
        found.append(
            collect_report_on(workspace, taken, payee, provider, at_us, unmatched=unmatched, spenders=spenders)
        )
    return found


def _redeem(workspace: Workspace, taken: Taken, spenders: Spenders, at_us: int) -> None:
    """Credits that answers used up: one command for each class and holder, none where all of them are done."""
    if workspace.store.receipt(taken.key("redeemed")) is not None:
        return
    asked = workspace.read(lambda world: redeem_spent(world, taken.sealed.report, spenders))
    for place, one in enumerate(asked):
        workspace.submit(taken.key(f"credits-{place}"), one, at_us, lambda w, one=one: redeem_credits(w, one, at_us))  # type: ignore[misc]
    workspace.submit(taken.key("redeemed"), taken.sealed.envelope, at_us, lambda _: [])


def _match(world: World, taken: Taken, beneficiary: str) -> Any:
    """What the rack's meter shows and nothing is bought for yet is bought in the hour in which the interval began."""
    report = taken.sealed.report
    if report.rack not in world.compute.racks:
        raise NotFound("work.no_rack", "This rack is not registered here.", rack=report.rack)
    rack = world.compute.racks[report.rack]
    register = world.books.registers.id_of(rack.import_register)
    drawn_wh = int(world.books.registers.read[register]) - world.books.links[LinkKind.ALLOCATE].filled(register)
    if drawn_wh <= 0:
        return []
    hour_us = report.period.start_us // HOUR_US * HOUR_US
    draw = Draw(rack, np.array([hour_us], dtype=np.int64), np.array([drawn_wh], dtype=np.int64))
    return match(world, draw, report.period, beneficiary)


def from_url(url: str, after: int = -1) -> Iterator[tuple[int, bytes]]:
    """Reports behind number ``after`` from a provider's door, with their numbers, in order.

    Raises:
        Unavailable: ``work.unreachable``. Invalid: ``work.malformed``.
    """
    with httpx.Client(timeout=_WAIT_S, follow_redirects=False) as client:
        while rows := _page(client, url, after):
            for number, raw in rows:
                yield number, raw
                after = number


def _page(client: httpx.Client, url: str, after: int) -> list[tuple[int, bytes]]:
    try:
        answer = client.get(f"{url.rstrip('/')}/v1/work", params={"after": after})
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable("work.unreachable", "The provider's door does not answer.", url=url) from error
    said = read_json(answer.content)
    try:
        rows = [(int(one["number"]), json.dumps(one["report"]).encode()) for one in said["reports"]]
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("work.malformed", "The provider's door answers with no reports.", url=url) from error
    if [number for number, _ in rows] != sorted({number for number, _ in rows if number > after}):
        raise Invalid("work.malformed", "The provider's reports do not come in order.", url=url)
    return rows


def from_folder(folder: Path) -> Iterator[tuple[int, bytes]]:
    """Reports from files named ``<number>.json``, in order. Raises NotFound ``work.no_folder``."""
    if not folder.is_dir():
        raise NotFound("work.no_folder", "There is no such folder.", folder=folder)
    files = {int(path.stem): path for path in folder.glob("*.json") if path.stem.isdecimal()}
    for number in sorted(files):
        yield number, files[number].read_bytes()


def _packet(text: object) -> bytes:
    try:
        return bytes.fromhex(text if isinstance(text, str) else "-")
    except ValueError as error:
        raise Invalid("work.malformed", "The meter's message is hexadecimal.") from error
