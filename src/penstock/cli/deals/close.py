"""`penstock deal close`: the first open period of a deal is anchored, reported, paid and pulled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.command import passphrase
from penstock.cli.deals.launch import Keys, PassphraseFile
from penstock.cli.show import HERE, AsJson, Workspace, emit, table, usdc

if TYPE_CHECKING:
    from penstock.chain.node import Node
    from penstock.keys import ChainKey, SigningKey
    from penstock.usecases.close_due import Wait
    from penstock.usecases.workspace import Workspace as Opened

LOOK_S: Final = 0.2


def close(
    deal: Annotated[str, typer.Argument(help="The deal's name.")],
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the attesters, served meanwhile.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of page and API while it waits.")] = 8400,
    rpc_port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the chain while it waits.")] = 8545,
    without_report: Annotated[
        bool, typer.Option("--without-report", help="Close as stale where nobody reported and the grace is over.")
    ] = False,
    keys: Keys = None,
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Close the first open period: anchor its data, wait for the report, bring its dollars, pay, let tranches pull."""
    from penstock.connect.spool import now_us
    from penstock.usecases.arrange import launched_desk
    from penstock.usecases.close_due import Closing, close_due
    from penstock.usecases.workspace import KEYS_FOLDER
    from penstock.usecases.workspace import Workspace as Opened

    own, log_key = _keys(keys or workspace / KEYS_FOLDER, passphrase(passphrase_file))
    with ExitStack() as stack:
        opened = stack.enter_context(Opened(workspace))
        desk, node = stack.enter_context(launched_desk(opened, own, deal))
        waiting = _waiting(stack, opened, node, (port, rpc_port), wait)
        done = close_due(opened, desk, log_key, deal, Closing(waiting, without_report), now_us())
    emit(done, as_json, lambda: _draw(done))


def _keys(folder: Path, given: str) -> tuple[ChainKey, SigningKey]:
    from penstock.chain.keystore import load_key
    from penstock.errors import Invalid
    from penstock.keys import ChainKey, SigningKey

    own, log_key = load_key(folder / "operator.json", given), load_key(folder / "log.json", given)
    if not (isinstance(own, ChainKey) and isinstance(log_key, SigningKey)):
        raise Invalid("key.kind", "The operator's key is of the chain, the log's an Ed25519 key.", folder=folder)
    return own, log_key


def _waiting(stack: ExitStack, opened: Opened, node: Node, ports: tuple[int, int], patience_s: float) -> Wait:
    """Asks until it is so; page, API and chain are served from the first time that it is not."""
    import time

    def wait(done: Callable[[], bool]) -> bool:
        if done() or not patience_s:
            return done()
        _serve(stack, opened, node, ports)
        deadline = time.monotonic() + patience_s
        while not done():
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S)
        return True

    return wait


def _serve(stack: ExitStack, opened: Opened, node: Node, ports: tuple[int, int]) -> None:
    from penstock.api.app import make_app
    from penstock.api.running import serve_in_thread
    from penstock.chain.rpc import serve as serve_rpc

    rpc = stack.enter_context(serve_rpc(node, ports[1]))
    running = stack.enter_context(serve_in_thread(make_app(opened), ports[0]))
    sys.stderr.write(f"waiting for attesters: --source {running.url} --rpc {rpc}\n")
    sys.stderr.flush()


def _draw(done: dict[str, Any]) -> None:
    told = "on its report" if done["reported"] else "without a report"
    title = f"{done['deal']}: period {done['period']} to {done['stop']} closed {told}: {done['state']}"
    rows = [(source, target, usdc(amount)) for source, target, amount in done["paid"]]
    table(title, ("from", "to", "amount"), [("", "came in", usdc(done["inflow_usdc_micro"])), *rows], right=(2,))
