"""Is every temporary written before it is read, in every state? Temporaries start at 0, which no step may rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock.capital.decode import MACHINE, Decoded, Layout, Step, decode
from penstock.errors import Refused


def refuse_unwritten(code: bytes, labels: Sequence[str] = ()) -> None:
    """Refuse a program in which a step reads a temporary that none wrote before it in every state where it runs.

    Levels that tests raise, and the worst of them, count up from 0: there the first write is the reading one.
    ``labels`` say what each step does.

    Raises:
        Refused: ``program.read_before_written`` with the step.
    """
    decoded = decode(code)
    everywhere = _all_states(decoded)
    written: dict[int, int] = {}
    for step in decoded.steps:
        for register in _reads(step):
            if _temporary(decoded.layout, register) and step.states & ~written.get(register, 0):
                raise _too_early(step, labels)
        for register in _writes(step):
            written[register] = written.get(register, 0) | step.states
        if step.op == "STATE":  # from here on another state may rule
            written = {register: states for register, states in written.items() if states & everywhere == everywhere}


def _too_early(step: Step, labels: Sequence[str]) -> Refused:
    what = f": {labels[step.number]}" if step.number < len(labels) else ""
    message, hint = f"A step reads what no step has computed yet{what}.", "Is an amount due defined by dues after it?"
    return Refused("program.read_before_written", message, hint=hint, step=step.number)


def _all_states(decoded: Decoded) -> int:
    out = 0
    for step in decoded.steps:
        out |= step.states
    return out


def _temporary(layout: Layout, register: int) -> bool:
    return layout.temporary <= register < MACHINE


def _row(first: int, count: int) -> range:
    return range(first, first + count) if first else range(0)


def _reads(step: Step) -> Iterator[int]:
    """The registers a step's result rests on."""
    rows = {
        "PAY": ((step.a, 1), (step.b, step.reach(5)), (step.e, step.reach(4))),
        "ACC": ((step.a, step.reach(4)), (step.b, step.reach(5)), (step.e, 1), (step.g, 1)),
        "SPLIT": ((step.a, 1), (step.b, 1), (step.e, step.items), (step.g, step.items if step.g else 0)),
        "FUND": ((step.b, 1),),
        "DRAIN": ((step.b, 1),),
        "TEST": ((step.a, 1), (step.b, 1), (step.c, 1), (step.e, 1)),
        "CURE": ((step.c, 1),),
        "STATE": ((step.a, 1),),
        "ADD": ((step.a, step.items), (step.b, 1)),
        "MOVE": ((step.a, step.reach(4)),),
    }.get(step.op, ((step.a, step.reach(4)), (step.b, step.reach(5))))
    for first, count in rows:
        yield from _row(first, count)


def _writes(step: Step) -> Iterator[int]:
    """The registers a step leaves defined."""
    if step.op == "TEST":
        yield step.g
    elif step.op == "CURE":
        yield step.b
    elif step.op == "ADD":
        yield step.c
    elif step.op in ("ACC", "SUB", "MIN", "MAX", "MOVE", "PAY"):
        yield from _row(step.c, step.reach(6))
