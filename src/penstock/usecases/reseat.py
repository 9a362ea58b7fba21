"""Reseat: attesters change their own set on chain - signed by enough of them, announced, executed after its delay.

The journal follows the chain: who attests each deal of this anchor is told from the anchor's own events, however and
by whomever the change was carried out there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from penstock.chain.artefact import call_data, load_artefact
from penstock.chain.client import ChainClient, ChainIdentity, connect
from penstock.chain.provider import NodeProvider
from penstock.chain.typed_data import SetChange, message_digest, set_change_message
from penstock.chain.typed_data import anchor_domain as domain_of
from penstock.errors import Conflict, NotFound, Refused
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.chain import ChainAdopted
from penstock.journal.kinds.seating import AttesterUnseated
from penstock.journal.kinds.servicing import DealRole, RoleAppointed
from penstock.keys import ChainKey
from penstock.period import SECOND_US, iso
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.own_chain import open_chain
from penstock.usecases.seats import (
    ANCHOR,
    NOBODY,
    Seats,
    address_of,
    announced_changes,
    expulsions,
    read_seats,
    text_of,
    told,
)
from penstock.usecases.signed_change import SignedChange, agreed, change_row
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

SITS: Final = "It sits in the anchor's set."
EXPELLED: Final = "Expelled on chain: it signed two words for one as-of."


@dataclass(frozen=True, slots=True)
class Step:
    """One event that changed the set: who came, who went, and why in words."""

    added: bytes
    removed: bytes
    reason: str


def propose(
    workspace: Workspace, desk: ChainDesk, signed: Sequence[SignedChange], at_us: int, *, instead: bool = False
) -> SetChange:
    """Announce the change that enough attesters signed; the same again, while it is announced, changes nothing.

    One that is announced already gives way only where ``instead`` says so: its delay would be lost.

    Raises:
        As `agreed` and `Seats.check`. Conflict: ``reseat.pending``. Refused: ``chain.act_refused``.
    """
    anchor = desk.contract(ANCHOR).address
    seats = read_seats(desk.client, anchor)
    if seats.announced and signed and signed[0].change == pending_change(desk.client, seats):
        return signed[0].change
    change = agreed(signed, seats)
    seats.check(change, expulsions(desk.client, anchor))
    if seats.announced and not instead:
        hint = "Execute it first, or say --instead: it is dropped then, and a new delay begins."
        raise Conflict("reseat.pending", "Another change is announced.", hint=hint, due=_due(seats))
    follow_seats(workspace, desk, at_us)
    act_id = f"reseat:propose:{_digest(seats, change).hex()}:{desk.address.hex()}"
    desk.act(desk.try_again(act_id), ANCHOR, "propose", change.as_tuple(), [one.signature for one in signed])
    return change


def execute(workspace: Workspace, desk: ChainDesk, at_us: int) -> int:
    """Carry out the announced change, unless somebody did, and record who attests now; the number of facts told.

    Raises:
        Refused: ``reseat.nothing`` where none is announced and the journal knows all; ``reseat.too_early``;
            ``chain.act_refused``.
    """
    seats = read_seats(desk.client, desk.contract(ANCHOR).address)
    before = follow_seats(workspace, desk, at_us)
    if not seats.announced:
        if before:
            return before
        hint = "Announce one: penstock attest change propose"
        raise Refused("reseat.nothing", "No change of the attester set is announced.", hint=hint)
    change = pending_change(desk.client, seats)
    _check_due(desk, seats, change)
    act_id = f"reseat:execute:{_digest(seats, change).hex()}:{desk.address.hex()}"
    desk.act(desk.try_again(act_id), ANCHOR, "execute", change.as_tuple())
    return before + follow_seats(workspace, desk, at_us)


def pending_change(client: ChainClient, seats: Seats) -> SetChange:
    """The change announced last, as the chain's event tells it; ask only where one is announced."""
    return announced_changes(told(client, seats.anchor))[seats.nonce - 1]


def show(client: ChainClient, anchor: bytes) -> dict[str, Any]:
    """The set as a row for the doors: who attests, the quorum, the change announced and when it may be executed."""
    seats = read_seats(client, anchor)
    pending = None
    if seats.announced:
        pending = change_row(pending_change(client, seats)) | {"executable_from_s": seats.executable_from_s}
    return {
        "chain_id": seats.chain_id,
        "anchor": text_of(anchor),
        "attesters": [text_of(one) for one in seats.attesters],
        "quorum": seats.quorum,
        "operator": text_of(seats.operator),
        "epoch": seats.epoch,
        "nonce": seats.nonce,
        "pending": pending,
    }


def follow_seats(workspace: Workspace, desk: ChainDesk, at_us: int) -> int:
    """Record who attests each deal launched under this anchor, as its events tell it; how many facts that took.

    Once journal and chain agree, it records nothing. Whoever brings a deal may sit in the set and is no attester of
    that deal: the anchor refuses its votes on it.
    """
    anchor = desk.contract(ANCHOR).address
    first, steps = _history(desk.client, anchor)
    told_now = 0
    for deal, record in workspace.read(lambda world: dict(world.capital.deals)).items():
        if record.chain_id == desk.identity.chain_id and record.contracts:

            def lacking(world: World, deal: str = deal) -> list[Entry]:
                return [Entry(one) for one in _missing(world, deal, first, steps)]

            told_now += workspace.submit(f"seats:{deal}:{workspace.store.size()}", b"", at_us, lacking).facts
    return told_now


