"""`penstock connect`: the field's protocols, brought into a workspace or to the door of another one."""

from __future__ import annotations

import json
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace

if TYPE_CHECKING:
    from penstock.connect.notebook import Notebook
    from penstock.connect.ports import Outlet, Sink
    from penstock.connect.spool import Spool
    from penstock.errors import PenstockError
    from penstock.usecases.field import Visit

app = typer.Typer(help="Chargers, inverters, racks and vendors' clouds.", no_args_is_help=True, rich_markup_mode=None)

Settings = Annotated[Path, typer.Argument(help="The settings file (TOML).")]
GatewayKey = Annotated[Path | None, typer.Option(help="File of the gateway's Ed25519 seed in hex, chmod 600.")]
To = Annotated[str, typer.Option(help="Deliver to this door instead; its API key lies in PENSTOCK_API_KEY.")]
Once = Annotated[bool, typer.Option(help="Visit and deliver once, then end.")]
API_KEY = "PENSTOCK_API_KEY"


@app.command()
def ocpp(
    settings: Settings,
    workspace: Workspace = HERE,
    gateway_key: GatewayKey = None,
    to: To = "",
    as_json: AsJson = False,
) -> None:
    """Serve chargers as their central system (OCPP 1.6 and 2.0.1) until Ctrl-C; send them what they are commanded."""
    from penstock.cli.field_settings import OcppSettings, read_settings
    from penstock.connect.ocpp_central import CentralSystem
    from penstock.connect.ocpp_door import tls_context
    from penstock.connect.spool import now_us

    given, folder = read_settings(settings, OcppSettings), settings.parent
    chargers = given.chargers()
    devices = [device for one in chargers for device in one.devices.values()]
    tls = None
    if given.profile > 1:
        authority = folder / given.chargers_ca if given.chargers_ca else None
        tls = tls_context(folder / given.certificate, folder / given.key, authority)
    with _yard("ocpp", workspace, to, gateway_key, devices) as yard:
        central = CentralSystem(
            chargers, yard.gateway(), now_us, host=given.host, port=given.port, tls=tls, tell=_tell_of(as_json)
        )
        with central, yard.dispatching(central, devices) as dispatcher:
            _say({"listening": f"{given.host}:{central.port}", "chargers": len(chargers)}, as_json)
            yard.wait(dispatcher)


@app.command()
def sunspec(
    settings: Settings,
    workspace: Workspace = HERE,
    gateway_key: GatewayKey = None,
    to: To = "",
    once: Once = False,
    as_json: AsJson = False,
) -> None:
    """Read inverters and meters (SunSpec over Modbus TCP) until Ctrl-C; send them what they are commanded."""
    from penstock.cli.field_settings import SunSpecSettings, read_settings
    from penstock.connect.spool import now_us
    from penstock.connect.sunspec import SunSpecReader
    from penstock.connect.sunspec_control import SunSpecOutlet

    given = read_settings(settings, SunSpecSettings)
    stations = given.stations()
    devices = [station.device for station in stations]
    with _yard("sunspec", workspace, to, gateway_key, devices) as yard:
        reader = SunSpecReader(stations, yard.notebook, yard.gateway(), now_us)
        with yard.dispatching(SunSpecOutlet(stations, now_us), devices) as dispatcher:
            yard.visit(reader.visit, given.every_s, once, as_json, dispatcher)


@app.command()
def prometheus(
    settings: Settings,
    workspace: Workspace = HERE,
    gateway_key: GatewayKey = None,
    to: To = "",
    once: Once = False,
    as_json: AsJson = False,
) -> None:
    """Scrape the energy counters of racks (Prometheus, DCGM, Kepler) until Ctrl-C."""
    import httpx

    from penstock.cli.field_settings import PrometheusSettings, read_settings
    from penstock.connect.prometheus import Scraper
    from penstock.connect.spool import now_us

    given = read_settings(settings, PrometheusSettings)
    targets = given.targets()
    with (
        _yard("prometheus", workspace, to, gateway_key, [target.device for target in targets]) as yard,
        httpx.Client(timeout=10) as client,
    ):
        scraper = Scraper(targets, yard.notebook, yard.gateway(), client, now_us)
        yard.visit(scraper.visit, given.every_s, once, as_json)


@app.command()
def vendor(
    settings: Settings, workspace: Workspace = HERE, to: To = "", once: Once = False, as_json: AsJson = False
) -> None:
    """Pull an account's history from a vendor's cloud, and go on until Ctrl-C."""
    import time

    import httpx

    from penstock.cli.field_settings import VendorSettings, read_settings
    from penstock.connect.spool import now_us
    from penstock.connect.vendor_cloud import Puller
    from penstock.connect.vendor_dialect import shipped
    from penstock.connect.vendor_session import Session

    given = read_settings(settings, VendorSettings)
    systems, account, dialect = given.systems(), given.account_at(settings.parent), shipped(given.dialect)
    with (
        _yard(f"vendor-{dialect.name}", workspace, to, None, [system.device for system in systems]) as yard,
        httpx.Client(timeout=30) as client,
    ):
        session = Session(account, dialect, yard.notebook, client, now_us, time.sleep)
        puller = Puller(session, dialect, systems, yard.notebook, yard.gateway(), now_us)
        yard.visit(puller.visit, given.every_s, once, as_json)


