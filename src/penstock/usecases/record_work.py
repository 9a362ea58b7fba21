"""Record work: a provider's signed report becomes facts and links - what was done, what it drew, who paid for it.

The chain of links is that of `serve`: energy to accelerator time, time to tokens, tokens to dollars billed, dollars
billed to dollars collected. Energy is that of the rack's signed import meter, bought hour by hour before (`match`): the
meter counts a Wh when it begins to be drawn, so what a report shares out lies within what was bought.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.compute.work import UNPAID, WorkReport
from penstock.errors import Conflict, NotFound, Refused
from penstock.journal.cutting import positions_of
from penstock.journal.fact import Entry, FactBody
from penstock.journal.formats import REQUESTS, SALES
from penstock.journal.kinds.compute import AnswersServed, RackRegistered
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened, Transfer
from penstock.journal.kinds.servicing import CollectionKind
from penstock.journal.kinds.work import EnergySealed, SalesCollected, WorkStated
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import LinkKind, RegisterKind, Unit
from penstock.keys.dsse import Envelope
from penstock.usecases.match import link_entry
from penstock.usecases.originate import account_of
from penstock.usecases.redeem_spent import spent_rows
from penstock.usecases.serve import Spans, billed_register, spans_of, tile_spans
from penstock.usecases.servicing.bill import QUANTITY_MAX, Bill, bill
from penstock.usecases.servicing.collect import Payment, collect
from penstock.usecases.world import World

PAYERS: Final = "x402"
"""The world outside from which payments per answer come: an external account, opened with the first."""
MODEL_SOURCE: Final = "model:"
_NONE: Final = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A report with the sha256 of its signed envelope, and its signed bill."""

    report: WorkReport
    envelope: bytes
    bill: Envelope


@dataclass(frozen=True, slots=True)
class Payee:
    """Where the dollars of sales go: to an asset pooled in a deal, billed and matched ``by`` who services it; else to
    an account with a register of its own (as a deal's first account has); else to the provider's revenue account."""

    deal: str = ""
    asset: str = ""
    account: str = ""
    by: str = ""


def open_sales(world: World, rack: str) -> list[Entry]:
    """The account of those who pay per answer, and the rack's register of what it billed: before its first report.

    Raises:
        NotFound: ``work.no_rack``.
    """
    facts: list[FactBody] = [] if PAYERS in world.books.accounts else [AccountOpened(PAYERS, external=True)]
    register = billed_register(_rack(world, rack).rack)
    if register not in world.books.registers:
        facts.append(RegisterOpened(register, Unit.USDC_MICRO, RegisterKind.COUNTED))
    return [Entry(fact) for fact in facts]


def record_work(world: World, sealed: Sealed, payee: Payee, *, unmatched: bool = False) -> list[Entry]:
    """The facts and links of one report, up to what was billed. `open_sales`, the rack's meter and the match of its
    hours are recorded before.

    With ``unmatched``, energy that nobody bought certificates for is recorded without links to it.

    Raises:
        NotFound: ``provider.unknown``, ``work.no_rack``. Refused: ``work.overlap``, ``work.gap``,
        ``work.energy_unmatched``, ``work.time`` for more accelerator time than the interval has. As `bill`.
    """
    report = sealed.report
    rack, stated = _rack(world, report.rack), _stated(sealed)
    world.work.check_stated(stated)
    calendar = _calendar(world, rack, report)
    tokens = spans_of(positions_of(_tokens(report), _reached(world, rack.token_register)))
    work = _work_links(world, rack, report, calendar, unmatched)
    serve = tile_spans(world, rack.calendar_register, calendar, rack.token_register, tokens)
    return [
        Entry(stated, report.segment),
        Entry(_energy(report)),
        _answers(world, report),
        *([link_entry(world, LinkKind.WORK, work, report.period)] if len(work["source"]) else []),
        link_entry(world, LinkKind.SERVE, serve, report.period),
        *(_sold(world, rack, sealed, payee, tokens) if report.paid_usdc_micro else ()),
    ]


def collect_work(world: World, sealed: Sealed, payee: Payee, at_us: int) -> list[Entry]:
    """The dollars of a recorded report, moved on to where they are owed, and the links that say for which answers.

    Raises:
        Conflict: ``work.later`` where the rack's next sales are recorded already. As `collect`, where they are owed to
        a deal.
    """
    report, register = sealed.report, _collected(world, payee)
    if not report.paid_usdc_micro:
        return []
    sales = world.work.last_sales[report.rack]
    if sales.bill != sealed.bill.digest:
        raise Conflict("work.later", "Dollars move on before the next report is recorded.", rack=report.rack)
    facts = _matched(world, report, sales, payee, at_us) if payee.deal else []
    if not register:
        return facts
    billed, paid = billed_register(report.rack), report.paid_usdc_micro
    start = world.work.sold_usdc_micro[report.rack] - paid
    reached = _reached(world, register)
    pay = tile_spans(world, billed, _one(start, start + paid), register, _one(reached, reached + paid))
    return [*facts, link_entry(world, LinkKind.PAY, pay, report.period)]


