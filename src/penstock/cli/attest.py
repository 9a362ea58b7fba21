"""`penstock attest`: recompute a deal's measures from its published record, sign them, vote on chain."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from penstock.keys import ChainKey
    from penstock.usecases.anchor_rpc import AnchorChain
    from penstock.usecases.attest import Attester, Outcome

PASSPHRASE: Final = "PENSTOCK_PASSPHRASE"  # noqa: S105 (the name of the variable, not what it holds)
POLL_S: Final = 0.1
ABANDONED: Final = 6
"""Exit code when standard input has closed: that of Unavailable."""


def attest(
    source: Annotated[str, typer.Option(help="Where the record is: the address of an operator, or a folder.")],
    rpc: Annotated[str, typer.Option(help="The chain's JSON-RPC address.")],
    deal: Annotated[str, typer.Option(help="The deal to attest.")],
    keys: Annotated[Path, typer.Option(help="The folder of this attester's keys and of its memory of votes.")],
    key: Annotated[str, typer.Option(help="The key's name: its file in the folder, with or without .json.")],
    passphrase_file: Annotated[
        Path | None, typer.Option(help=f"A file that holds the key's passphrase; else {PASSPHRASE} is read.")
    ] = None,
    periods: Annotated[int, typer.Option(min=1, help="Stop after so many periods.")] = 1_000_000,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for periods that are not ready yet.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="With --follow: seconds to wait for the next period.")] = 600,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="Stop when standard input closes: when whoever started it is gone.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Attest each period that is ready: recompute, compare, sign, vote. What does not agree is never signed."""
    if until_eof:
        _stop_at_eof()
    from penstock.usecases.anchor_rpc import AnchorChain, JsonRpc
    from penstock.usecases.attest import Attester
    from penstock.usecases.record_source import open_source
    from penstock.usecases.votes import VoteJournal

    own = _key(keys, key, passphrase_file)
    with VoteJournal(keys / f"{key.removesuffix('.json')}.votes") as votes:
        patience_s = timeout if follow else 0.0
        chain = _patiently(lambda: AnchorChain(JsonRpc(rpc)), patience_s)
        _run(Attester(open_source(source), chain, own, votes, deal), own, periods, patience_s, as_json)


def _patiently(reach: Callable[[], AnchorChain], patience_s: float) -> AnchorChain:
    """The chain, once it answers: an operator may serve it only while a period waits for its report."""
    import time

    from penstock.errors import Unavailable

    deadline = time.monotonic() + patience_s
    while True:
        try:
            return reach()
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
        time.sleep(POLL_S)


def _stop_at_eof() -> None:
    """End this process once its standard input ends, wherever it stands: votes are on disk before they are sent."""
    import os
    import threading

    def watch() -> None:
        while os.read(0, 4_096):
            pass
        os._exit(ABANDONED)

    threading.Thread(target=watch, name="until-eof", daemon=True).start()


def _key(folder: Path, name: str, passphrase_file: Path | None) -> ChainKey:
    import os

    from penstock.chain.keystore import load_key
    from penstock.errors import Invalid
    from penstock.keys import ChainKey

    given = passphrase_file.read_text().rstrip("\r\n") if passphrase_file else os.environ.get(PASSPHRASE)
    if given is None:
        raise Invalid("key.no_passphrase", "The key's passphrase is not given.", hint=f"Set {PASSPHRASE}.")
    path = folder / name
    found = load_key(path if path.is_file() else folder / f"{name}.json", given)
    if not isinstance(found, ChainKey):
        raise Invalid("key.kind", "An attester's key is a secp256k1 key of the chain.", key=name)
    return found


def _run(attester: Attester, own: ChainKey, periods: int, patience_s: float, as_json: bool) -> None:
    """Attest until enough periods are done, or none has become ready for ``patience_s``."""
    import time

    from penstock.errors import Unavailable

    done, deadline = 0, time.monotonic() + patience_s
    while done < periods:
        try:
            for outcome in attester.attest_ready(periods - done):
                _say(outcome, own, as_json)
                done, deadline = done + 1, time.monotonic() + patience_s
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
        if done >= periods or patience_s == 0:
            return
        if time.monotonic() >= deadline:
            hint = "Is the operator anchoring? Run the same command again."
            raise Unavailable("attest.timeout", f"{done} of {periods} periods became ready in time.", hint=hint)
        time.sleep(POLL_S)


def _say(outcome: Outcome, own: ChainKey, as_json: bool) -> None:
    asked = outcome.request
    said = {
        "deal": asked.deal,
        "period": asked.period,
        "as_of_us": asked.as_of_us,
        "status": outcome.status,
        **outcome.measures,
        "word": hex(outcome.report.word),
        "size": asked.size,
        "root": asked.root.hex(),
        "attester": "0x" + own.address.hex(),
        "tx": outcome.tx_hash,
    }
    if as_json:
        line = json.dumps(said)
    else:
        figures = ", ".join(f"{name} {value:,}" for name, value in outcome.measures.items())
        line = f"{asked.deal}, period {asked.period + 1}: {outcome.status}; {figures}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
