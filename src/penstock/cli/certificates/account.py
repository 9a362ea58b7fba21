"""`penstock certificate account`: organisations, their members and accounts, whitelists, wallets, what takes two."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

app = typer.Typer(help="Accounts, and who acts for them.", no_args_is_help=True, rich_markup_mode=None)

By = Annotated[str, typer.Option(help="Who asks: a member's id, or the operator.")]
Roles = Annotated[list[str] | None, typer.Option("--role", help="viewer, trader, approver or administrator. Repeat.")]
Number = Annotated[int, typer.Argument(help="Its number.", min=1)]
Name = Annotated[str, typer.Argument(help="The account's name.")]
Organisation = Annotated[str, typer.Argument(help="The organisation's name.")]


@app.command()
def organisation(name: Organisation, workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """An organisation takes part in the registry."""
    from penstock.journal.kinds.account import OrganisationRegistered

    _say(workspace, OrganisationRegistered(name), as_json)


@app.command()
def member(
    organisation: Organisation,
    member: Annotated[str, typer.Argument(help="An API key's id, or a wallet's address.")],
    role: Roles = None,
    by: By = "operator",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """A member has these roles from now on, and no others; without any it is a member no more."""
    from penstock.errors import Invalid
    from penstock.journal.kinds.account import MemberPlaced, Role

    unknown = set(role or ()) - {one.value for one in Role}
    if unknown:
        raise Invalid("account.roles", f"There is no role {min(unknown)}.", hint=f"Known are: {', '.join(Role)}.")
    roles = tuple(Role(one) for one in dict.fromkeys(role or ()))
    _say(workspace, MemberPlaced(organisation, member.lower(), roles, by), as_json)


@app.command()
def assign(account: Name, organisation: Organisation, workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """An account becomes an organisation's; it is opened where it is not known yet."""
    from penstock.journal.kinds.account import AccountAssigned

    _say(workspace, AccountAssigned(account, organisation), as_json)


@app.command()
def whitelist(
    account: Name,
    source: Annotated[list[str] | None, typer.Option(help="An account that it receives from. Repeat.")] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="It receives from all again.")] = False,
    by: By = "operator",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Whom an account receives from, the whole list each time; an empty one: nobody."""
    from penstock.journal.kinds.account import WhitelistStated

    _say(workspace, WhitelistStated(account, tuple(source or ()), everyone, by), as_json)


@app.command()
def wallet(
    account: Name,
    wallet: Annotated[str, typer.Argument(help="The wallet's address: 0x and 40 hex digits.")],
    signature: Annotated[str, typer.Option(help="The wallet's signature under its consent, in hex.")] = "",
    release: Annotated[bool, typer.Option("--release", help="It stands for the account no more.")] = False,
    by: By = "operator",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """A wallet stands for an account. Without a signature: the text that it has to sign."""
    from penstock.cli.device_life import hex_bytes
    from penstock.journal.kinds.account import WalletBound, WalletReleased
    from penstock.usecases.registry.account import consent_on
    from penstock.usecases.workspace import Workspace as Opened

    address = hex_bytes(wallet.removeprefix("0x"))
    if release:
        _say(workspace, WalletReleased(account, address, by), as_json)
    elif signature:
        _say(workspace, WalletBound(account, address, hex_bytes(signature.removeprefix("0x")), by), as_json)
    else:
        with Opened(workspace, read_only=True) as opened:
            text = consent_on(opened, account, address)
        emit({"account": account, "sign": text}, as_json, lambda: print(text))


@app.command()
def rule(
    act: Annotated[
        list[str] | None, typer.Option(help="An act that takes two members. Repeat; none: none does.")
    ] = None,
    organisation: Annotated[str, typer.Option(help="Whose rule; none: the whole registry's.")] = "",
    from_wh: Annotated[int, typer.Option(help="From so many Wh on.", min=0)] = 0,
    by: By = "operator",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Which acts take two members."""
    from penstock.journal.kinds.account import ApprovalRuled

    _say(workspace, ApprovalRuled(organisation, tuple(act or ()), from_wh, by), as_json)


