"""Whole deals at random, as text: so that language, compiler, twin and contract are tried together."""

from __future__ import annotations

from hypothesis import strategies as st

STATES = ("normal", "lockup", "accel")
FEES = ("{amount: 0.0875 USDC per kWh, of: energy}", "{amount: 40.5 USDC}", "{amount: 1.25 %, of: inflow}")
TARGETS = ("500_000 USDC", "2 x due(N0)", "1_000 USDC + 0.5 x balance(N0)", "0 USDC")


@st.composite
def deal_texts(draw: st.DrawFn) -> str:
    """A deal of 1 to 6 notes, fees of every kind, up to two tests and three states; always valid."""
    notes = [f"N{i}" for i in range(draw(st.integers(1, 6)))]
    fees = draw(st.lists(st.sampled_from(FEES), min_size=1, max_size=3))
    pays = draw(st.sampled_from(("daily", "monthly", "quarterly", "hourly")))
    states = STATES[: draw(st.integers(1, 3))]
    scheduled = draw(st.booleans())
    lines = [
        "deal: Random",
        f"calendar: {{pays: {pays}, starts: 2024-02-28T06:30:00Z, grace: 1 h}}",
        "report: {energy: Wh, cfads: USDC, value: USDC}",
        "accounts:",
        "  collect: {}",
        f"  dsra: {{target: {draw(st.sampled_from(TARGETS))}}}",
        "  trap: {releases_to: collect}",
        "fees:",
        *[f"  F{i}: {fee}" for i, fee in enumerate(fees)],
        "tranches:",
        *[draw(_note(name, pays, scheduled)) for name in notes],
        "  E: {residual: true}",
        *draw(_tests(notes, states)),
        f"states: [{', '.join(states)}]",
        "waterfall:",
    ]
    for state in states:
        lines += [f"  {state}:", *draw(_waterfall(state, notes, len(fees), scheduled))]
    return "\n".join(lines)


@st.composite
def _note(draw: st.DrawFn, name: str, pays: str, scheduled: bool) -> str:
    face = draw(st.sampled_from(("0", "1_000", "2_000_000", "600_000_000.123456")))
    rate = draw(st.sampled_from(("0 %", "5.75 %", "12 %", "100 %")))
    count = draw(st.sampled_from(("act/365", "act/360", *(["30/360"] * (pays in ("monthly", "quarterly"))))))
    shortfall = draw(st.sampled_from(("carry", "pik")))
    principal = f", principal: {draw(st.sampled_from(('600', '250_000')))}" if scheduled else ""
    return f"  {name}: {{face: {face}, rate: {rate}, count: {count}, shortfall: {shortfall}{principal}}}"


@st.composite
def _tests(draw: st.DrawFn, notes: list[str], states: tuple[str, ...]) -> list[str]:
    everyone = ", ".join(notes)
    kinds = [("cfads", f"due({everyone})", "below"), (f"balance({everyone})", "value", "above")]
    kinds += [(f"owed({notes[0]})", "cash(dsra)", "above"), ("energy", "cfads", "below")]
    lines = ["tests:"]
    for i in range(draw(st.integers(1, 2)) if len(states) > 1 else 0):
        value, against, word = draw(st.sampled_from(kinds))
        lines += [f"  t{i}:", f"    value: {value}", f"    against: {against}", "    stale: lockup"]
        lines += [f"    cure: after {draw(st.integers(0, 2))} clean periods", f"    lockup: {word} 1.20"]
        if len(states) == 3:
            lines += [f"    accel: {word} {'1.05' if word == 'below' else '1.5'}"]
            lines += ["    sticky: accel"] * draw(st.integers(0, 1))
    return lines if len(lines) > 1 else []


@st.composite
def _waterfall(draw: st.DrawFn, state: str, notes: list[str], fees: int, scheduled: bool) -> list[str]:
    parts = ("interest", "principal") if scheduled else ("interest",)
    lines = [f"pay F{i}" for i in range(fees)] + ["fill dsra", "release trap", "release dsra"]
    for part in parts:
        support = draw(st.sampled_from(("", " support dsra")))
        if len(notes) > 1 and draw(st.booleans()):
            lines.append(f"pay {', '.join(f'{name}.{part}' for name in notes)} pro rata")
        else:
            lines += [f"pay {name}.{part}{support}" for name in notes]
    if draw(st.booleans()):
        lines.append(f"sweep {draw(st.sampled_from(notes))}{draw(st.sampled_from(('', ' share 50 %')))}")
    if draw(st.booleans()):
        lines = draw(st.permutations(lines))
    last = "pay E rest" if state == "normal" else draw(st.sampled_from(("hold rest in trap", "pay E rest")))
    return [f"    - {line}" for line in (*lines, last)]