def _rack(world: World, name: str) -> RackRegistered:
    if name not in world.compute.racks:
        raise NotFound("work.no_rack", "This rack is not registered here.", rack=name)
    return world.compute.racks[name]


def _stated(sealed: Sealed) -> WorkStated:
    report = sealed.report
    return WorkStated(
        segment=report.segment.ref(),
        provider=report.provider,
        rack=report.rack,
        model=report.model,
        start_us=report.period.start_us,
        stop_us=report.period.stop_us,
        first_number=report.first_number,
        root=report.root,
        envelope=sealed.envelope,
    )


def _energy(report: WorkReport) -> EnergySealed:
    idle_mj, overhead_mj, unattributed_mj = report.metered.parts_mj
    return EnergySealed(
        rack=report.rack,
        start_us=report.period.start_us,
        stop_us=report.period.stop_us,
        meter_mj=report.metered.meter_mj,
        answers_mj=report.answers_mj,
        idle_mj=idle_mj,
        overhead_mj=overhead_mj,
        unattributed_mj=unattributed_mj,
        answers=len(report),
        root=report.sealed.root,
        method=report.metered.method,
        parameters=report.metered.parameters,
        source=report.metered.source,
    )


def _answers(world: World, report: WorkReport) -> Entry:
    first, count = world.compute.answers_served.get(report.rack, 0), len(report)
    columns: dict[str, Column] = {
        "number": np.arange(first, first + count, dtype=np.int64),
        "arrived_us": report.rows["arrived_us"],
        "buyer": np.full(count, world.books.accounts.id_of(PAYERS), dtype=np.int32),
        "tokens": _tokens(report),
        "time_ms": report.rows["time_ms"],
    }
    segment = Segment(REQUESTS, columns)
    fact = AnswersServed(
        segment=segment.ref(),
        rack=report.rack,
        start_us=report.period.start_us,
        stop_us=report.period.stop_us,
        answers=count,
        tokens=int(columns["tokens"].sum()),
        energy_mj=report.metered.meter_mj,
        refused_energy=0,
        refused_capacity=0,
        modelled=report.metered.source.startswith(MODEL_SOURCE),
    )
    return Entry(fact, segment)


def _tokens(report: WorkReport) -> Column:
    return report.rows["prompt_tokens"] + report.rows["output_tokens"]


def _reached(world: World, register: str) -> int:
    return int(world.books.registers.read[world.books.registers.id_of(register)])


def _calendar(world: World, rack: RackRegistered, report: WorkReport) -> Spans:
    """Each answer's stretch of the rack's calendar, one after the other inside the interval."""
    counted = world.capacity.calendar(rack.rack)
    open_ms, close_ms = counted.position(report.period.start_us), counted.position(report.period.stop_us)
    used_ms = world.books.links[LinkKind.WORK].filled(world.books.registers.id_of(rack.calendar_register))
    spans = spans_of(positions_of(report.rows["time_ms"], max(open_ms, used_ms)))
    if open_ms < 0 or (len(report) and int(spans[1][-1]) > close_ms):
        sentence = "The answers take more accelerator time than the rack had in the interval."
        hint = "A rack has time from the first whole hour since its commissioning on."
        raise Refused("work.time", sentence, hint=hint, rack=rack.rack, start_us=report.period.start_us)
    return spans


def _work_links(world: World, rack: RackRegistered, report: WorkReport, calendar: Spans, unmatched: bool) -> Columns:
    """Energy to accelerator time, answer by answer; then idle, overhead and unattributed to their loss registers."""
    registers = world.books.registers
    start_mj = world.books.links[LinkKind.WORK].spent(registers.id_of(rack.energy_register))
    bought_mj = _reached(world, rack.energy_register) - start_mj
    if bought_mj < report.metered.meter_mj:
        if unmatched:
            return tile_spans(world, rack.energy_register, _NONE, rack.calendar_register, _NONE)
        raise Refused(
            "work.energy_unmatched",
            f"The rack drew {report.metered.meter_mj} mJ; energy for {bought_mj} mJ is bought.",
            hint="Record its meter and match its hours first, or say that they stay unmatched.",
            rack=rack.rack,
        )
    energy = positions_of(np.concatenate([report.rows["energy_mj"], report.metered.parts_mj]), start_mj)
    done = tile_spans(
        world, rack.energy_register, spans_of(energy[: len(report) + 1]), rack.calendar_register, calendar
    )
    parts = [done, *_losses(world, rack, energy[len(report) :])]
    return {name: np.concatenate([part[name] for part in parts]) for name in done}


def _losses(world: World, rack: RackRegistered, energy: Column) -> Iterator[Columns]:
    """Idle, overhead and unattributed, between four positions of the energy register, to where each ends."""
    filled: dict[str, int] = {}
    for place, register in enumerate(_loss_registers(rack)):
        start, stop = int(energy[place]), int(energy[place + 1])
        links = world.books.links[LinkKind.WORK]
        at = filled.get(register, links.filled(world.books.registers.id_of(register)))
        filled[register] = at + stop - start
        yield tile_spans(world, rack.energy_register, _one(start, stop), register, _one(at, filled[register]))