def _history(client: ChainClient, anchor: bytes) -> tuple[frozenset[bytes], list[Step]]:
    """The first set, which no event tells, and each change of it since: walked back from the set of today."""
    events = told(client, anchor)
    changes = announced_changes(events)
    steps = [step for name, said in events if (step := _step(name, said, changes)) is not None]
    first = set(read_seats(client, anchor).attesters)
    for step in reversed(steps):
        first = (first - {step.added}) | ({step.removed} - {NOBODY})
    return frozenset(first), steps


def _step(name: str, said: dict[str, Any], changes: dict[int, SetChange]) -> Step | None:
    if name == "Expelled":
        return Step(NOBODY, address_of(said["attester"]), EXPELLED)
    if name != "Executed":
        return None
    change = changes[int(said["nonce"])]
    reason = f"The attesters' change {change.nonce} was executed on chain."
    return Step(address_of(change.added), address_of(change.removed), reason)


def _missing(world: World, deal: str, first: frozenset[bytes], steps: Sequence[Step]) -> Iterator[FactBody]:
    """What the journal lacks: from the newest set that it agrees with, or from the first, step by step."""
    roles = world.capital.servicing.of(deal).roles
    sponsors = roles.get(DealRole.SPONSOR, ())
    by = next(iter((*sponsors, *roles.get(DealRole.TRUSTEE, ()))), "")
    held = {one for one in roles.get(DealRole.ATTESTER, ()) if one.startswith("0x")}
    sets = [{text_of(one) for one in each} - set(sponsors) for each in _sets(first, steps)]
    known = max((place for place, each in enumerate(sets) if each == held), default=-1)
    reasons = [SITS, *(step.reason for step in steps)]
    # What was appointed by hand and never sat so: straight to the set of today.
    places = [len(sets) - 1] if known < 0 and held else range(known + 1, len(sets))
    for place in places:
        yield from _moved(deal, held, sets[place], reasons[place], by)
        held = sets[place]


def _sets(first: frozenset[bytes], steps: Sequence[Step]) -> Iterator[frozenset[bytes]]:
    yield first
    for step in steps:
        first = frozenset((first - {step.removed}) | ({step.added} - {NOBODY}))
        yield first


def _moved(deal: str, held: set[str], wanted: set[str], reason: str, by: str) -> Iterator[FactBody]:
    """Who comes takes the seat of who goes, while there are such."""
    gone = sorted(held - wanted)
    for account in sorted(wanted - held):
        replaces = gone.pop(0) if gone else ""
        yield RoleAppointed(deal, DealRole.ATTESTER, account, replaces, reason, by)
    for account in gone:
        yield AttesterUnseated(deal, account, reason, by)


def _check_due(desk: ChainDesk, seats: Seats, change: SetChange) -> None:
    """That the chain would execute it in its next block, whose clock it is; an estimate runs there, a call does not."""
    data = call_data(load_artefact(ANCHOR), "execute", change.as_tuple())
    try:
        desk.client.estimate(desk.address, seats.anchor, data, 0)
    except Refused as refused:
        if "anchor.delay" not in refused.message:
            raise
        hint = f"From {_due(seats)} on, anybody may execute it."
        raise Refused("reseat.too_early", "The change was announced less than 48 hours ago.", hint=hint) from None


def _due(seats: Seats) -> str:
    return iso(seats.executable_from_s * SECOND_US)


def _digest(seats: Seats, change: SetChange) -> bytes:
    return message_digest(set_change_message(domain_of(seats.chain_id, text_of(seats.anchor)), change))


@contextmanager
def anchor_desk(workspace: Workspace, key: ChainKey) -> Iterator[ChainDesk]:
    """A desk at the workspace's own chain which knows its anchor.

    Raises:
        NotFound: ``chain.none_here``, ``chain.no_contract``. Conflict: ``chain.wrong_chain``.
    """
    with open_chain(workspace.path) as node:
        desk = ChainDesk(workspace, ChainClient(NodeProvider(node)), key)
        know_anchor(workspace, desk)
        yield desk


def know_anchor(workspace: Workspace, desk: ChainDesk) -> None:
    """Name the anchor that this workspace adopted to a desk; raises as `anchor_desk`."""
    facts = (row.recorded.fact for row in workspace.facts())
    adopted = next((one for one in facts if isinstance(one, ChainAdopted)), None)
    address = next((one.address for one in adopted.contracts if one.name == ANCHOR), None) if adopted else None
    if adopted is None or address is None:
        raise NotFound("chain.no_contract", "No anchor is deployed here.", hint="Run: penstock certificate chain found")
    connect(desk.client, ChainIdentity(adopted.chain_id, adopted.genesis))
    desk.know(ANCHOR, ANCHOR, address)
