"""`penstock deal take-fees`: a payee takes what a deal owes it for its service."""

from __future__ import annotations

from typing import Final

from penstock.cli.deals.vote import DealName, KeyFile, PassphraseFile, desk_under
from penstock.cli.show import HERE, AsJson, Workspace, emit, table, usdc

HEADS: Final = ("payee", "taken")


def take_fees(
    deal: DealName,
    key: KeyFile,
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Take all fees a deal owes this account, also those from before another took its place; and record it."""
    from penstock.connect.spool import now_us
    from penstock.usecases.take_fees import take_fees as take

    with desk_under(workspace, deal, key, passphrase_file) as (opened, desk):
        taken = take(opened, desk, deal, now_us())
    cells = [(payee, usdc(amount)) for payee, amount in taken.items()]
    found = {"deal": deal, "taken_usdc_micro": taken}
    emit(found, as_json, lambda: table(f"taken from {deal}", HEADS, cells, right=(1,)))
