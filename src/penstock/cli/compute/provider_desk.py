"""`penstock compute provider serve` and what belongs to it: a provider's own process, and its reports collected."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.command import PassphraseFile, chain_key
from penstock.cli.show import HERE, AsJson, Workspace, emit, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.connect.inference.engine import Engine
    from penstock.keys import ChainKey
    from penstock.usecases.provider.offer import Offer
    from penstock.usecases.provider.open_gate import OpenedTill

Folder = Annotated[Path, typer.Argument(help="The provider's folder, with its provider.yaml.", file_okay=False)]


def keys(folder: Folder, as_json: AsJson = False) -> None:
    """Make a provider's keys where there are none, and show what `register` and `rack` ask for."""
    from penstock.usecases.provider.provider import open_keys

    made = open_keys(folder)
    said = {"work_key": made.work.public.hex(), "meter_key": made.meter.public.hex()}
    emit(said, as_json, lambda: table("provider's keys", ("key", "public"), list(said.items())))


def serve(
    folder: Folder,
    engine: Annotated[str, typer.Option(help="FILE.py:NAME that makes the model; its code runs here.")] = "",
    upstream: Annotated[str, typer.Option(help="An OpenAI-compatible server to sell the answers of.")] = "",
    model: Annotated[str, typer.Option(help="Its model that is sold; its first by default.")] = "",
    facilitator: Annotated[str, typer.Option(help="The facilitator that settles payments.")] = "",
    rpc: Annotated[str, typer.Option(help="The chain's JSON-RPC, asked what became of each payment.")] = "",
    unpaid: Annotated[bool, typer.Option("--unpaid", help="Answer whoever asks, for nothing.")] = False,
    key: Annotated[
        Path | None, typer.Option(help="File of its chain key: refunds, credits, signed offers.", dir_okay=False)
    ] = None,
    passphrase_file: PassphraseFile = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8410,
    as_json: AsJson = False,
) -> None:
    """Sell answers on 127.0.0.1 until Ctrl-C; every interval a signed report."""
    from penstock.api.inference.challenges import add_challenges
    from penstock.api.inference.papers import provider_app
    from penstock.api.running import serve_in_thread
    from penstock.cli.connect_lines import wait_for
    from penstock.connect.inference.commitments import Commitments
    from penstock.connect.spool import now_us
    from penstock.mcp.door import mount
    from penstock.mcp.provider import provider_door
    from penstock.usecases.provider.offer import read_offer
    from penstock.usecases.provider.provider import Provider
    from penstock.usecases.provider.reveal import Challengers
    from penstock.usecases.provider.tell_spans import SpanTeller
    from penstock.usecases.provider.upkeep import Upkeep

    offer = read_offer(folder)
    made = _engine(engine, upstream, model)
    with ExitStack() as stack:
        paying = chain_key(key, passphrase_file) if key else None
        till = None if unpaid else stack.enter_context(_till(offer, folder, facilitator, rpc, made.models(), paying))
        gate = till.gate if till else None
        provider = stack.enter_context(Provider(folder, made, offer, now_us, gate=gate))
        spans = SpanTeller(provider, offer.otlp) if offer.otlp else None
        stack.enter_context(Upkeep(provider, gate, till.credits if till else None, spans=spans, tell=_tell))
        app = provider_app(provider)
        if offer.challengers:
            add_challenges(app, provider.desk, Challengers(provider, stack.enter_context(Commitments(folder))))
        mount(app, provider_door(provider))
        running = stack.enter_context(serve_in_thread(app, port))
        said = {"url": running.url, "model": provider.model, "power": provider.meter.power.source}
        said |= {"refunds": till.refunds} if till else {}
        sys.stdout.write((json.dumps(said) if as_json else f"{said['model']} at {running.url}/v1, Ctrl-C stops") + "\n")
        sys.stdout.flush()
        wait_for(lambda: None)


def _engine(engine: str, upstream: str, model: str) -> Engine:
    from penstock.connect.inference.upstream import Upstream
    from penstock.errors import Invalid
    from penstock.usecases.provider.load_engine import load_engine

    if bool(engine) == bool(upstream):
        raise Invalid("engine.one", "Name an engine or an upstream server, one of both.")
    return load_engine(engine) if engine else Upstream(upstream, model)