@app.command("list")
def list_accounts(
    organisation: Annotated[str, typer.Option(help="Only this organisation's.")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Every account: whose it is, what it holds, whom it receives from."""
    from penstock.usecases.registry.account import accounts, organisations
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = opened.read(lambda world: accounts(world, organisation))
        found = opened.read(organisations)
    cells = [
        (row["account"], row["organisation"], kwh(row["certificates_wh"].get("held", 0)), _names(row["receives_from"]))
        for row in rows
    ]
    heads = ("account", "organisation", "held", "receives from")
    value = {"accounts": rows, "organisations": found}
    emit(value, as_json, lambda: table(f"{len(rows)} accounts", heads, cells, right=(2,)))


@app.command()
def propose(
    file: Annotated[Path, typer.Argument(help='A JSON file: {"act": "Transfer", "asked": {...}}.', exists=True)],
    by: Annotated[str, typer.Option(help="The member who proposes it.")],
    days: Annotated[int, typer.Option(help="Days until it expires.", min=1, max=366)] = 14,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Propose an act that takes two members."""
    from penstock.period import DAY_US
    from penstock.usecases.registry.approve import Propose, propose_on
    from penstock.usecases.registry.proposable import asked_of_json
    from penstock.usecases.workspace import Workspace as Opened

    now_us = time.time_ns() // 1_000
    asked = Propose(asked_of_json(file.read_bytes()), now_us + days * DAY_US, by)
    with Opened(workspace) as opened:
        row = propose_on(opened, f"propose:{opened.store.size()}", asked, now_us)
    _show(row, as_json)


@app.command()
def approve(
    proposal: Number,
    by: Annotated[str, typer.Option(help="The member who approves it: not who proposed it.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Approve a proposal; it is done at once."""
    from penstock.journal.kinds.account import ActApproved
    from penstock.usecases.registry.approve import approve_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        key = f"approve:{proposal}:{opened.store.size()}"
        done = approve_on(opened, key, ActApproved(proposal, by), time.time_ns() // 1_000).to_json()
    rows = [(act["seq"], act["kind"], act.get("quantity_wh", "")) for act in done["acts"]]
    emit(done, as_json, lambda: table(f"proposal {proposal}", ("fact", "what", "Wh"), rows, right=(0, 2)))


@app.command()
def drop(
    proposal: Number,
    by: By = "operator",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Withdraw one's own proposal, or decline another's."""
    from penstock.journal.kinds.account import ProposalDropped
    from penstock.usecases.registry.approve import drop_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        key, fact = f"drop:{proposal}:{opened.store.size()}", ProposalDropped(proposal, by, reason)
        row = drop_on(opened, key, fact, time.time_ns() // 1_000)
    _show(row, as_json)


@app.command("proposals")
def list_proposals(
    account: Annotated[str, typer.Option(help="Only this account's.")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Every proposal and where it stands, newest first."""
    from penstock.usecases.registry.approve import proposals
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = opened.read(lambda world: proposals(world, time.time_ns() // 1_000, account))
    names = ("proposal", "act", "account", "energy_wh", "state", "proposed_by", "ended_by")
    cells = [tuple(row[name] for name in names) for row in rows]
    emit({"proposals": rows}, as_json, lambda: table(f"{len(rows)} proposals", names, cells, right=(0, 3)))


@app.command()
def audit(
    account: Name,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1, max=10_000)] = 50,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Who did what that concerns an account, newest first, from the facts."""
    from penstock.usecases.trail import Trail
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        total, rows = Trail(opened).page(account, 0, limit)
    cells = [(row["seq"], row["at"], row["by"], row["kind"]) for row in rows]
    value = {"account": account, "facts": total, "trail": rows}
    emit(value, as_json, lambda: table(f"{total} facts", ("fact", "at", "by", "what"), cells, right=(0,)))


def _say(workspace: Path, fact: Any, as_json: bool) -> None:
    from penstock.usecases.registry.account import say_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        _show(say_on(opened, fact, time.time_ns() // 1_000), as_json)


def _show(row: dict[str, Any], as_json: bool) -> None:
    emit(row, as_json, lambda: table("done", ("field", "value"), list(row.items())))


def _names(receives_from: Any) -> str:
    return receives_from if isinstance(receives_from, str) else ", ".join(receives_from) or "nobody"
