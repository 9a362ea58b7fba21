"""Inspect: what stands in a workspace, as plain rows for the doors. Nothing here changes anything."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from penstock.energy.verdict import (
    MESSAGE_RULES,
    PACKETS_EXPLAINED,
    READING_RULES,
    READINGS_EXPLAINED,
    MessageVerdict,
    ReadingVerdict,
)
from penstock.errors import NotFound
from penstock.journal.kinds.capital import DealLaunched, PeriodClosed
from penstock.journal.kinds.chain import ChainAdopted, CheckpointAnchored
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.journal.segment import Columns
from penstock.journal.words import TECHNOLOGIES, TITLE_STATES, Right
from penstock.period import iso
from penstock.usecases.close import LIMITS
from penstock.usecases.fleet import segment_of
from penstock.usecases.originate import account_of, recompile
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]


def devices(workspace: Workspace) -> list[Row]:
    """Every device: what it is, its key, where its register stands [Wh], how many packets it sent."""
    return workspace.read(_devices)


def _devices(world: World) -> list[Row]:
    return [device_row(world, number) for number in range(len(world.energy))]


def device_row(world: World, number: int) -> Row:
    """One device, by number."""
    energy, registers = world.energy, world.books.registers
    register = int(energy.registers_of(number)[0])
    return {
        "device": energy.name(number),
        "site": energy.sites[energy.site[number]],
        "technology": TECHNOLOGIES[energy.technology[number]].value,
        "capacity_w": int(energy.capacity_w[number]),
        "public_key": energy.key(number).hex(),
        "register": registers.urn(register),
        "read_wh": int(registers.read[register]),
        "packets": int(energy.head_sequence[number]) + 1,
        "last_packet": energy.head_hash[number].tobytes().hex(),
    }


def metering(workspace: Workspace, prefix: str = "") -> Row:
    """Totals of the intake: verdicts on packets and on readings, Wh counted; of commands whose key has ``prefix``."""
    packets: Counter[str] = Counter()
    readings: Counter[str] = Counter()
    counted_wh = 0
    for row in (row for row in workspace.facts() if row.key.startswith(prefix)):
        match row.recorded.fact:
            case PacketsReceived() as received:
                packets.update({tally.name: tally.count for tally in received.verdicts})
            case ReadingsVerified() as verified:
                readings.update({tally.name: tally.count for tally in verified.verdicts})
                counted_wh += verified.counted_wh
    by_technology: Counter[str] = Counter()
    for device in devices(workspace):
        by_technology[device["technology"]] += device["read_wh"]
    found = {"packets": dict(packets), "readings": dict(readings), "counted_wh": counted_wh}
    return found | {"by_technology_wh": dict(by_technology)}


def refusals(workspace: Workspace) -> list[Row]:
    """Every refused packet and reading with its reason in plain words, in the order they came."""
    names = workspace.read(lambda world: [world.energy.name(number) for number in range(len(world.energy))])
    found: list[Row] = []
    received: Columns = {}
    for row in workspace.facts():
        if isinstance(row.recorded.fact, PacketsReceived):
            received = segment_of(workspace, row)
            found += [_refused_packet(received, int(at), names) for at in np.flatnonzero(received["verdict"])]
        elif isinstance(row.recorded.fact, ReadingsVerified):
            readings = segment_of(workspace, row)
            found += [
                _refused_reading(readings, received, int(at), names) for at in np.flatnonzero(readings["verdict"])
            ]
    return found


def _refused_packet(columns: Columns, at: int, names: list[str]) -> Row:
    verdict = MessageVerdict(int(columns["verdict"][at]))
    device = int(columns["device"][at])
    return {
        "at": iso(int(columns["received_us"][at])),
        "device": names[device] if device >= 0 else "unknown",
        "sequence": int(columns["sequence"][at]),
        "verdict": verdict.name.lower(),
        "outcome": MESSAGE_RULES[verdict].outcome.value,
        "why": PACKETS_EXPLAINED[verdict],
    }


def _refused_reading(columns: Columns, received: Columns, at: int, names: list[str]) -> Row:
    verdict = ReadingVerdict(int(columns["verdict"][at]))
    packet = int(columns["packet"][at])
    return {
        "at": iso(int(columns["at_us"][at])),
        "device": names[int(received["device"][packet])],
        "sequence": int(received["sequence"][packet]),
        "verdict": verdict.name.lower(),
        "outcome": READING_RULES[verdict].outcome.value,
        "why": READINGS_EXPLAINED[verdict],
        "position_wh": int(columns["position_wh"][at]),
    }


def certificates(workspace: Workspace, holder: str = "", limit: int = 50) -> list[Row]:
    """Certificates by register and position, of one holder or of all. Raises NotFound ``account.unknown``."""
    return workspace.read(lambda world: _certificates(world, holder, limit))


def _certificates(world: World, holder: str, limit: int) -> list[Row]:
    number = world.books.accounts.id_of(holder) if holder else None
    titles = world.books.titles[Right.ATTRIBUTE].page(number, n=limit)
    return [certificate_row(world, titles, row) for row in range(len(titles["start"]))]


def certificate_row(world: World, titles: Columns, row: int) -> Row:
    """One title to an attribute, row ``row`` of the book's columns."""
    return {
        "register": world.books.registers.urn(int(titles["register"][row])),
        "start": int(titles["start"][row]),
        "stop": int(titles["stop"][row]),
        "energy_wh": int(titles["stop"][row] - titles["start"][row]),
        "hour": iso(int(titles["interval_us"][row])),
        "holder": world.books.accounts.name(int(titles["holder"][row])),
        "state": TITLE_STATES[int(titles["state"][row])].value,
    }


