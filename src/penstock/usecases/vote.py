"""Vote: holders consent to an amendment, a waiver or another payee; what passed is carried out and recorded.

A change is never looked up: who executes states it again, and the chain holds it against the hash that was voted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from penstock.capital.schedule_rows import code_hash, creation
from penstock.errors import NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.voting import ChangeProposed
from penstock.period import SECOND_US
from penstock.usecases.ballot import KINDS, ballot_contract
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.consent import (
    Amendment,
    Change,
    Replacement,
    Waiver,
    check,
    compiled,
    consent,
    lane_of,
    note_hash,
    payload_hash,
    test_number,
)
from penstock.usecases.originate import recompile
from penstock.usecases.workspace import Workspace

NOBODY: Final = bytes(20)
VALID_S: Final = 14 * 86_400
"""How long a change that passed may wait after its delay."""
OPEN: Final = ("open", "passed", "ready")


@dataclass(frozen=True, slots=True)
class Asked:
    """A change as the contracts know it: its kind, the hash that is voted on, and the arguments that carry it out."""

    kind: str
    payload: bytes
    carried: tuple[Any, ...]


def propose(
    workspace: Workspace, desk: ChainDesk, name: str, change: Change, note: str, at_us: int | None = None
) -> int:
    """Open a vote and return its number; the same again, while it is open, returns the first.

    Its fact bears the instant ``at_us``, or that of the chain's head.

    Raises:
        As `check` and `note_hash`. Refused: ``chain.act_refused``, as for who may not propose.
    """
    digest = note_hash(note)
    at_us = desk.client.head().at_s * SECOND_US if at_us is None else at_us
    workspace.read(lambda world: check(world, name, change))
    own, asked = ballot_contract(name), _asked(workspace, desk, name, change)
    for row in proposals(desk, name):
        if row["state"] in OPEN and (row["payload"], row["note"]) == (asked.payload.hex(), digest.hex()):
            number = int(row["proposal"])
            _keep(workspace, name, number, asked.kind, change, note, at_us)
            return number
    number = int(desk.view(own, "count")) + 1
    key = desk.try_again(f"propose:{name}:{number}")
    desk.act(key, own, "propose", KINDS.index(asked.kind), asked.payload, digest)
    _keep(workspace, name, number, asked.kind, change, note, at_us)
    return number


def _keep(workspace: Workspace, name: str, number: int, kind: str, change: Change, note: str, at_us: int) -> None:
    """Record a proposal in full: the chain has only its hash, and whoever carries it out states it to the chain."""
    text = change.text if isinstance(change, Amendment) else ""
    test, through = (change.test, change.through_period) if isinstance(change, Waiver) else ("", 0)
    payee, account = (change.payee, change.account) if isinstance(change, Replacement) else ("", b"")
    fact = ChangeProposed(name, number, kind, text, test, through, payee, account, note)
    workspace.submit(f"proposed:{name}:{number}", note.encode(), at_us, lambda _: [Entry(fact)])


def cast(workspace: Workspace, desk: ChainDesk, name: str, proposal: int, tranche: str, support: bool) -> None:
    """The desk's account votes with all its shares of a class; they stay put until the vote is over.

    Raises:
        NotFound: ``deal.no_tranche``. Refused: ``chain.act_refused``, in the contract's own words.
    """
    deal = workspace.read(lambda world: recompile(world.capital.deal(name).originated)[0])
    order = [one.name for one in deal.tranches]
    if tranche not in order:
        hint = "Name one of its tranches."
        raise NotFound("deal.no_tranche", f"The deal has no tranche {tranche}.", hint=hint, tranches=order)
    key = f"vote:{name}:{proposal}:{tranche}:{desk.address.hex()}"
    desk.act(desk.try_again(key), ballot_contract(name), "vote", proposal, order.index(tranche), support)


def carry_out(
    workspace: Workspace, desk: ChainDesk, name: str, proposal: int, change: Change, note: str, at_us: int
) -> None:
    """Execute what passed, unless somebody did, and record it; resumable.

    Raises:
        As `check`. Refused: ``vote.other_change`` where the proposal is about another change or note;
            ``chain.act_refused``, as before the delay is over.
    """
    key = f"voted:{name}:{proposal}"
    if workspace.store.receipt(key) is not None:
        return
    row = _row(desk, name, proposal)
    asked = _asked(workspace, desk, name, change)
    if (row["kind"], row["payload"], row["note"]) != (asked.kind, asked.payload.hex(), note_hash(note).hex()):
        hint = "State the change and the note as they were proposed; see `penstock deal vote list`."
        raise Refused("vote.other_change", "The vote was about another change.", hint=hint, proposal=proposal)
    if row["state"] != "done":
        workspace.read(lambda world: check(world, name, change))
        own = desk.try_again(f"execute:{name}:{proposal}")
        desk.act(own, ballot_contract(name), f"execute_{asked.kind}", proposal, *asked.carried)
    workspace.submit(key, b"", at_us, lambda world: consent(world, name, proposal, change, note))


def _asked(workspace: Workspace, desk: ChainDesk, name: str, change: Change) -> Asked:
    """A change in the contracts' terms; an amended schedule takes its place on chain first."""
    deal, program = workspace.read(lambda world: recompile(world.capital.deal(name).originated))
    match change:
        case Amendment(text):
            new = compiled(text)[1]
            own = f"schedule:{name}:{new.program_hash.hex()}"
            schedule = desk.deploy_data(own, creation(new.rows)) if new.rows else NOBODY
            code = code_hash(new.rows) if new.rows else bytes(32)
            words = (new.program_hash, schedule, code, new.deal_hash)
            return Asked("amendment", payload_hash(program, "amendment", *words), (new.code, schedule, new.deal_hash))
        case Waiver(test, through_period):
            waived = (test_number(deal, test), through_period)
            return Asked("waiver", payload_hash(program, "waiver", *waived), waived)
        case Replacement(payee, account):
            replaced = (lane_of(program, payee), account)
            return Asked("replacement", payload_hash(program, "replacement", *replaced), replaced)


