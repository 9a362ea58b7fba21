"""Lower: what was burned on chain, and what was never minted there, is the journal's again - in the order of the chain.

Only what is final counts: a reorganisation of the chain never reaches the journal. Units of an id are alike on chain,
so what comes back is the head of its vault; what lapses is its tail, to the accounts that lifted it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from penstock.errors import Corrupt, PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.lift import ReturnCause, TitlesReturned
from penstock.journal.segment import Column, Columns
from penstock.journal.vault import INTO, SPAN, unminted_rows
from penstock.journal.words import Right
from penstock.usecases.chain_desk import FINALITY_BLOCKS, ChainDesk
from penstock.usecases.claim import Claim, move_entry
from penstock.usecases.registry.lift import ON_CHAIN, UNCLAIMED, batches, minted_rows
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
BURNS: Final = {"Lowered": ReturnCause.LOWERED, "Retired": ReturnCause.RETIRED, "Claimed": ReturnCause.CLAIMED}


@dataclass(frozen=True, slots=True)
class Burn:
    """What a holder burned: the event's own words."""

    cause: ReturnCause
    number: int
    certificate: bytes
    quantity: int
    holder: bytes
    account: str = ""
    badge: int = -1
    beneficiary: str = ""
    purpose: str = ""


def returned(world: World, burn: Burn) -> list[Entry]:
    """Facts of one burn: what comes back, and the move of its titles.

    What is lowered to an account that is not here, is the chain's own, or does not want it, waits in
    ``chain/unclaimed``.

    Raises as `Vault.returning` and the books.
    """
    fact = TitlesReturned(
        burn.cause, burn.certificate, burn.quantity, burn.number, burn.holder, burn.account, burn.badge,
        burn.beneficiary, burn.purpose, -1, b"",
    )  # fmt: skip
    spans = world.books.vault.returning(fact)
    parts = world.books.titles[Right.ATTRIBUTE].parts(*(spans[name] for name in SPAN))
    target = np.full(len(parts["start"]), _receiver(world, burn), dtype=np.int32)
    return [Entry(fact), _move(burn.cause, parts, target, _words(burn))]


def _words(burn: Burn) -> Claim:
    """What the move says: whose burn it was, and for what."""
    purpose = burn.purpose or f"{burn.cause.value} on chain by 0x{burn.holder.hex()}"
    return Claim(burn.beneficiary, purpose, None, f"badge {burn.badge}" if burn.badge >= 0 else "")


def _receiver(world: World, burn: Burn) -> int:
    accounts = world.books.accounts
    if burn.cause is not ReturnCause.LOWERED:
        return accounts.id_of(ON_CHAIN)
    try:
        number = accounts.id_of(burn.account if burn.account != ON_CHAIN else UNCLAIMED)
        world.participants.check_receives(ON_CHAIN, burn.account)
    except PenstockError:
        return accounts.id_of(UNCLAIMED)
    return number


def lapsed(world: World, batch: int, minted: Column) -> list[Entry]:
    """Facts of a batch's rows that nobody minted in time, back to the accounts that lifted them.

    Raises:
        Refused: ``vault.lapse``; NotFound: ``vault.no_batch``; as the books.
    """
    lift = world.books.vault.lift_of(batch)
    left = ~minted
    units = (lift.spans["stop"] - lift.spans["start"])[left]
    fact = TitlesReturned(
        ReturnCause.LAPSED, lift.fact.certificate, int(units.sum()), -1, b"", "", -1, "", "not minted in time", batch,
        np.packbits(left).tobytes(),
    )  # fmt: skip
    unminted_rows(fact, len(left))
    spans = world.books.vault.returning(fact)
    cut = _cut_at(spans, np.cumsum(units))
    parts = world.books.titles[Right.ATTRIBUTE].parts(*(cut[name] for name in SPAN))
    target = lift.accounts[left][cut["piece"][parts["query"]]].astype(np.int32)
    purpose = Claim("", fact.purpose, None)
    return [Entry(fact), _move(fact.cause, parts, target, purpose)]