def _till(
    offer: Offer, folder: Path, facilitator: str, rpc: str, models: Sequence[str], key: ChainKey | None
) -> OpenedTill:
    from penstock.connect.spool import now_us
    from penstock.errors import Invalid
    from penstock.usecases.provider.open_gate import open_till
    from penstock.usecases.provider.provider import open_keys

    if not (facilitator and rpc):
        hint = "Give --facilitator and --rpc, or say --unpaid."
        raise Invalid("provider.no_gate", "Nobody is named who settles payments.", hint=hint)
    work_key = open_keys(folder).work
    return open_till(offer, folder, facilitator, rpc, now_us, models=models, key=key, work_key=work_key)


def _tell(code: str) -> None:
    sys.stderr.write(f"upkeep: {code}\n")


def disclose(
    folder: Folder,
    target: Annotated[Path, typer.Argument(help="Where the files are written.", file_okay=False)],
    payment: Annotated[list[str], typer.Option(help="A payment id (hex) that a challenge drew; may be repeated.")],
    as_json: AsJson = False,
) -> None:
    """Write request and answer of drawn answers, for a challenge to do them again. The door must be stopped."""
    from penstock.connect.inference.workbook import Workbook
    from penstock.errors import Invalid
    from penstock.usecases.provider.disclose import disclose_to

    try:
        wanted = [bytes.fromhex(one) for one in payment]
    except ValueError:
        raise Invalid("receipt.payment_id", "A payment's id is 64 hexadecimal digits.") from None
    with Workbook(folder) as workbook:
        written = disclose_to(workbook, wanted, target)
    emit({"written": written}, as_json, lambda: table("disclosed", ("file",), [(name,) for name in written]))


def collect(
    provider: Annotated[str, typer.Argument(help="The provider, as registered.")],
    url: Annotated[str, typer.Option(help="Its door.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Or a folder of its reports.", file_okay=False)] = None,
    deal: Annotated[str, typer.Option(help="The deal that the dollars are for, with --asset.")] = "",
    asset: Annotated[str, typer.Option(help="The asset of the deal's pool that earned them.")] = "",
    account: Annotated[str, typer.Option(help="Or the account; else the provider's revenue account.")] = "",
    by: Annotated[str, typer.Option(help="Who services that deal, and so bills and matches.")] = "",
    unmatched: Annotated[bool, typer.Option("--unmatched", help="Even where no energy was bought.")] = False,
    credit: Annotated[list[str] | None, typer.Option(help="ID=CLASS: a class on chain as it is named here.")] = None,
    holder: Annotated[list[str] | None, typer.Option(help="0xADDRESS=ACCOUNT: who spends credits.")] = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Record a provider's signed reports: work, energy, sales and what they are linked to; each once, in order."""
    from penstock.connect.spool import now_us
    from penstock.errors import Invalid
    from penstock.usecases.collect_reports import collect_all, from_folder, from_url
    from penstock.usecases.record_work import Payee
    from penstock.usecases.redeem_spent import Spenders
    from penstock.usecases.workspace import Workspace as Opened

    if bool(url) == (folder is not None):
        raise Invalid("work.source", "Name the provider's door or a folder, one of both.")
    source = from_folder(folder) if folder else from_url(url)
    payee, spenders = Payee(deal, asset, account, by), Spenders(_named(credit, 32), _named(holder, 20))
    with Opened(workspace) as opened:
        found = collect_all(opened, provider, source, payee, now_us(), unmatched=unmatched, spenders=spenders)
    rows = [one.to_json() for one in found]
    heads = ("rack", "start_us", "answers", "paid_usdc_micro", "energy_mj", "known")
    emit({"reports": rows}, as_json, lambda: table("reports", heads, [[str(row[h]) for h in heads] for row in rows]))


def _named(said: list[str] | None, width: int) -> dict[bytes, str]:
    """``HEX=NAME`` as bytes and name; raises Invalid ``work.name``."""
    from penstock.errors import Invalid

    found = {}
    for one in said or ():
        digits, sign, name = one.partition("=")
        try:
            raw = bytes.fromhex(digits.removeprefix("0x"))
        except ValueError:
            raw = b""
        if not sign or not name or not 0 < len(raw) <= width:
            raise Invalid("work.name", f"Write {width} bytes in hex, =, and the name here.", said=one[:100])
        found[raw.rjust(width, b"\0")] = name
    return found
