"""A deal to its program: what falls due, tests and state, then the waterfalls of all states as one list of steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from typing import Final

from eth_utils.crypto import keccak

from penstock.capital.ceiling import LANE_MAX, MEASURE_MAX, gas_ceiling, refuse_saturation
from penstock.capital.covenant import Covenants
from penstock.capital.deal import Deal
from penstock.capital.dues import Dues
from penstock.capital.lines import Lines
from penstock.capital.merge import Masked, merge, vectorise
from penstock.capital.program import SCRATCH, TEMPORARY, Program, assemble, program_hash
from penstock.capital.rate import Rates
from penstock.capital.registers import Registers
from penstock.capital.schedule_rows import pack_rows, row_words
from penstock.capital.terms import Terms
from penstock.capital.unwritten import refuse_unwritten
from penstock.capital.used import used

COMPILER: Final = "penstock-deal/2"
PAGE: Final = 3
"""Measures on one page of the report."""
TOPS: Final = {"USDC": LANE_MAX, "rate": 10**9}
"""The most a measure is expected to say, by its unit; else ``MEASURE_MAX``."""


def compile_deal(deal: Deal) -> Program:
    """The program that runs ``deal`` on chain and in the exact engine.

    Raises:
        Refused: what the chain cannot hold, with the reason: ``program.too_large``, ``program.number_too_large``,
            ``program.rate_too_fine``, ``program.day_count``, ``program.may_saturate``, ``program.not_side_by_side``,
            ``program.nothing_owed``, ``program.no_amount``, ``program.no_such_name``, ``program.circular_amount``,
            ``program.read_before_written``, ``program.stale_for_good`` or ``program.call_to_normal``.
    """
    registers = Registers(deal, used(deal))
    steps = settled(steps_of(deal, registers), registers)
    rows = schedule_of(deal)
    counts = (registers.state_words, registers.cash_words, registers.paid, len(deal.payees))
    code = assemble(
        deal.calendar,
        counts,
        registers.constants,
        steps,
        registers.opening(),
        pages=max(1, -(-len(deal.measures) // PAGE)),
        row_words=row_words(len(deal.schedule)) if rows else 0,
        rows=rows,
        replaceable=len(deal.fees),
    )
    labels = tuple(raw.label for raw, _ in steps)
    refuse_unwritten(code, labels)
    refuse_saturation(code, rows, [TOPS.get(measure.unit, MEASURE_MAX) for measure in deal.measures], labels)
    return Program(
        code=code,
        deal_hash=keccak(canonical_json(deal)),
        program_hash=program_hash(code),
        lanes=registers.lanes,
        payee_lanes={name: registers.paid + i for i, name in enumerate(deal.payees)},
        states=deal.states,
        labels=labels,
        gas_ceiling=gas_ceiling(code),
        rows=rows,
        pages=max(1, -(-len(deal.measures) // PAGE)),
    )


def steps_of(deal: Deal, registers: Registers) -> list[Masked]:
    """All steps in their order, each with the states it runs in."""
    terms = Terms(deal, registers)
    rates = Rates(deal, registers, terms)
    terms.begin(deal)
    Dues(deal, registers, terms, rates)
    Covenants(deal, registers, terms)
    lines = Lines(deal, registers, terms)
    merged = merge([lines.steps_of(acts) for _, acts in deal.waterfalls])
    everywhere = (1 << len(deal.states)) - 1
    after = [(raw, everywhere) for raw in (*lines.after(), *rates.keep())]
    return vectorise([*((raw, everywhere) for raw in terms.before.steps), *merged, *after])


def settled(steps: Sequence[Masked], registers: Registers) -> list[Masked]:
    """The registers that lines use in turn follow those that last for the whole close."""

    def real(register: int) -> int:
        return register - SCRATCH + TEMPORARY + registers.temporaries if register >= SCRATCH else register

    return [
        (replace(raw, a=real(raw.a), b=real(raw.b), c=real(raw.c), e=real(raw.e), g=real(raw.g)), mask)
        for raw, mask in steps
    ]


def schedule_of(deal: Deal) -> bytes:
    """The rows beside the program: ends of periods that follow business days, and the columns."""
    if not deal.schedule and not deal.calendar.ends_s:
        return b""
    return pack_rows(deal.calendar.ends_s, (), [column.values for column in deal.schedule])


def canonical_json(deal: Deal) -> bytes:
    """The deal as canonical JSON: sorted keys, numbers as decimal strings, ratios as ``p/q``; without line numbers."""
    document = {"compiler": COMPILER, "deal": _plain(deal)}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in ("line", "text")}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return str(value)