def _cut_at(spans: Columns, ends: Column) -> dict[str, Column]:
    """Spans laid end to end and cut where the pieces end: ``piece`` says which piece each part belongs to."""
    reach = np.cumsum(spans["stop"] - spans["start"])
    at = np.union1d(reach, ends)
    begin = np.r_[0, at[:-1]]
    row, piece = np.searchsorted(reach, begin, side="right"), np.searchsorted(ends, begin, side="right")
    start = spans["start"][row] + begin - np.r_[0, reach[:-1]][row]
    return {"register": spans["register"][row], "start": start, "stop": start + at - begin, "piece": piece}


def _move(cause: ReturnCause, parts: Columns, target: Column, words: Claim) -> Entry:
    """The move of returned titles, which the vault vouches for: what expired on chain comes back all the same."""
    (state,) = INTO[cause]
    return move_entry(Right.ATTRIBUTE, parts, state, words, target)


def burns_of(events: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Burn]:
    """Burns among a contract's events, by number; raises Corrupt ``lower.gap`` where one is missing or stands twice."""
    found = sorted((_burn(name, said) for name, said in events if name in BURNS), key=lambda burn: burn.number)
    if [burn.number for burn in found] != list(range(len(found))):
        raise Corrupt("lower.gap", "The chain's burns are not numbered one after the other.", burns=len(found))
    return found


def _burn(name: str, said: Mapping[str, Any]) -> Burn:
    return Burn(
        cause=BURNS[name],
        number=int(said["number"]),
        certificate=int(said["id"]).to_bytes(32),
        quantity=int(said["amount"]),
        holder=bytes.fromhex(str(said["holder"]).removeprefix("0x")),
        account=str(said.get("account", "")),
        badge=int(said.get("badge", -1)),
        beneficiary=str(said.get("beneficiary", said.get("subject", ""))),
        purpose=str(said.get("purpose", "")),
    )


def take_in(workspace: Workspace, desk: ChainDesk, at_us: int) -> list[Row]:
    """Record every final burn that is new, each once; as rows for the doors.

    Raises:
        Corrupt: ``lower.gap``, ``chain.deep_reorg``. As `ChainDesk.events`.
    """
    events = [(name, said) for name in BURNS for said in desk.events("Certificate", name)]
    due = workspace.read(lambda world: world.books.vault.next_number)
    done = []
    for burn in burns_of(events)[due:]:
        key = f"burn:{desk.identity.chain_id}:{burn.number}"
        workspace.submit(key, repr(burn).encode(), at_us, lambda world, burn=burn: returned(world, burn))  # type: ignore[misc]
        done.append(_told(burn))
    return done


def lapse_on(workspace: Workspace, desk: ChainDesk, at_us: int) -> list[Row]:
    """Take back what nobody minted, of every batch whose deadline the newest final block is past; each batch once."""
    final_s = desk.client.block(max(desk.client.head().number - FINALITY_BLOCKS, 0)).at_s
    done = []
    for row in batches(workspace):
        if row["lapsed"] or row["deadline_s"] > final_s:
            continue
        done += _lapse(workspace, desk, row["batch"], at_us)
    return done


def _lapse(workspace: Workspace, desk: ChainDesk, batch: int, at_us: int) -> list[Row]:
    fact, lifted_us = workspace.read(lambda world: world.books.vault.lift_of(batch).fact), _instant(workspace, batch)
    minted = minted_rows(desk, fact, lifted_us)
    if minted.all():
        return []
    workspace.submit(f"lapse:{batch}", minted.tobytes(), at_us, lambda world: lapsed(world, batch, minted))
    return [{"batch": batch, "certificate": fact.certificate.hex(), "rows": int((~minted).sum())}]


def _instant(workspace: Workspace, seq: int) -> int:
    (row,) = workspace.facts(seq, seq + 1)
    return row.recorded.at_us


def _told(burn: Burn) -> Row:
    return {
        "number": burn.number,
        "cause": burn.cause.value,
        "certificate": burn.certificate.hex(),
        "quantity_wh": burn.quantity,
        "holder": f"0x{burn.holder.hex()}",
        "account": burn.account,
        "badge": burn.badge,
        "beneficiary": burn.beneficiary,
        "purpose": burn.purpose,
    }
