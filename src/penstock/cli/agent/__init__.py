"""`penstock agent`: an agent with a budget buys compute at the margin, inside a mandate.

Only Typer is imported at this level, so that ``--help`` answers at once.
"""

from __future__ import annotations

import typer

from penstock.cli.agent import log, mandate, plan, run, spender

app = typer.Typer(
    help="An agent that buys compute inside a mandate.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("key")(mandate.key)
app.command("mandate")(mandate.mandate)
app.command("approve")(mandate.approve)
app.command("stop")(mandate.stop)
app.command("quotes")(run.quotes)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("log")(log.log)
app.command("payments")(log.payments)
app.command("settle")(log.settle)
app.command("new-spender")(spender.new_spender)
app.command("spender")(spender.show)
app.command("bound")(spender.bound)
app.command("fund")(spender.fund)
app.command("withdraw")(spender.withdraw)
app.command("revoke")(spender.revoke)
