"""`penstock certificate transfer|split|reserve|release|retire|claim`: what holders do with certificates."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli.certificates.chosen import (
    Account,
    Assurance,
    Beneficiary,
    By,
    Key,
    Names,
    Register,
    Share,
    Since,
    Statement,
    Technology,
    Until,
    Wh,
    Zone,
    act,
    selection_of,
)
from penstock.cli.show import HERE, AsJson, Workspace

Reason = Annotated[str, typer.Option(help="Why, in a few words; for the public.")]


def transfer(
    account: Account,
    target: Annotated[str, typer.Option(help="The account that gets them.")],
    certificate: Names = None,
    wh: Wh = 0,
    share: Share = 0,
    zone: Zone = "",
    register: Register = "",
    technology: Technology = "",
    assurance: Assurance = "",
    since: Since = "",
    until: Until = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Certificates go to another account, which has to receive from this one."""
    from penstock.usecases.registry.transfer import Transfer, transfer_on

    chosen = selection_of(certificate, wh, share, zone, register, technology, assurance, since, until)
    asked = Transfer(account, target, chosen, statement, by)
    act(workspace, key, "transfer", lambda opened, name, at_us: transfer_on(opened, name, asked, at_us), as_json)


def split(
    account: Account,
    certificate: Annotated[str, typer.Argument(help="The whole certificate's name, REGISTER@START-STOP.")],
    size: Annotated[list[int], typer.Option("--size", help="A part's Wh, in order; what is left is one more.")],
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Cut a certificate into several."""
    from penstock.usecases.registry.certificate_rows import parse_id
    from penstock.usecases.registry.split import Split, split_on

    asked = Split(account, parse_id(certificate), tuple(size), by)
    act(workspace, key, "split", lambda opened, name, at_us: split_on(opened, name, asked, at_us), as_json)


def reserve(
    account: Account,
    beneficiary: Annotated[str, typer.Option(help="For whom they are kept.")],
    end: Annotated[
        str, typer.Option("--until", help="Until when (ISO 8601 with an offset); as long as they want.")
    ] = "",
    certificate: Names = None,
    wh: Wh = 0,
    share: Share = 0,
    zone: Zone = "",
    register: Register = "",
    reason: Reason = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Keep certificates for somebody, until a time."""
    from penstock.period import parse_iso
    from penstock.usecases.registry.reserve import Reserve, reserve_on

    chosen = selection_of(certificate, wh, share, zone, register)
    asked = Reserve(account, chosen, beneficiary, parse_iso(end) if end else 0, reason, by)
    act(workspace, key, "reserve", lambda opened, name, at_us: reserve_on(opened, name, asked, at_us), as_json)


def release(
    account: Annotated[str, typer.Option(help="Whose certificates; none: all whose time has come.")] = "",
    beneficiary: Annotated[str, typer.Option(help="For whom they were kept, who lets go of them.")] = "",
    certificate: Names = None,
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """End reservations: by whom they are for, by the holder when their time has come, or all that have lapsed."""
    from penstock.usecases.registry.reserve import Release, lapse_on, release_on

    if not account:
        act(workspace, key, "lapse", lapse_on, as_json)
        return
    asked = Release(account, selection_of(certificate, 0, 0), beneficiary, by)
    act(workspace, key, "release", lambda opened, name, at_us: release_on(opened, name, asked, at_us), as_json)


def retire(
    account: Account,
    beneficiary: Beneficiary,
    reason: Reason = "",
    tariff: Annotated[str, typer.Option(help="Instead of a reason: the green tariff whose customers get them.")] = "",
    certificate: Names = None,
    wh: Wh = 0,
    share: Share = 0,
    zone: Zone = "",
    register: Register = "",
    technology: Technology = "",
    assurance: Assurance = "",
    since: Since = "",
    until: Until = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Use certificates up for a stated reason, or for a green tariff."""
    from penstock.usecases.registry.retire import Retirement, green_tariff, retire_on

    chosen = selection_of(certificate, wh, share, zone, register, technology, assurance, since, until)
    asked = Retirement(account, chosen, beneficiary, green_tariff(tariff) if tariff else reason, statement, by=by)
    act(workspace, key, "retire", lambda opened, name, at_us: retire_on(opened, name, asked, at_us), as_json)


def claim(
    account: Account,
    consumer: Annotated[list[str] | None, typer.Option(help="Who drew it; the account itself by default.")] = None,
    beneficiary: Annotated[str, typer.Option(help="For whom; the account by default.")] = "",
    certificate: Names = None,
    wh: Wh = 0,
    share: Share = 0,
    zone: Zone = "",
    register: Register = "",
    since: Since = "",
    until: Until = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Use chosen certificates for what was drawn in the same intervals, Wh for Wh."""
    from penstock.usecases.registry.claim_certificates import ClaimCertificates, claim_on

    chosen = selection_of(certificate, wh, share, zone, register, "", "", since, until)
    asked = ClaimCertificates(account, chosen, tuple(consumer or ()), beneficiary, statement, by=by)
    act(workspace, key, "claim", lambda opened, name, at_us: claim_on(opened, name, asked, at_us), as_json)