def proposals(desk: ChainDesk, name: str) -> list[dict[str, Any]]:
    """Every vote of a deal, oldest first, and where it stands; shares for and against by class number."""
    own, now_s = ballot_contract(name), desk.client.head().at_s
    notes = [event["note_hash"] for event in desk.events(own, "Proposed")]
    return [_told(desk, own, number, note, now_s) for number, note in enumerate(notes, start=1)]


def _row(desk: ChainDesk, name: str, proposal: int) -> dict[str, Any]:
    rows = proposals(desk, name)
    if not 1 <= proposal <= len(rows):
        hint = "See `penstock deal vote list`."
        raise NotFound("vote.unknown", f"There is no vote {proposal}.", hint=hint, deal=name)
    return rows[proposal - 1]


def _told(desk: ChainDesk, own: str, number: int, note: Any, now_s: int) -> dict[str, Any]:
    kind, payload, ends_at_s, passed_at_s, reached, done = desk.view(own, "proposal", number)
    ready_at_s = passed_at_s + desk.view(own, "delay_s") if passed_at_s else 0
    classes = desk.view(own, "rule", kind)[0]
    concerned = [place for place in range(classes.bit_length()) if classes >> place & 1]
    tally = {place: desk.view(own, "votes", number, place) for place in concerned}
    return {
        "proposal": number,
        "kind": KINDS[kind],
        "state": _state(now_s, ends_at_s, ready_at_s, done),
        "ends_at_s": ends_at_s,
        "ready_at_s": ready_at_s,
        "payload": _hex(payload),
        "note": _hex(note),
        "classes": [
            {"class": place, "yes": yes, "no": no, "enough": bool(reached >> place & 1)}
            for place, (yes, no) in tally.items()
        ],
    }


def _state(now_s: int, ends_at_s: int, ready_at_s: int, done: bool) -> str:
    if done:
        return "done"
    if not ready_at_s:
        return "open" if now_s < ends_at_s else "failed"
    if now_s < ready_at_s:
        return "passed"
    return "ready" if now_s < ready_at_s + VALID_S else "expired"


def _hex(value: Any) -> str:
    return str(value).removeprefix("0x") if isinstance(value, str) else bytes(value).hex()
