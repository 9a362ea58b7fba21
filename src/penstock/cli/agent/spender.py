"""`penstock agent new-spender`, `spender`, `bound`, `fund`, `withdraw`, `revoke`: the contract that keeps the bounds.

What an owner does is signed with the owner's key, which lies sealed in a file of its own, not in the agent's folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.agent.mandate import HERE, Folder, usdc_micro
from penstock.cli.agent.run import TIMEOUT_S
from penstock.cli.command import PassphraseFile, chain_key
from penstock.cli.show import AsJson, emit, table

if TYPE_CHECKING:
    from penstock.agent.account import Account
    from penstock.agent.chain_link import ChainLink
    from penstock.agent.folder import Folder as Opened

Rpc = Annotated[str, typer.Option(help="The chain's JSON-RPC.")]
Owner = Annotated[
    Path, typer.Option(help="The owner's sealed key of the chain; it pays the gas.", exists=True, dir_okay=False)
]
WEI_PER_GWEI = 10**9
Dollars = Annotated[str, typer.Argument(help="How much [dollars].")]


def new_spender(
    owner: Owner,
    rpc: Rpc,
    folder: Folder = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Deploy a Spender with the mandate's bounds and payees for the agent's key; say what the mandate then needs."""
    from penstock.agent.account import deploy
    from penstock.chain.artefact import load_artefact
    from penstock.errors import Conflict

    opened, key = _opened(folder), chain_key(owner, passphrase_file)
    mandate = opened.mandate()
    if mandate.spender:
        hint = "Take the line out of the mandate to deploy another."
        raise Conflict("agent.has_spender", f"The mandate names {mandate.spender} already.", hint=hint)
    with _link(rpc) as link:
        address = deploy(load_artefact("Spender").bytecode, mandate, opened.key().address, link, key)
    said = {"spender": address}
    emit(said, as_json, lambda: typer.echo(f'Write into the mandate:\nspender: "{address}"'))


def show(rpc: Rpc, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """The mandate's Spender as the chain has it."""
    from dataclasses import asdict

    from penstock.agent.account import standing
    from penstock.period import iso
    from penstock.units import Usdc

    address = _address(_opened(folder))
    with _link(rpc) as link:
        found = standing(address, link)
    rows = [
        ("address", address),
        ("owner", found.owner),
        ("agent", "none: revoked" if found.revoked else found.agent),
        ("holds", str(Usdc(found.balance_usdc_micro))),
        ("left of the hour", str(Usdc(found.hour_left_usdc_micro))),
        ("left in all", str(Usdc(found.total_left_usdc_micro))),
        ("until", iso(found.expires_us)),
    ]
    said = asdict(found) | {"spender": address, "revoked": found.revoked}
    emit(said, as_json, lambda: table("spender", ("what", "value"), rows))


def bound(
    owner: Owner, rpc: Rpc, folder: Folder = HERE, passphrase_file: PassphraseFile = None, as_json: AsJson = False
) -> None:
    """Write the mandate's bounds and payees into its Spender, over what stands there."""
    with _account(owner, rpc, folder, passphrase_file) as account:
        _sent(account.bound(_opened(folder).mandate()), as_json)


def fund(
    usd: Dollars,
    owner: Owner,
    rpc: Rpc,
    gas_gwei: Annotated[int, typer.Option(min=0, max=10**10, help="Coin for the agent's own account [gwei].")] = 0,
    folder: Folder = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Move dollars from the owner's account into the mandate's Spender; the agent itself pays gas to announce."""
    with _account(owner, rpc, folder, passphrase_file) as account:
        sent = [account.fund(usdc_micro(usd))]
        if gas_gwei:
            agent = "0x" + _opened(folder).key().address.hex()
            sent.append(account.link.send(account.key, agent, b"", gas_gwei * WEI_PER_GWEI))
        _sent(sent, as_json)


def withdraw(
    usd: Dollars,
    owner: Owner,
    rpc: Rpc,
    folder: Folder = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Take dollars from the mandate's Spender back to the owner's account."""
    with _account(owner, rpc, folder, passphrase_file) as account:
        _sent([account.withdraw(usdc_micro(usd))], as_json)


def revoke(
    owner: Owner, rpc: Rpc, folder: Folder = HERE, passphrase_file: PassphraseFile = None, as_json: AsJson = False
) -> None:
    """No agent any more: nothing new is paid, and what was announced and not settled is void at once."""
    with _account(owner, rpc, folder, passphrase_file) as account:
        _sent([account.revoke()], as_json)


def _sent(transactions: list[str], as_json: bool) -> None:
    said: dict[str, Any] = {"transactions": transactions}
    emit(said, as_json, lambda: table("done", ("transaction",), [(tx,) for tx in transactions]))


@contextmanager
def _account(owner: Path, rpc: str, folder: Path, passphrase_file: Path | None) -> Iterator[Account]:
    from penstock.agent.account import Account

    address, key = _address(_opened(folder)), chain_key(owner, passphrase_file)
    with _link(rpc) as link:
        yield Account(address, link, key)


@contextmanager
def _link(rpc: str) -> Iterator[ChainLink]:
    import time

    import httpx

    from penstock.agent.chain_link import ChainLink

    with httpx.Client(timeout=TIMEOUT_S) as http:
        yield ChainLink(rpc, http, time.sleep)


def _address(opened: Opened) -> str:
    """The mandate's Spender. Raises NotFound ``agent.no_spender``."""
    from penstock.errors import NotFound

    found = opened.mandate().spender
    if not found:
        raise NotFound("agent.no_spender", "The mandate names no Spender.", hint="Run: penstock agent new-spender")
    return found


def _opened(folder: Path) -> Opened:
    from penstock.agent.folder import Folder as Opened

    return Opened(folder)
