"""What a close moved, as rows: each step and what bound it, sources and uses, accounts, tranches, fees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from penstock.capital.deal import Tranche
from penstock.capital.decode import Step, decode
from penstock.capital.exact import StepRecord
from penstock.usecases.close import CASH_OPS
from penstock.usecases.investor_report.again import Again

Row = dict[str, Any]
_PAID: Final = ".paid"


def step_rows(again: Again) -> list[Row]:
    """Every step of the waterfall that moves cash, in order, those that moved nothing included."""
    steps = {step.number: step for step in decode(again.program.code).steps}
    return [
        _row(again, record, steps[record.step], item)
        for record, item in _items(again.closing.steps, steps)
        if record.op in CASH_OPS and record.payee and _moves_cash(again, record)
    ]


def _items(records: Sequence[StepRecord], steps: dict[int, Step]) -> Iterator[tuple[StepRecord, int]]:
    """Each record with the item of its step that it is of."""
    step, seen = -1, 0
    for record in records:
        seen = seen + 1 if record.step == step else 0
        step = record.step
        own = steps[step]
        yield record, own.items - 1 - seen if record.op == "PAY" and own.own else seen


def _moves_cash(again: Again, record: StepRecord) -> bool:
    names = {again.program.lane_name(record.source), again.program.lane_name(record.payee)}
    return names <= {one.name for one in again.deal.accounts} | {payee + _PAID for payee in again.deal.payees}


def _row(again: Again, record: StepRecord, step: Step, item: int) -> Row:
    source, target = again.program.lane_name(record.source), again.program.lane_name(record.payee)
    what, parts = _claim(again, record, step, item), _parts(again, step, item)
    owed = what == "reserve" or bool(parts & {"interest", "principal", "owed"})  # a sweep takes what there is
    return {
        "step": record.step,
        "line": again.program.describe_step(record.step),
        "what": what,
        "source": source,
        "target": target.removesuffix(_PAID),
        "to_account": not target.endswith(_PAID),
        "available_usdc_micro": record.available,
        "due_usdc_micro": record.due,
        "paid_usdc_micro": record.paid,
        "limit": record.binding,
        "short_usdc_micro": record.due - record.paid if owed and record.binding in ("cash", "share") else 0,
    }


def _claim(again: Again, record: StepRecord, step: Step, item: int) -> str:
    """What a payment settles: interest, principal, fee, drawn; or reserve, release, held, rest."""
    target = again.program.lane_name(record.payee)
    if not target.endswith(_PAID):
        return {"FUND": "reserve", "DRAIN": "release"}.get(record.op, "held")
    parts = _parts(again, step, item)
    for part, what in (
        ("undrawn", "drawn"), ("balance", "principal"), ("principal", "principal"), ("interest", "interest"),
        ("owed", "fee"),
    ):  # fmt: skip
        if part in parts:
            return what
    return "rest" if record.binding == "cash" and record.due == record.available else "payment"


def _parts(again: Again, step: Step, item: int) -> set[str]:
    """Which of a payee's lanes a payment wears down: balance, interest, principal, owed."""
    return {again.program.lane_name(lane).rpartition(".")[2] for lane in _limits(step, item) if lane}


def _limits(step: Step, item: int) -> tuple[int, ...]:
    """The registers that a payment wears down."""
    if step.op == "SPLIT":
        return (step.e + item, step.g + item if step.g else 0) if step.own else ()
    return tuple(first + item * step.stride(bit) if first else 0 for first, bit in ((step.b, 5), (step.e, 4)))


def total(rows: Sequence[Row], **asked: object) -> int:
    """Micro-dollars paid by the rows that are as asked."""
    return sum(row["paid_usdc_micro"] for row in rows if all(row[name] == value for name, value in asked.items()))


def account_rows(again: Again, rows: Sequence[Row]) -> list[Row]:
    """Each account from its opening to its closing balance, with its target where a step named one."""
    return [_account(again, rows, one.name, first=place == 0) for place, one in enumerate(again.deal.accounts)]


def _account(again: Again, rows: Sequence[Row], name: str, first: bool) -> Row:
    return {
        "account": name,
        "opening_usdc_micro": again.lane(name, after=False),
        "collected_usdc_micro": again.closing.inflow if first else 0,
        "in_usdc_micro": total(rows, target=name, to_account=True),
        "out_usdc_micro": total(rows, source=name),
        "closing_usdc_micro": again.lane(name),
        "target_usdc_micro": _target(again, name),
    }


def _target(again: Again, name: str) -> int | None:
    """What an account is to hold: as its own steps saw it, else as the deal says; None where nothing was asked."""
    lane = again.program.lanes[name]
    target = next(one for one in again.deal.accounts if one.name == name).target
    for record in again.closing.steps:
        if record.op == "DRAIN" and record.source == lane and record.due:
            return record.available - record.due
        if record.op == "FUND" and record.payee == lane and record.due:
            return record.due + _held_before(again, record, lane)
    return target.value if target is not None and target.kind == "money" else None


