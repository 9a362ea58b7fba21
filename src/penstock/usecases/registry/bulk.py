"""Bulk: acts on any number of certificates from a CSV or Parquet file, one act a file.

A row names a certificate or a part of one: register, start, stop; a transfer also its target; a split the position.
Either all rows are done or none, by one command (``whole``); or each row that can be is, in chunks so that others'
commands pass between, and every other row is answered with its reason.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from penstock.errors import Invalid, NotFound, PenstockError, Refused
from penstock.journal.segment import Column, Columns
from penstock.journal.titles import Verdict
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import Period
from penstock.usecases.claim import Claim
from penstock.usecases.registry.chunks import Bulk, move_in_chunks
from penstock.usecases.registry.desk import done
from penstock.usecases.registry.reserve import RELEASE
from penstock.usecases.registry.retire import check_text
from penstock.usecases.registry.selection import quantity_of
from penstock.usecases.registry.split import cut
from penstock.usecases.registry.transfer import PURPOSE
from penstock.usecases.registry.withdraw import withdraw_spans
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
REFUSALS_MAX: Final = 1_000
"""No more refused rows are listed; the counts are of all."""
FINE: Final = ""


class Act(StrEnum):
    """What is done with every row of a file."""

    TRANSFER = "transfer"
    RESERVE = "reserve"
    RELEASE = "release"
    RETIRE = "retire"
    SPLIT = "split"
    WITHDRAW = "withdraw"


_STATE: Final = {
    Act.TRANSFER: TitleState.HELD,
    Act.RESERVE: TitleState.RESERVED,
    Act.RELEASE: TitleState.HELD,
    Act.RETIRE: TitleState.RETIRED,
}
_FROM: Final = {
    Act.TRANSFER: (TitleState.HELD, TitleState.RESERVED),
    Act.RESERVE: (TitleState.HELD,),
    Act.RELEASE: (TitleState.RESERVED,),
    Act.RETIRE: (TitleState.HELD, TitleState.RESERVED),
}
"""What each act may be about, as one by one: what was exported comes back by import alone."""
_COLUMNS: Final = {Act.TRANSFER: ("register", "start", "stop", "target"), Act.SPLIT: ("register", "position")}
_TYPES: Final = {
    "register": pa.string(),
    "target": pa.string(),
    "start": pa.int64(),
    "stop": pa.int64(),
    "position": pa.int64(),
}


@dataclass(frozen=True, slots=True)
class BulkAct:
    """An act of ``account`` on every row of a file; a split and a withdrawal are always ``whole``."""

    act: Act
    account: str
    whole: bool = False
    beneficiary: str = ""
    reason: str = ""
    statement: str = ""
    until_us: int = 0
    by: str = ""


def bulk_on(workspace: Workspace, key: str, file: Path, asked: BulkAct, at_us: int) -> Row:
    """Do what a file asks, under a key; the same key and file again go on where they were interrupted.

    Returns:
        How many rows there were, how many are done, the Wh, the refused rows by reason, and the first of them.

    Raises:
        NotFound: ``file.missing``. Invalid: ``bulk.file``, ``bulk.terms``, ``retire.text``. Refused: ``bulk.row`` where
        all or nothing is asked for and a row cannot be done; as `move_in_chunks`, `check_may`, `cut`, `withdraw_spans`.
    """
    _check(asked, at_us)
    table = read_table(file, _COLUMNS.get(asked.act, ("register", "start", "stop")))
    if asked.act in (Act.SPLIT, Act.WITHDRAW):
        return _at_once(workspace, key, table, asked, at_us)
    workspace.read(lambda world: _check_role(world, asked, 0))
    moves, reasons = workspace.read(lambda world: _moves(world, table, asked, at_us))
    fine = np.flatnonzero(reasons == FINE)
    if asked.whole and len(fine) < len(reasons):
        row = int(np.argmax(reasons != FINE))
        raise Refused("bulk.row", f"Row {row}: {reasons[row]}.", hint="Nothing was done.", row=row)
    part = {name: column[fine] for name, column in moves.items()}
    period = Period(at_us, asked.until_us) if asked.until_us else None
    told = Claim(asked.beneficiary, _purpose(asked), period, asked.statement, asked.by)
    check = _check_in_turn(asked, quantity_of(part), at_us)
    bulk = Bulk(part, _STATE[asked.act], told, whole=asked.whole, check=check)
    outcome = move_in_chunks(workspace, key, bulk, at_us)
    words = np.array([Verdict(code).name.lower() if code else "not_done" for code in outcome.verdicts.tolist()], object)
    reasons[fine] = np.where(outcome.done, FINE, words)
    return _told(reasons, quantity_of({name: column[outcome.done] for name, column in part.items()}))


def read_table(file: Path, names: Sequence[str]) -> pa.Table:
    """Columns of a CSV or Parquet file, by its name; raises NotFound ``file.missing``, Invalid ``bulk.file``."""
    if not file.is_file():
        raise NotFound("file.missing", f"There is no file {file.name}.", file=file.name)
    types = {name: _TYPES[name] for name in names}
    try:
        if file.suffix == ".parquet":
            table = pa.parquet.read_table(file, columns=list(names)).select(list(names)).cast(pa.schema(types))
        else:
            options = pa.csv.ConvertOptions(column_types=types, include_columns=list(names))
            table = pa.csv.read_csv(file, convert_options=options)
        table.validate(full=True)
    except (pa.ArrowException, OSError, KeyError) as error:
        said = str(error).partition("\n")[0][:200]
        hint = f"It needs the columns {', '.join(names)}."
        raise Invalid("bulk.file", f"{file.name} cannot be read: {said}", hint=hint, file=file.name) from None
    if any(column.null_count for column in table.columns):
        raise Invalid("bulk.file", f"{file.name} has an empty cell.", file=file.name)
    return table


def _check(asked: BulkAct, at_us: int) -> None:
    check_text(asked.beneficiary, asked.reason, asked.statement)
    if asked.act in (Act.RETIRE, Act.WITHDRAW) and not asked.reason.strip():
        raise Invalid("bulk.terms", "This act says what for.", hint="Give a reason.")
    if asked.act is Act.RESERVE and not asked.beneficiary.strip():
        raise Invalid("bulk.terms", "A reservation says for whom.", hint="Give a beneficiary.")
    if asked.until_us and not (asked.act is Act.RESERVE and at_us < asked.until_us < 2**63):
        raise Invalid("bulk.terms", "Only a reservation has an end, and that is later than its beginning.")


def _purpose(asked: BulkAct) -> str:
    return asked.reason or {Act.TRANSFER: PURPOSE, Act.RELEASE: RELEASE}.get(asked.act, "reservation")


def _moves(world: World, table: pa.Table, asked: BulkAct, at_us: int) -> tuple[dict[str, Column], Column]:
    """The rows as moves, and why each cannot be one: columns of move/1 without state, and reasons."""
    account = world.books.accounts.id_of(asked.account)
    count = table.num_rows
    reasons = np.full(count, FINE, dtype=object)
    register = _numbers(table, "register", world.books.registers.id_of)
    target = np.full(count, account, dtype=np.int32)
    if asked.act is Act.TRANSFER:
        target = _numbers(table, "target", world.books.accounts.id_of)
        for number in np.unique(target).tolist():
            reasons[target == number] = _receives(world, asked.account, number)
    moves = {
        "register": register,
        "start": table["start"].to_numpy(),
        "stop": table["stop"].to_numpy(),
        "source": np.full(count, account, dtype=np.int32),
        "target": target,
    }
    reasons[_reserved(world, moves, asked, at_us)] = "reserved_for_another"
    reasons[_unfit(world, moves, asked.act)] = "not_active"
    reasons[(moves["start"] < 0) | (moves["stop"] <= moves["start"])] = "malformed"
    reasons[register < 0] = "unknown_register"
    return moves, reasons


def _numbers(table: pa.Table, name: str, id_of: Callable[[str], int]) -> Column:
    """The numbers of names, each looked up once; -1 where there is none."""
    coded = table[name].combine_chunks().dictionary_encode()
    numbers = np.array([_number(one, id_of) for one in coded.dictionary.to_pylist()], dtype=np.int32)
    picked: Column = numbers[coded.indices.to_numpy()]
    return picked


def _number(name: str, id_of: Callable[[str], int]) -> int:
    try:
        return id_of(name)
    except NotFound:
        return -1


def _receives(world: World, source: str, target: int) -> str:
    if target < 0:
        return "unknown_account"
    name = world.books.accounts.name(target)
    if name == source:
        return "same_account"
    try:
        world.participants.check_receives(source, name)
    except PenstockError:
        return "unwilling_receiver"
    return FINE


def _reserved(world: World, moves: Columns, asked: BulkAct, at_us: int) -> Column:
    """Rows with units that are kept for somebody else."""
    barred = np.zeros(len(moves["start"]), dtype=bool)
    if len(world.reservations):
        barred[world.reservations.barred(moves, asked.beneficiary, at_us)] = True
    return barred


def _unfit(world: World, moves: Columns, act: Act) -> Column:
    """Rows with units in a state that the act is not for."""
    parts = world.books.titles[Right.ATTRIBUTE].parts(*(moves[name] for name in ("register", "start", "stop")))
    unfit = np.zeros(len(moves["start"]), dtype=bool)
    unfit[parts["query"][~np.isin(parts["state"], [TITLE_STATES.index(one) for one in _FROM[act]])]] = True
    return unfit


def _check_role(world: World, asked: BulkAct, energy_wh: int) -> None:
    who = asked.beneficiary if asked.act is Act.RELEASE and asked.beneficiary else asked.account
    world.participants.check_may(asked.by, who, asked.act.value, energy_wh)


def _check_in_turn(asked: BulkAct, energy_wh: int, at_us: int) -> Callable[[World, Columns], None]:
    def check(world: World, part: Columns) -> None:
        _check_role(world, asked, energy_wh)
        world.reservations.check(part, _STATE[asked.act], asked.beneficiary, at_us)
        if _unfit(world, part, asked.act).any():
            raise Refused("titles.not_active", "A certificate in this state cannot be used so.")
        if asked.act is Act.TRANSFER:
            for number in np.unique(part["target"]).tolist():
                world.participants.check_receives(asked.account, world.books.accounts.name(number))

    return check


def _at_once(workspace: Workspace, key: str, table: pa.Table, asked: BulkAct, at_us: int) -> Row:
    """A split or a withdrawal: one command."""

    def decide(world: World) -> Any:
        register = np.array(_numbers(table, "register", world.books.registers.id_of))
        if (register < 0).any():
            raise Refused(
                "bulk.row", f"Row {int(np.argmax(register < 0))}: unknown_register.", hint="Nothing was done."
            )
        if asked.act is Act.SPLIT:
            return [cut(world, asked.account, register, table["position"].to_numpy(), at_us, asked.by)]
        spans = {"register": register, "start": table["start"].to_numpy(), "stop": table["stop"].to_numpy()}
        return withdraw_spans(world, spans, asked.reason, asked.statement, asked.by)

    digest = hashlib.sha256(repr(asked).encode())
    for column in table.columns:
        digest.update(repr(column.to_pylist()).encode())
    found = done(workspace, key, digest.digest(), at_us, decide)
    told = _told(np.full(table.num_rows, FINE, dtype=object), found.acts[0].get("quantity_wh", 0))
    return told | {"acts": list(found.acts)}


def _told(reasons: Column, quantity_wh: int) -> Row:
    refused = np.flatnonzero(reasons != FINE)
    return {
        "rows": len(reasons),
        "done": len(reasons) - len(refused),
        "quantity_wh": quantity_wh,
        "refused": dict(Counter(reasons[refused].tolist())),
        "refusals": [{"row": row, "reason": reasons[row]} for row in refused[:REFUSALS_MAX].tolist()],
    }
