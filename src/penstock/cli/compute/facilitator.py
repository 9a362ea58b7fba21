"""`penstock compute facilitator`: settle x402 payments for whoever asks on this machine."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.command import PassphraseFile, chain_key
from penstock.cli.show import AsJson

app = typer.Typer(help="Payments settled on a chain (x402).", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def serve(
    rpc: Annotated[str, typer.Option(help="The chain's JSON-RPC.")],
    key: Annotated[Path, typer.Option(help="File of the chain key that pays the gas.", exists=True, dir_okay=False)],
    asset: Annotated[list[str], typer.Option(help="A token to settle in: 0x and 40 hex digits; may be repeated.")],
    store: Annotated[Path, typer.Option(help="File of what was settled; other facilitators may share it.")],
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8402,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify and settle payments on 127.0.0.1 until Ctrl-C."""
    from web3 import HTTPProvider

    from penstock.api.facilitator.app import make_facilitator_app
    from penstock.api.running import serve_in_thread
    from penstock.chain.client import ChainClient
    from penstock.cli.connect_lines import wait_for
    from penstock.connect.x402.payment import address
    from penstock.usecases.facilitate import make_facilitator

    client = ChainClient(HTTPProvider(rpc, request_kwargs={"timeout": 10}))
    assets = [address(one, "--asset") for one in asset]
    facilitator = make_facilitator(client, chain_key(key, passphrase_file), store, assets)
    with ExitStack() as stack:
        stack.callback(facilitator.close)
        network = facilitator.get_supported().kinds[0].network
        running = stack.enter_context(serve_in_thread(make_facilitator_app(facilitator, network), port))
        said = {"url": running.url, "network": network}
        sys.stdout.write((json.dumps(said) if as_json else f"facilitator {running.url} for {network}") + "\n")
        sys.stdout.flush()
        wait_for(lambda: None)
