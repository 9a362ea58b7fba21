"""`penstock agent plan`: least cost under deadline, carbon and risk; compute and certificates in one plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.show import AsJson, emit, table


def plan(
    file: Annotated[Path, typer.Argument(help="The problem: JSON, as docs/agents.md says.")],
    seconds: Annotated[float, typer.Option(min=0.1, max=3_600, help="How long the solver may search.")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """What to buy, where and when."""
    from penstock.agent.plan import make_plan
    from penstock.agent.plan_file import plan_rows, read_problem
    from penstock.errors import NotFound
    from penstock.units import Usdc

    if not file.is_file():
        raise NotFound("plan.no_file", f"There is no file {file.name}.")
    made = make_plan(read_problem(file.read_bytes()), seconds)
    rows = [
        ("tokens", f"{int(made.tokens.sum()):,}"),
        ("compute", str(Usdc(made.compute_usdc_micro))),
        ("certificates", f"{int(made.certificates_wh.sum()):,} Wh, {Usdc(made.certificates_usdc_micro)}"),
        ("no plan costs less than", str(Usdc(made.bound_usdc_micro))),
        ("energy", f"{made.energy_mj / 3_600_000:,.1f} Wh"),
        ("carbon not covered", f"{made.carbon_ug / 10**6:,.1f} g"),
    ]
    emit(plan_rows(made), as_json, lambda: table("plan", ("what", "value"), rows))