def _held_before(again: Again, asked: StepRecord, lane: int) -> int:
    """What an account held when a step asked what it lacks."""
    held = again.before.lane(lane)
    for record in again.closing.steps:
        if record is asked:
            return held
        if record.op in CASH_OPS:
            held += record.paid * ((record.payee == lane) - (record.source == lane))
    return held


def tranche_rows(again: Again, rows: Sequence[Row]) -> list[Row]:
    """Each tranche: balance from opening to closing, interest, arrears, what it was paid."""
    written = _written(again)
    return [_tranche(again, rows, one, written.get(one.name, 0)) for one in again.deal.tranches]


def _written(again: Again) -> dict[str, int]:
    """What each tranche's balance lost in write-offs, less what came back [micro-dollars]."""
    steps = {step.number: step for step in decode(again.program.code).steps}
    found: dict[str, int] = {}
    for record, item in _items(again.closing.steps, steps):
        if record.op != "PAY" or _moves_cash(again, record):
            continue
        into = again.program.lane_name(record.payee) if record.payee else ""
        for lane in _limits(steps[record.step], item):
            name, _, part = again.program.lane_name(lane).rpartition(".")
            if part == "balance":
                found[name] = found.get(name, 0) + record.paid
            elif part == "written" and into == f"{name}.balance":
                found[name] = found.get(name, 0) - record.paid
    return found


def _tranche(again: Again, rows: Sequence[Row], tranche: Tranche, written: int) -> Row:
    """Balance and interest are lanes; what neither payments nor draws explain of a balance was capitalised."""
    name, face = tranche.name, tranche.face_usdc_micro
    principal = total(rows, target=name, what="principal")
    interest = total(rows, target=name, what="interest")
    opening, closing = again.lane(f"{name}.balance", after=False), again.lane(f"{name}.balance")
    drawn = again.lane(f"{name}.undrawn", after=False) - again.lane(f"{name}.undrawn")
    grown = closing - opening + principal + written - drawn
    owed_before, owed = again.lane(f"{name}.interest", after=False), again.lane(f"{name}.interest")
    return {
        "tranche": name,
        "residual": tranche.residual,
        "face_usdc_micro": face,
        "opening_usdc_micro": opening,
        "drawn_usdc_micro": drawn,
        "capitalised_usdc_micro": grown,
        "principal_paid_usdc_micro": principal,
        "written_off_usdc_micro": written,
        "closing_usdc_micro": closing,
        "interest_accrued_usdc_micro": owed - owed_before + interest + grown,
        "interest_paid_usdc_micro": interest,
        "interest_arrears_usdc_micro": owed,
        "principal_arrears_usdc_micro": again.lane(f"{name}.principal"),
        "paid_usdc_micro": total(rows, target=name, to_account=False),
        "paid_ever_usdc_micro": again.lane(f"{name}.paid"),
    }


def fee_rows(again: Again, rows: Sequence[Row]) -> list[Row]:
    """Each fee and hedge: owed before, fallen due, paid, owed now."""
    notes = {one.name for one in again.deal.tranches}
    return [_fee(again, rows, name) for name in again.deal.payees if name not in notes]


def _fee(again: Again, rows: Sequence[Row], name: str) -> Row:
    paid = total(rows, target=name, to_account=False)
    before, after = again.lane(f"{name}.owed", after=False), again.lane(f"{name}.owed")
    settled = total(rows, target=name, what="fee")
    return {
        "payee": name,
        "owed_before_usdc_micro": before,
        "due_usdc_micro": after - before + settled,
        "paid_usdc_micro": paid,
        "arrears_usdc_micro": after,
    }


def sources(accounts: Sequence[Row]) -> list[Row]:
    """Where a period's dollars came from: what was collected, and what accounts held."""
    collected = {"source": "collected", "usdc_micro": sum(one["collected_usdc_micro"] for one in accounts)}
    held = [{"source": f"{one['account']}, held before", "usdc_micro": one["opening_usdc_micro"]} for one in accounts]
    return [collected, *(one for one in held if one["usdc_micro"])]


def uses(rows: Sequence[Row], accounts: Sequence[Row]) -> list[Row]:
    """Where they went: to whom for what, in the order first paid, and what accounts hold now."""
    paid: dict[tuple[str, str], int] = {}
    for row in rows:
        if not row["to_account"] and row["paid_usdc_micro"]:
            name = (row["target"], row["what"])
            paid[name] = paid.get(name, 0) + row["paid_usdc_micro"]
    went = [{"use": f"{target}, {what}", "usdc_micro": amount} for (target, what), amount in paid.items()]
    held = [{"use": f"{one['account']}, held now", "usdc_micro": one["closing_usdc_micro"]} for one in accounts]
    return [*went, *(one for one in held if one["usdc_micro"])]
