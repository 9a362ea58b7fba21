"""Lift: certificates leave for the chain, where whoever is named mints them against an anchored proof.

While they are there the chain says who holds them. What nobody minted by the deadline comes back (`lower`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from penstock.energy.certificate_id import Properties
from penstock.errors import NotFound, Refused, Unavailable
from penstock.journal.fact import Entry
from penstock.journal.formats import LIFTS
from penstock.journal.kinds.capital import Deployed
from penstock.journal.kinds.chain import ChainAdopted
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.kinds.lift import ContractsDeployed, TitlesLifted
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.vault import Lift
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import SECOND_US
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.claim import Claim, move_entry
from penstock.usecases.registry.properties import properties
from penstock.usecases.registry.selection import Selection, select
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

ON_CHAIN: Final = "chain/certificates"
"""The account that holds what is on chain: who does, the chain says."""
UNCLAIMED: Final = "chain/unclaimed"
"""The account of what was lowered to nobody who is known here."""
CONTRACTS: Final = ("Badge", "Certificate", "Kwh")
DAY_S: Final = 86_400
WORD_ROWS: Final = 256
WORDS_MAX: Final = 1_024
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lifting:
    """Who asks to lift, to which address [20 bytes], and until when it may be minted [s]."""

    account: str
    holder: bytes
    deadline_s: int
    by: str = ""


def lift(world: World, parts: Columns, asked: Lifting, at_us: int) -> list[Entry]:
    """Facts that lift titles (rows of `TitleBook.parts`, all held): a batch for each certificate id, and its move.

    Raises:
        Refused: ``lift.deadline`` unless that is later than now; ``lift.word``; as the books and the vault.
        NotFound: ``account.unknown`` before `found_certificates`.
    """
    if asked.deadline_s * SECOND_US <= at_us:
        raise Refused("lift.deadline", "What is lifted needs time to be minted.", hint="Name a later deadline.")
    _check_standing(world, parts, at_us)
    chain = world.books.accounts.id_of(ON_CHAIN)
    kinds, slot = properties(world, parts)
    entries = []
    for number, kind in enumerate(kinds):
        rows = {name: column[slot == number] for name, column in parts.items()}
        entries += _batch(world, kind, rows, asked, chain, at_us)
    return entries


def _batch(world: World, kind: Properties, rows: Columns, asked: Lifting, chain: int, at_us: int) -> list[Entry]:
    holder = np.empty(len(rows["start"]), dtype=object)
    holder[:] = asked.holder
    segment = Segment(LIFTS, {**{name: rows[name] for name in ("register", "start", "stop")}, "holder": holder})
    quantity = int(np.sum(rows["stop"] - rows["start"]))
    fact = TitlesLifted(kind.certificate(), asked.deadline_s, quantity, segment.ref())
    world.books.vault.check_lift(fact, segment.columns, at_us)
    target = np.full(len(holder), chain, dtype=np.int32)
    purpose = Claim("", f"lifted to 0x{asked.holder.hex()}", None, "", asked.by)
    return [Entry(fact, segment), move_entry(Right.ATTRIBUTE, rows, TitleState.LIFTED, purpose, target)]


def _check_standing(world: World, parts: Columns, at_us: int) -> None:
    if (parts["state"] != TITLE_STATES.index(TitleState.HELD)).any():
        raise Refused("titles.not_active", "A certificate that is lifted is held.")
    if world.books.expired(parts["lot"], parts["interval_us"], at_us).any():
        raise Refused("titles.expired", "This certificate has expired.", hint="Lift what is still valid.")


def lift_on(workspace: Workspace, asked: Lifting, selection: Selection, at_us: int, key: str) -> list[Row]:
    """Lift what an account selects, recorded once under ``key``; the batches, still to be opened on chain.

    Raises as `select`, `lift` and the participants' rules.
    """

    def decide(world: World) -> list[Entry]:
        world.participants.check_may(asked.by, asked.account, "lift")
        return lift(world, select(world, asked.account, selection, at_us=at_us), asked, at_us)

    receipt = workspace.submit(key, (repr(asked) + repr(selection)).encode(), at_us, decide)
    last = receipt.first_seq + receipt.facts
    return [row for row in batches(workspace) if receipt.first_seq <= row["batch"] < last]


def batches(workspace: Workspace) -> list[Row]:
    """Every batch that was lifted, as rows for the doors."""
    return workspace.read(lambda world: [_told(world, lift) for lift in world.books.vault.lifts.values()])


def _told(world: World, lift: Lift) -> Row:
    fact = lift.fact
    return {
        "batch": lift.seq,
        "certificate": fact.certificate.hex(),
        "quantity_wh": fact.quantity,
        "rows": fact.segment.rows,
        "deadline_s": fact.deadline_s,
        "lapsed": lift.lapsed,
        "on_chain_wh": world.books.vault.wh(fact.certificate),
    }


# What follows reaches the chain.


def found_certificates(workspace: Workspace, desk: ChainDesk, base_uri: str, at_us: int) -> None:
    """Deploy ``Certificate``, ``Badge`` and ``Kwh`` beside what stands, once, and open the vault's accounts; resumable.

    Raises:
        NotFound: ``chain.none_here`` before a chain was adopted.
    """
    facts = [row.recorded.fact for row in workspace.facts()]
    adopted = [fact for fact in facts if isinstance(fact, ChainAdopted)]
    if not adopted:
        hint = "Run: penstock certificate chain found"
        raise NotFound("chain.none_here", "This workspace knows no chain yet.", hint=hint)
    open_vault(workspace, at_us)
    known = [one for fact in facts if isinstance(fact, ContractsDeployed) for one in fact.contracts]
    if known:
        for one in known:
            desk.know(one.name, one.name, one.address)
        return
    _deploy(desk, base_uri)
    deployed = tuple(Deployed(name, desk.contract(name).address) for name in CONTRACTS)
    fact = ContractsDeployed(desk.identity.chain_id, deployed)
    workspace.submit("certificates", b"", at_us, lambda _: [Entry(fact)])


def open_vault(workspace: Workspace, at_us: int) -> None:
    """Open the accounts of what is on chain, and of what is lowered to nobody; once."""
    accounts = (ON_CHAIN, UNCLAIMED)
    workspace.submit("vault", b"", at_us, lambda _: [Entry(AccountOpened(name)) for name in accounts])


def _deploy(desk: ChainDesk, base_uri: str) -> None:
    """Badge names its minter once; Kwh takes any zone, gateway-signed or better."""
    operator = desk.address
    badge = desk.deploy("Badge", "Badge", operator, f"{base_uri}/badges/").address
    anchor = desk.contract("Anchor").address
    certificate = desk.deploy("Certificate", "Certificate", anchor, badge, operator, f"{base_uri}/ids/{{id}}").address
    desk.act("minter:Badge", "Badge", "set_minter", certificate)
    desk.deploy("Kwh", "Kwh", certificate, bytes(32), 1, 0)


def open_batch(workspace: Workspace, desk: ChainDesk, batch: int) -> None:
    """Show the chain a batch's fact under an anchored checkpoint; once, whoever did it.

    Raises:
        NotFound: ``vault.no_batch``. Unavailable: ``lift.not_anchored``. Refused: ``chain.act_refused``.
    """
    fact, at_us = _fact_of(workspace, batch)
    words = batch_words(fact, at_us)
    if desk.view("Certificate", "lifted", words)[0]:
        return
    size: int = desk.view("Anchor", "latest")[0]
    if size <= batch:
        hint = "Sign and anchor a checkpoint, then open it again."
        raise Unavailable("lift.not_anchored", f"Fact {batch} is not anchored yet.", hint=hint, batch=batch)
    proof = workspace.tree().inclusion_proof(batch, size)
    desk.act(f"open:{batch}", "Certificate", "open", words, batch, size, list(proof))


def mint(workspace: Workspace, desk: ChainDesk, batch: int) -> int:
    """Bring every row of an open batch to its holder that is not there yet; how many were minted.

    Raises as `open_batch`.
    """
    fact, at_us = _fact_of(workspace, batch)
    words, rows = batch_words(fact, at_us), _rows(workspace, batch)
    left = np.flatnonzero(~minted_rows(desk, fact, at_us)).tolist()
    for index in left:
        desk.plan(f"lift:{batch}:{index}", "Certificate", "lift", words, index, *row_words(rows, index))
    desk.settle()
    return len(left)


def proofs(workspace: Workspace, batch: int) -> Iterator[Row]:
    """For each row of a batch, what its holder sends to ``Certificate.lift``, as plain values."""
    fact, at_us = _fact_of(workspace, batch)
    words, rows = batch_words(fact, at_us), _rows(workspace, batch)
    for index in range(len(rows)):
        row, proof = row_words(rows, index)
        yield {"batch": list(words), "index": index, "row": list(row), "proof": list(proof)}


def minted_rows(desk: ChainDesk, fact: TitlesLifted, at_us: int) -> Column:
    """Which rows of a batch are minted, by what the chain says now."""
    words = -(-fact.segment.rows // WORD_ROWS)
    flags: list[int] = []
    for first in range(0, words, WORDS_MAX):
        count = min(WORDS_MAX, words - first)
        flags += desk.view("Certificate", "lifted_rows", batch_words(fact, at_us), first, count)
    raw = b"".join(flag.to_bytes(WORD_ROWS // 8, "little") for flag in flags)
    bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8), bitorder="little")
    return bits[: fact.segment.rows].astype(bool)


def batch_words(fact: TitlesLifted, at_us: int) -> tuple[int, int, int, int, bytes, int]:
    """A batch as the contract takes it: instant, id, deadline, quantity, root, rows."""
    ref = fact.segment
    return at_us, int.from_bytes(fact.certificate), fact.deadline_s, fact.quantity, ref.root, ref.rows


def row_words(rows: SealedRows, index: int) -> tuple[tuple[int, int, int, bytes], list[bytes]]:
    """A row as the contract takes it - register, start, stop, holder - and its path to the root."""
    values = [int(rows.columns[name][index]) for name in ("register", "start", "stop")]
    return (values[0], values[1], values[2], bytes(rows.columns["holder"][index])), list(rows.prove(index).proof)


def _fact_of(workspace: Workspace, batch: int) -> tuple[TitlesLifted, int]:
    workspace.read(lambda world: world.books.vault.lift_of(batch))
    (row,) = workspace.facts(batch, batch + 1)
    fact = row.recorded.fact
    if not isinstance(fact, TitlesLifted):
        raise NotFound("vault.no_batch", "No such batch was lifted here.", batch=batch)
    return fact, row.recorded.at_us


def _rows(workspace: Workspace, batch: int) -> SealedRows:
    (row,) = workspace.facts(batch, batch + 1)
    rows = workspace.sealed(row)
    if rows is None:
        raise NotFound("vault.no_batch", "No such batch was lifted here.", batch=batch)
    return rows
