"""`penstock agent key`, `mandate`, `approve` and `stop`: what its owner says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from penstock.cli.show import AsJson, emit, table

Folder = Annotated[Path, typer.Option("--folder", "-f", help="The agent's folder.", show_default=True)]
HERE: Final = Path("agent")


def key(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Make the agent's key; its address is what gets dollars, or what a Spender names as its agent."""
    import secrets

    from eth_utils.address import to_checksum_address

    from penstock.agent.folder import KEY
    from penstock.agent.folder import Folder as Opened

    made = Opened(folder).make_key(secrets.token_bytes(32))
    said = {"address": str(to_checksum_address(made.address)), "file": str(folder / KEY)}
    emit(said, as_json, lambda: table("agent's key", ("field", "value"), list(said.items())))


def mandate(
    file: Annotated[Path, typer.Argument(help="The mandate: YAML or JSON.")],
    as_json: AsJson = False,
) -> None:
    """Check a mandate, and say what it allows."""
    from dataclasses import asdict

    from penstock.agent.folder import read_text
    from penstock.agent.mandate_file import read_mandate
    from penstock.period import iso
    from penstock.units import Usdc

    read = read_mandate(read_text(file))
    rows = [
        ("name", read.name),
        ("valid", f"{iso(read.from_us)} to {iso(read.until_us)}"),
        ("a call", str(Usdc(read.budget.call_usdc_micro))),
        ("an hour", str(Usdc(read.budget.hour_usdc_micro))),
        ("in all", str(Usdc(read.budget.total_usdc_micro))),
        ("asks above", str(Usdc(read.budget.ask_above_usdc_micro))),
        ("1,000 tokens", f"at most {Usdc(read.ceilings.per_1k_tokens_usdc_micro)}"),
        ("venues", ", ".join(venue.url for venue in read.venues)),
        ("pays from", read.spender or "its own account"),
    ]
    emit(asdict(read), as_json, lambda: table("mandate", ("what", "value"), rows))


def approve(
    usd: Annotated[str, typer.Argument(help="The most that one payment may be [dollars].")],
    minutes: Annotated[int, typer.Option(min=1, max=10_080, help="For how long the word stands.")] = 60,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Say yes to one payment above the limit at which the agent asks."""
    import time

    from penstock.agent.folder import Folder as Opened

    amount = usdc_micro(usd)
    until_us = time.time_ns() // 1_000 + minutes * 60_000_000
    opened = Opened(folder)
    opened.mandate()  # not an agent's folder: say so, and make no book there
    opened.book.approve(amount, until_us)
    said = {"approved_usdc_micro": amount, "until_us": until_us}
    emit(said, as_json, lambda: typer.echo(f"One payment of at most ${usd} may be made within {minutes} minutes."))


def stop(
    off: Annotated[bool, typer.Option("--off", help="Let it go on.")] = False,
    why: Annotated[str, typer.Option(help="A word on why.")] = "its owner says so",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """The kill switch: nothing is paid from now on, by any process of this agent."""
    from penstock.agent.folder import Folder as Opened

    opened = Opened(folder)
    opened.mandate()
    opened.go_on() if off else opened.stop(why)
    said = {"stopped": not off}
    emit(said, as_json, lambda: typer.echo("It may pay again." if off else "Stopped: nothing is paid."))


def usdc_micro(usd: str) -> int:
    """Micro-dollars of a figure in dollars. Raises Invalid ``agent.amount``."""
    from decimal import Decimal, InvalidOperation

    from penstock.errors import Invalid

    try:
        micro = Decimal(usd) * 10**6
    except InvalidOperation:
        micro = Decimal(-1)
    if not micro.is_finite() or micro != int(micro) or not 0 < micro < 10**12:
        raise Invalid("agent.amount", f"{usd!r} is no amount in dollars, to a millionth.")
    return int(micro)
