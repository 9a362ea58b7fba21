"""`penstock agent log`, `payments` and `settle`: what it decided and paid, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli.agent.mandate import HERE, Folder
from penstock.cli.agent.run import TIMEOUT_S
from penstock.cli.show import AsJson, emit, table


def log(
    folder: Folder = HERE,
    kind: Annotated[str, typer.Option(help="Only decisions of this kind: chosen, bought, failed, ...")] = "",
    as_json: AsJson = False,
) -> None:
    """Every decision with its reason, the chain of hashes checked first."""
    from dataclasses import asdict

    from penstock.agent.folder import Folder as Opened
    from penstock.period import iso

    opened = Opened(folder)
    opened.mandate()
    all_of_it = opened.log.read()
    found = [one for one in all_of_it if not kind or one.kind == kind]
    rows = [(one.number, iso(one.at_us), one.kind, one.why) for one in found]
    head = all_of_it[-1].digest if all_of_it else ""
    said = {"decisions": [asdict(one) for one in found], "head": head}
    emit(said, as_json, lambda: table(f"{len(found)} decisions, head {head[:16]}", ("", "at", "kind", "why"), rows))


def payments(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Every payment and where it stands; what was signed is not shown."""
    from dataclasses import asdict

    from penstock.agent.folder import Folder as Opened
    from penstock.period import iso
    from penstock.units import Usdc

    opened = Opened(folder)
    opened.mandate()
    found = opened.book.payments()
    shown = [{name: value for name, value in asdict(one).items() if name not in ("header", "nonce")} for one in found]
    rows = [
        (one.number, iso(one.at_us), one.state, str(Usdc(one.counted_usdc_micro)), one.url, one.tx) for one in found
    ]
    counted = sum(one.counted_usdc_micro for one in found)
    said = {"payments": shown, "counted_usdc_micro": counted}
    heads = ("", "at", "state", "counted", "to", "transaction")
    emit(said, as_json, lambda: table(f"{Usdc(counted)} counted", heads, rows, right=(3,)))


def settle(
    rpc: Annotated[str, typer.Option(help="The chain's JSON-RPC.")],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Ask the chain what became of payments that were never answered; what is unused and over is the budget's again."""
    import time

    import httpx

    from penstock.agent.chain_link import ChainLink
    from penstock.agent.folder import Folder as Opened
    from penstock.agent.lapse import lapse
    from penstock.agent.spender import Spender
    from penstock.agent.wallet import Wallet

    opened = Opened(folder)
    mandate, own = opened.mandate(), opened.key()
    with httpx.Client(timeout=TIMEOUT_S) as http:
        link = ChainLink(rpc, http, time.sleep)
        spender = Spender(mandate.spender, link, own) if mandate.spender else None
        found = lapse(opened.book, link, Wallet(own, mandate.spender).address, spender)
    said = {"settled": [{"payment": number, "became": became} for number, became in found]}
    emit(said, as_json, lambda: table(f"{len(found)} looked up", ("payment", "became"), found))
