"""`penstock certificate issue|withdraw|expire|bulk`: what the registry's operator does, and acts from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.certificates.chosen import By, Key, Names, Register, Statement, Wh, act, selection_of
from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

MINUTE_US = 60_000_000
DAY_MINUTES = 1_440


def issue(
    zone: Annotated[str, typer.Option(help="The grid zone of what was generated.")],
    minutes: Annotated[int, typer.Option(help="How long an interval is: 15, 30 or 60.")] = 60,
    carbon: Annotated[int, typer.Option(help="What a kWh emitted where it was generated [mg CO2e].", min=0)] = 0,
    valid_days: Annotated[int, typer.Option(help="For how many days they are valid; 0 for ever.", min=0)] = 0,
    support: Annotated[str, typer.Option(help="Public money that the plant had.")] = "",
    longest_gap: Annotated[
        int,
        typer.Option(
            help="Minutes that readings around an interval's end may lie apart; 0 for any. What was metered "
            "more coarsely gets no certificate.",
            min=0,
        ),
    ] = 0,
    account: Annotated[str, typer.Option(help="Only with the options below: who gets of it what goes on.")] = "",
    target: Annotated[str, typer.Option(help="In the same command: transfer to this account.")] = "",
    then: Annotated[str, typer.Option(help="In the same command: hold, claim or retire.")] = "hold",
    consumer: Annotated[list[str] | None, typer.Option(help="For a claim: who drew it.")] = None,
    beneficiary: Annotated[str, typer.Option(help="For a claim or retirement: for whom.")] = "",
    reason: Annotated[str, typer.Option(help="For a retirement: why.")] = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Certify all that was verified and is not yet; on request transfer, claim or retire it in the same command."""
    from penstock.cli.certificates.chosen import word
    from penstock.usecases.certify import Terms
    from penstock.usecases.registry.issue import Issue, issue_on
    from penstock.usecases.registry.together import Then, Together, together_on

    times = valid_days * DAY_MINUTES * MINUTE_US, longest_gap * MINUTE_US
    terms = Terms(minutes * MINUTE_US, carbon, times[0], support, times[1])
    if not account:
        plain = Issue(zone, terms, by)
        act(workspace, key, "issue", lambda opened, name, at_us: issue_on(opened, name, plain, at_us), as_json)
        return
    asked = Together(
        zone, account, target, word(Then, then), terms, tuple(consumer or ()), beneficiary, reason, statement, by=by
    )
    act(workspace, key, "issue", lambda opened, name, at_us: together_on(opened, name, asked, at_us), as_json)


def withdraw(
    reason: Annotated[str, typer.Option(help="Why; for the public.")],
    certificate: Names = None,
    wh: Wh = 0,
    register: Register = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Take certificates back, whoever has them; what somebody used is owed and covered by what is issued next."""
    from penstock.usecases.registry.withdraw import Withdrawal, withdraw_on

    asked = Withdrawal(selection_of(certificate, wh, 0, "", register), reason, statement, by)
    act(workspace, key, "withdraw", lambda opened, name, at_us: withdraw_on(opened, name, asked, at_us), as_json)


def expire(key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Sweep what is past its validity."""
    from penstock.usecases.registry.expire import expire_on

    act(workspace, key, "expire", expire_on, as_json)


def bulk(
    what: Annotated[str, typer.Argument(help="transfer, reserve, release, retire, split or withdraw.")],
    file: Annotated[Path, typer.Argument(help="Rows of certificates, .csv or .parquet (see docs/certificates.md).")],
    account: Annotated[str, typer.Option(help="Whose certificates; nobody's for a withdrawal.")] = "",
    whole: Annotated[bool, typer.Option("--whole", help="All rows or none.")] = False,
    beneficiary: Annotated[str, typer.Option(help="For whom.")] = "",
    reason: Annotated[str, typer.Option(help="Why; for the public.")] = "",
    until: Annotated[str, typer.Option(help="Of a reservation: until when (ISO 8601 with an offset).")] = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Do an act on every row of a file; each row that cannot be is answered with its reason."""
    from penstock.cli.certificates.chosen import word
    from penstock.connect.spool import now_us
    from penstock.period import parse_iso
    from penstock.usecases.registry.bulk import Act, BulkAct, bulk_on
    from penstock.usecases.workspace import Workspace as Opened

    until_us = parse_iso(until) if until else 0
    asked = BulkAct(word(Act, what), account, whole, beneficiary, reason, statement, until_us, by)
    with Opened(workspace) as opened:
        found = bulk_on(opened, key or f"bulk:{opened.store.size()}", file, asked, now_us())
    emit(found, as_json, lambda: _draw(found))


def _draw(found: dict[str, Any]) -> None:
    rows = [("done", found["done"]), *sorted(found["refused"].items())]
    table(f"{found['rows']} rows, {kwh(found['quantity_wh'])}", ("what", "rows"), rows, right=(1,))
