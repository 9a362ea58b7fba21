"""The `penstock` command: nouns and verbs; errors become one sentence, one hint and a documented exit code.

Only Typer is imported here, so that ``--help`` answers at once; each command imports what it needs when it runs.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from penstock.cli import (
    agent,
    attest,
    attest_change,
    audit,
    certificate,
    chain,
    command,
    compute,
    connect,
    connect_lines,
    deal,
    demo_command,
    device,
    key,
    mcp,
    meter,
    serve,
    store,
    trace,
)
from penstock.cli.certificates import account, carbon, exchange, forward, match, on_chain, order, prove
from penstock.cli.certificates import storage as certificate_storage
from penstock.errors import PenstockError


class Nouns(TyperGroup):
    """The nouns; one may be two words, where the first alone is a command too."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As the base does, with the two first words as one name where there is such."""
        both = " ".join(args[:2])
        return super().resolve_command(ctx, [both, *args[2:]] if both in self.commands else args)


app = typer.Typer(
    name="penstock",
    cls=Nouns,
    help="The capital stack from the kilowatt-hour to the AI token.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing Rich for it would take longer than all the rest
)
app.command("demo")(demo_command.demo)
app.command("serve")(serve.serve)
app.command("mcp")(mcp.mcp)
app.command("attest")(attest.attest)
app.add_typer(attest_change.app, name="attest change")
app.add_typer(device.app, name="device")
app.add_typer(meter.app, name="meter")
app.add_typer(connect.app, name="connect")
connect.app.command("folder")(connect_lines.folder)
connect.app.command("mqtt")(connect_lines.mqtt)
app.add_typer(command.app, name="command")
app.add_typer(key.app, name="key")
app.add_typer(certificate.app, name="certificate")
certificate.app.add_typer(on_chain.app, name="chain")
certificate.app.add_typer(match.app, name="match")
certificate.app.add_typer(certificate_storage.app, name="storage")
certificate.app.add_typer(carbon.app, name="carbon")
certificate.app.add_typer(account.app, name="account")
certificate.app.add_typer(order.app, name="order")
certificate.app.add_typer(exchange.app, name="exchange")
certificate.app.add_typer(forward.app, name="forward")
certificate.app.command("prove")(prove.prove)
app.add_typer(deal.app, name="deal")
app.add_typer(agent.app, name="agent")
app.add_typer(compute.app, name="compute")
app.add_typer(chain.app, name="chain")
app.add_typer(trace.app, name="trace")
app.add_typer(store.app, name="store")
app.command("verify")(audit.verify)
app.command("audit")(audit.audit)

INTERRUPTED = 130
STOPPED = "\nStopped. Everything acknowledged is kept; run the same command again to go on.\n"
BROKEN_PIPE = 141


def run() -> None:
    """Entry point. Exit codes: 0 done, 1 our bug, 2 usage, and each error kind's own (see docs/errors.md)."""
    try:
        app()
    except PenstockError as error:
        _say(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # Typer turns Ctrl-C into this exit, without a word
            sys.stderr.write(STOPPED)
        raise
    except KeyboardInterrupt:
        sys.stderr.write(STOPPED)
        sys.exit(INTERRUPTED)


def _say(error: PenstockError) -> None:
    """The one error object as JSON on stdout where JSON was asked for, else in words on stderr."""
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps(error.to_json()) + "\n")
        return
    mistakes = getattr(error, "mistakes", ())
    sys.stderr.write(f"{error.message} [{error.code}]\n" if mistakes else f"{error}\n")
    for mistake in mistakes:
        sys.stderr.write(f"  {mistake}\n")
    if error.hint:
        sys.stderr.write(f"→ {error.hint}\n")
