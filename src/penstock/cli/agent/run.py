"""`penstock agent run` and `quotes`: a goal carried out without a language model; what the market offers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.agent.mandate import HERE, Folder
from penstock.cli.show import AsJson, emit, table

if TYPE_CHECKING:
    from httpx import Client

    from penstock.agent.folder import Folder as Opened
    from penstock.agent.mandate import Mandate
    from penstock.agent.wallet import Wallet

TIMEOUT_S: Final = 20.0
Rpc = Annotated[str, typer.Option(help="The chain's JSON-RPC: where the mandate names a Spender, or to settle.")]
CarbonPrice = Annotated[int, typer.Option(min=0, help="What a kilogram of carbon costs you [micro-dollars].")]


def run(
    goal: Annotated[str, typer.Option(help="For example: embed FILE under $5 within 2 h below 300 g/kWh.")],
    folder: Folder = HERE,
    output: Annotated[Path | None, typer.Option(help="Where the vectors go; FILE.vectors.jsonl by default.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=2_048, help="Lines in one call.")] = 32,
    check_every: Annotated[int, typer.Option(min=0, help="Ask another provider too in every so manieth call.")] = 0,
    carbon_price: CarbonPrice = 0,
    rpc: Rpc = "",
    as_json: AsJson = False,
) -> None:
    """Carry out a goal: look round, buy, check, go elsewhere when that is better, stop at the budget."""
    import time
    from dataclasses import asdict
    from hashlib import sha256

    import httpx

    from penstock.agent.folder import Folder as Opened
    from penstock.agent.goal import read_goal
    from penstock.agent.payment import Payer
    from penstock.agent.run import Run
    from penstock.agent.shop import Shop
    from penstock.agent.spending import Purpose
    from penstock.agent.texts import read_lines
    from penstock.units import Usdc

    asked, opened = read_goal(goal), Opened(folder)
    mandate, lines = opened.mandate(), read_lines(Path(asked.file))
    written = output or Path(asked.file + ".vectors.jsonl")
    purpose = Purpose(sha256(f"{goal}\n{written.resolve()}".encode()).hexdigest()[:16], asked.under_usdc_micro)
    opened.book.give_up(_now_us())
    with httpx.Client(timeout=TIMEOUT_S) as http:
        wallet = wallet_of(opened, mandate, http, rpc)
        payer = Payer(mandate, wallet, opened.book, http, _now_us, time.sleep, purpose)
        tokens = sum(len(line.encode()) // 4 + 3 for line in lines[:batch])
        shop = Shop(mandate, http, asked.model, tokens, carbon_price, asked.below_mg_per_kwh, _prices(opened, mandate))
        done = Run(asked, lines, written, payer, shop, opened.log, batch, check_every).run()
    said: dict[str, Any] = asdict(done) | {"output": str(written)}
    rows = [
        ("ended", f"{done.end}: {done.why}"),
        ("lines", f"{done.done:,} of {done.lines:,}"),
        ("paid", str(Usdc(done.paid_usdc_micro))),
        ("energy, as quoted", f"{done.energy_mj / 1_000:,.1f} J"),
        ("providers", ", ".join(f"{url} {count}" for url, count in done.providers.items())),
        ("vectors", str(written)),
    ]
    emit(said, as_json, lambda: table("goal", ("what", "value"), rows))


def quotes(
    folder: Folder = HERE,
    model: Annotated[str, typer.Option(help="Which model.")] = "all-MiniLM-L6-v2",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens in one call.")] = 1_000,
    carbon_price: CarbonPrice = 0,
    as_json: AsJson = False,
) -> None:
    """What the venues offer now, on one scale; and why some of it is not bought."""
    import httpx

    from penstock.agent.folder import Folder as Opened
    from penstock.agent.shop import Shop

    opened = Opened(folder)
    mandate = opened.mandate()
    with httpx.Client(timeout=TIMEOUT_S) as http:
        shop = Shop(mandate, http, model, tokens, carbon_price, None, _prices(opened, mandate))
        market = shop.look({}, _now_us())
    rows = [
        (
            one.quote.url,
            f"{one.usdc_micro_per_1k:,} µ$",
            f"{one.energy_mj_per_1k / 1_000:,.1f} J",
            f"{one.carbon_ug_per_1k:,} µg",
            f"{one.quote.load_bp / 100:.0f} %",
        )
        for one in market.ranked
    ] + [(doubt.url, doubt.code, "", "", "") for doubt in market.doubts]
    heads = ("venue", "1,000 tokens", "energy", "carbon", "load")
    emit(market.said(), as_json, lambda: table(f"{len(market.ranked)} quotes", heads, rows, right=(1, 2, 3, 4)))


def wallet_of(opened: Opened, mandate: Mandate, http: Client, rpc: str) -> Wallet:
    """The wallet: the agent's own account, or the Spender that its mandate names.

    Raises:
        Invalid: ``agent.no_rpc`` where there is a Spender and no way to its chain. As `Folder.key`.
    """
    import time

    from penstock.agent.chain_link import ChainLink
    from penstock.agent.spender import Spender
    from penstock.agent.wallet import Wallet
    from penstock.errors import Invalid

    own = opened.key()
    if not mandate.spender:
        return Wallet(own)
    if not rpc:
        raise Invalid("agent.no_rpc", "The mandate names a Spender: its chain is needed.", hint="Give --rpc.")
    spender = Spender(mandate.spender, ChainLink(rpc, http, time.sleep), own)
    return Wallet(own, mandate.spender, spender.authorize)


def _prices(opened: Opened, mandate: Mandate) -> list[int]:
    """What was paid before, which tells a price that is off by a thousand."""
    return opened.book.prices_paid(mandate.rails[0].network)


def _now_us() -> int:
    import time

    return time.time_ns() // 1_000