def certificate_totals(workspace: Workspace) -> Row:
    """Wh issued as certificates, by state."""
    return workspace.read(_certificate_totals)


def _certificate_totals(world: World) -> Row:
    book = world.books.titles[Right.ATTRIBUTE]
    held = book.balances(len(world.books.accounts)).sum(axis=0)
    by_state = {state.value: int(energy_wh) for state, energy_wh in zip(TITLE_STATES, held, strict=True) if energy_wh}
    return {"titles": len(book), "issued_wh": int(held.sum()), "by_state_wh": by_state}


def deals(workspace: Workspace) -> list[Row]:
    """Every deal: state, closed periods, contracts, dollars collected."""
    return workspace.read(_deals)


def _deals(world: World) -> list[Row]:
    return [
        {
            "deal": name,
            "state": record.closed[-1].state if record.closed else "open",
            "periods": len(record.closed),
            "collected_usdc_micro": sum(one.inflow_usdc_micro for one in record.closed),
            "assets": list(record.originated.assets),
            "deal_hash": record.originated.deal_hash.hex(),
            "program_hash": record.originated.program_hash.hex(),
            "contracts": {one: address.hex() for one, address in record.contracts.items()},
        }
        for name, record in world.capital.deals.items()
    ]


def deal_periods(workspace: Workspace, deal: str) -> list[Row]:
    """The closed periods of a deal with every cash step. Raises NotFound ``deal.unknown``."""
    originated = workspace.read(lambda world: world.capital.deal(deal).originated)
    _, program = recompile(originated)
    names = workspace.read(lambda world: [world.books.accounts.name(i) for i in range(len(world.books.accounts))])
    found: list[Row] = []
    for row in workspace.facts():
        fact = row.recorded.fact
        if isinstance(fact, PeriodClosed) and fact.deal == deal:
            columns = segment_of(workspace, row)
            steps = [
                _step(columns, at, names, program.describe_step(int(columns["step"][at])))
                for at in range(fact.segment.rows)
            ]
            found.append(_period(workspace, deal, fact, steps))
    return found


def _period(workspace: Workspace, deal: str, fact: PeriodClosed, steps: list[Row]) -> Row:
    report = workspace.read(lambda world: world.capital.deal(deal).reports.get(fact.period))
    return {
        "period": fact.period,
        "stop": iso(fact.stop_us),
        "state": fact.state,
        "inflow_usdc_micro": fact.inflow_usdc_micro,
        "measures": list(report.measures) if report else [],
        "quorum": report.quorum if report else 0,
        "attesters": len(report.attesters) if report else 0,
        "steps": steps,
    }


def _step(columns: Columns, at: int, names: list[str], label: str) -> Row:
    return {
        "step": int(columns["step"][at]),
        "label": label,
        "source": names[int(columns["source"][at])],
        "target": names[int(columns["target"][at])],
        "due_usdc_micro": int(columns["due_usdc_micro"][at]),
        "paid_usdc_micro": int(columns["paid_usdc_micro"][at]),
        "limit": LIMITS[int(columns["limit"][at])],
    }


def balances(workspace: Workspace, deal: str) -> Row:
    """What each cash account of a deal holds [micro-dollars]."""

    def look(world: World) -> Row:
        accounts = recompile(world.capital.deal(deal).originated)[0].accounts
        ids = world.books.accounts
        return {one.name: world.books.ledger.balance(ids.id_of(account_of(deal, one.name))) for one in accounts}

    return workspace.read(look)


def chain(workspace: Workspace) -> Row:
    """The adopted chain, every known contract, the size of the last anchored checkpoint.

    Raises:
        NotFound: ``chain.none`` where the workspace has adopted no chain yet.
    """
    facts = [row.recorded.fact for row in workspace.facts()]
    adopted = next((fact for fact in facts if isinstance(fact, ChainAdopted)), None)
    if adopted is None:
        raise NotFound("chain.none", "This workspace has adopted no chain yet.", hint="Run: penstock demo")
    launched = [one for fact in facts if isinstance(fact, DealLaunched) for one in fact.contracts]
    anchored = [fact.size for fact in facts if isinstance(fact, CheckpointAnchored)]
    return {
        "chain_id": adopted.chain_id,
        "genesis": adopted.genesis.hex(),
        "anchored": max(anchored, default=0),
        "contracts": {one.name: "0x" + one.address.hex() for one in (*adopted.contracts, *launched)},
    }


def outbox(workspace: Workspace) -> list[Row]:
    """The operator's transactions in the order planned."""
    return [
        {"id": row.id, "nonce": row.nonce, "state": row.state, "tx": (row.tx_hash or b"").hex(), "note": row.note}
        for row in workspace.store.outbox.rows()
    ]
