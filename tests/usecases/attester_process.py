"""`penstock attest` alone in a process, its errors shown as the command shows them."""

from __future__ import annotations

import sys

import typer

from penstock.cli.attest import attest
from penstock.errors import PenstockError

if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command()(attest)
    try:
        app()
    except PenstockError as error:
        import json

        sys.stdout.write(json.dumps(error.to_json()) + "\n")
        sys.exit(error.exit_code)
