"""`penstock compute`: providers, capacity, windows, credits, and the work that is delivered; a file a noun.

Each noun's file has an ``app``, or functions that are commands here. Only Typer is imported at this level, so that
``--help`` answers at once.
"""

from __future__ import annotations

import typer

from penstock.cli.compute import (
    capacity,
    challenge,
    credit,
    facilitator,
    provider,
    provider_desk,
    receipt,
    show,
    window,
)

app = typer.Typer(
    help="Compute: capacity, windows, credits, work delivered and paid for.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.add_typer(facilitator.app, name="facilitator")
app.add_typer(provider.app, name="provider")
provider.app.command("keys")(provider_desk.keys)
provider.app.command("serve")(provider_desk.serve)
provider.app.command("disclose")(provider_desk.disclose)
app.command("collect")(provider_desk.collect)
app.add_typer(capacity.app, name="capacity")
app.add_typer(window.app, name="window")
app.add_typer(credit.app, name="credit")
app.add_typer(challenge.app, name="challenge")
app.add_typer(receipt.app, name="receipt")
app.command("status")(show.status)
app.command("sales")(show.sales)