@dataclass
class _Yard:
    """What a connector stands on: its notebook and spool, and how both are delivered and commanded."""

    spool: Spool
    notebook: Notebook
    gateway: Callable[[], Sink]
    deliver_all: Callable[[], int]
    collecting: Callable[[], Any]
    dispatching: Callable[[Outlet, Sequence[str]], Any]

    def visit(self, visit: Visit, every_s: int, once: bool, as_json: bool, dispatcher: Any = None) -> None:
        """Visit once and deliver, or both until Ctrl-C."""
        from penstock.usecases.field import keep_visiting

        tell = _tell_of(as_json)
        if once:
            wrong = visit()
            for error in wrong:
                tell("", error)
            _say({"delivered": self.deliver_all(), "wrong": len(wrong)}, as_json)
            return
        with self.collecting() as collector:
            failure = _failure_of(collector, dispatcher)
            keep_visiting(visit, every_s, lambda error: tell("", error), failure, threading.Event())

    def wait(self, dispatcher: Any) -> None:
        """Deliver until Ctrl-C."""
        from penstock.usecases.field import watch

        with self.collecting() as collector:
            watch(_failure_of(collector, dispatcher), threading.Event(), math.inf)


def _failure_of(*threads: Any) -> Callable[[], PenstockError | None]:
    """What stopped one of these beside us; None while they go on."""
    return lambda: next((one.failure for one in threads if one is not None and one.failure is not None), None)


@contextmanager
def _yard(name: str, workspace: Path, to: str, gateway_key: Path | None, devices: Sequence[str]) -> Iterator[_Yard]:
    """Everything open that a connector needs, closed again in the end."""
    import os
    from contextlib import nullcontext
    from functools import partial

    from penstock.connect.notebook import Notebook
    from penstock.connect.secret import from_environment
    from penstock.connect.spool import Spool, now_us
    from penstock.usecases.collect import Collector, drain, into_workspace, over_http
    from penstock.usecases.command import Dispatcher
    from penstock.usecases.field import check_enrolled, sent_before
    from penstock.usecases.gateway import Gateway, nothing_sent
    from penstock.usecases.workers import Workers
    from penstock.usecases.workspace import Workspace as Opened

    folder = workspace / "connect"
    sent: Callable[[str], Any] = nothing_sent
    with ExitStack() as stack:
        if to:
            folder.mkdir(parents=True, exist_ok=True)
            deliver = over_http(to, from_environment(API_KEY, os.environ).text)
        else:
            _check(workspace)
            opened = stack.enter_context(Opened(workspace))
            check_enrolled(opened, devices)
            folder.mkdir(exist_ok=True)
            sent, deliver = sent_before(opened), into_workspace(opened, stack.enter_context(Workers()))

        def dispatching(outlet: Outlet, reached: Sequence[str]) -> Any:
            """Commands come from the workspace; at another's door there is none."""
            if to:
                return nullcontext()
            return Dispatcher(opened, lambda device: outlet if device in reached else None, now_us)

        spool = stack.enter_context(Spool(folder / f"{name}.spool"))
        yield _Yard(
            spool,
            Notebook(folder / f"{name}.notes.json"),
            lambda: Gateway(spool, _signing_key(gateway_key), sent),
            partial(drain, spool, deliver),
            partial(Collector, spool, deliver),
            dispatching,
        )


def _signing_key(path: Path | None) -> Any:
    from penstock.connect.secret import from_file
    from penstock.errors import Invalid
    from penstock.keys import SigningKey

    if path is None:
        return None
    try:
        return SigningKey(bytes.fromhex(from_file(path).text))
    except ValueError:
        raise Invalid("connect.gateway_key", "The gateway's key is 32 bytes in hex.", file=path.name) from None


def _check(workspace: Path) -> None:
    from penstock.errors import NotFound
    from penstock.store.opening import is_workspace

    if not is_workspace(workspace):
        hint = "Name the folder with --workspace, or a door with --to."
        raise NotFound("store.no_workspace", "There is no workspace here.", hint=hint, path=workspace)


def _tell_of(as_json: bool) -> Callable[[str, PenstockError], None]:
    """Says on standard error what went wrong: who, the code, the sentence; never a message's content."""

    def tell(who: str, error: PenstockError) -> None:
        line = json.dumps(error.to_json() | {"who": who}) if as_json else f"{who}{': ' if who else ''}{error}"
        sys.stderr.write(line + "\n")

    return tell


def _say(what: dict[str, object], as_json: bool) -> None:
    sys.stdout.write((json.dumps(what) if as_json else ", ".join(f"{k} {v}" for k, v in what.items())) + "\n")
    sys.stdout.flush()