def _loss_registers(rack: RackRegistered) -> tuple[str, str, str]:
    """Where idle, overhead and unattributed energy end; with idle's where a rack tells them not apart."""
    idle = rack.idle_register
    return idle, rack.overhead_register or idle, rack.unattributed_register or idle


def _one(start: int, stop: int) -> Spans:
    return np.array([start], dtype=np.int64), np.array([stop], dtype=np.int64)


def _sold(world: World, rack: RackRegistered, sealed: Sealed, payee: Payee, tokens: Spans) -> list[Entry]:
    """What was paid in dollars, row by row, and for which tokens; the deal's bill where the sales are a deal's."""
    report = sealed.report
    paid = np.flatnonzero((report.sales["scheme"] != UNPAID) & ~spent_rows(report))
    packed = np.concatenate([report.rows["payment"], report.sales["payer"], report.sales["tx"]], axis=1)[paid]
    payment = np.empty(len(paid), dtype=object)
    payment[:] = [row.tobytes() for row in packed]
    columns: dict[str, Column] = {
        "number": report.rows["number"][paid],
        "at_us": report.rows["done_us"][paid],
        "scheme": report.sales["scheme"][paid].astype(np.uint8),
        "payer": np.full(len(paid), world.books.accounts.id_of(PAYERS), dtype=np.int32),
        "paid_usdc_micro": report.sales["paid_usdc_micro"][paid],
        "payment": payment,
    }
    segment = Segment(SALES, columns)
    register = billed_register(rack.rack)
    billed = spans_of(positions_of(report.sales["paid_usdc_micro"], _reached(world, register)))
    fact = SalesCollected(
        segment=segment.ref(),
        provider=report.provider,
        rack=report.rack,
        model=report.model,
        start_us=report.period.start_us,
        stop_us=report.period.stop_us,
        answers=len(paid),
        paid_usdc_micro=report.paid_usdc_micro,
        bill=sealed.bill.digest,
        signed=sealed.bill.to_json(),
        transfers=tuple(
            Transfer(PAYERS, name, micro, "answers sold") for name, micro in _received(world, report, payee).items()
        ),
    )
    world.books.check_transfers(fact.transfers)
    links = tile_spans(world, rack.token_register, tokens, register, billed)
    deal = bill(world, payee.deal, [_bill(report, payee)], payee.by) if payee.deal else []
    return [Entry(fact, segment), link_entry(world, LinkKind.BILL, links, report.period, check=False), *deal]


def _received(world: World, report: WorkReport, payee: Payee) -> dict[str, int]:
    """The accounts that the dollars reach first: the provider's revenue, but on their way to a deal that of each payer
    whose wallet is known here, so that the deal can tell its own money and its sponsor's from others'."""
    provider = world.capacity.providers.named(report.provider)
    if payee.account or not payee.deal:
        return {payee.account or provider.revenue_account: report.paid_usdc_micro}
    known = {provider.address: provider.provider} | world.participants.account_of_wallet
    payers, slot = np.unique(report.sales["payer"], axis=0, return_inverse=True)
    sums = np.zeros(len(payers), dtype=np.int64)
    np.add.at(sums, slot.ravel(), report.sales["paid_usdc_micro"])
    found: dict[str, int] = {}
    for payer, micro in zip(payers, sums.tolist(), strict=True):
        name = known.get(payer.tobytes(), provider.revenue_account)
        own = any(name.startswith(f"{deal}/") for deal in world.capital.deals)  # leaves it by its waterfall alone
        name = provider.revenue_account if own or name not in world.books.accounts else name
        found[name] = found.get(name, 0) + micro
    return {name: micro for name, micro in found.items() if micro}


def _reference(report: WorkReport) -> str:
    return f"{report.rack}/{report.period.start_us}"


def _bill(report: WorkReport, payee: Payee) -> Bill:
    quantity = min(int(_tokens(report).sum()), QUANTITY_MAX)
    stop_us = report.period.stop_us
    return Bill(payee.asset, report.period, stop_us, report.paid_usdc_micro, _reference(report), quantity)


def _collected(world: World, payee: Payee) -> str:
    """The register of the account where the dollars end; empty where it has none."""
    if payee.deal:
        return account_of(payee.deal, world.capital.servicing.of(payee.deal).deal.accounts[0].name)
    return payee.account if payee.account in world.books.registers else ""


def _matched(world: World, report: WorkReport, sales: SalesCollected, payee: Payee, at_us: int) -> list[Entry]:
    """One payment by each account that the dollars reached first; the deal flags its own."""
    received_us, reference = min(report.period.stop_us, at_us), _reference(report)
    payments = [
        Payment(payee.asset, CollectionKind.REVENUE, one.usdc_micro, received_us, one.target, reference)
        for one in sales.transfers
    ]
    return collect(world, payee.deal, reference, payments, at_us, payee.by)
