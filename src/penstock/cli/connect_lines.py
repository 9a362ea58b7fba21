"""`penstock connect folder` and `penstock connect mqtt`: signed messages from files and from a broker."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, table

if TYPE_CHECKING:
    from penstock.connect.folder import Taken
    from penstock.connect.mqtt_link import Broker
    from penstock.connect.spool import Spool
    from penstock.errors import PenstockError
    from penstock.usecases.collect import Deliver
    from penstock.usecases.gateway import Gateway
    from penstock.usecases.line import Line
    from penstock.usecases.workspace import Workspace as Opened

API_KEY: Final = "PENSTOCK_API_KEY"
MQTT_PASSWORD: Final = "PENSTOCK_MQTT_PASSWORD"  # noqa: S105 (the name of the variable, not what it holds)
_LOOK_S: Final = 0.5
Look = Callable[[], "PenstockError | None"]
"""Looks whether something failed for good."""

To = Annotated[
    str, typer.Option(help=f"Deliver to this door (http) or broker (mqtt) instead; its API key lies in {API_KEY}.")
]
Once = Annotated[bool, typer.Option("--once", help="Take what lies there, deliver it, and end.")]
Authority = Annotated[Path | None, typer.Option(help="For mqtts: the certificate of the broker's own authority.")]
Sender = Annotated[str, typer.Option(help="Who we are at the broker: the same name goes on with the same session.")]


def folder(
    folder: Annotated[Path, typer.Argument(help="The folder to watch.", exists=True, file_okay=False)],
    workspace: Workspace = HERE,
    to: To = "",
    once: Once = False,
    name: Sender = "folder",
    as_json: AsJson = False,
) -> None:
    """Take files from a folder until Ctrl-C: signed messages, CSV, Parquet, Green Button. They move to done/."""
    from penstock.connect.folder import FolderConnector, WatchedFolder
    from penstock.usecases.collect import drain
    from penstock.usecases.files import ALL_READERS

    tell = _teller(as_json)
    with _destination(workspace, to, name) as (path, deliver, _opened):
        if once:
            with _spool_of(path, name) as (spool, gateway):
                watched = WatchedFolder(folder, gateway.take_once, ALL_READERS)
                watched.visit()
                taken = watched.visit()
                said = {"files": len(taken), "failed": sum(one.error is not None for one in taken)}
                said |= {"delivered": drain(spool, deliver), "waiting": spool.waiting().messages}
            emit(said, as_json, lambda: table(folder.name, ("what", "how many"), list(said.items()), right=(1,)))
            return
        with ExitStack() as stack:
            line = stack.enter_context(_line(path, name, deliver))
            watched = WatchedFolder(folder, line.gateway.take_once, ALL_READERS)
            connector = stack.enter_context(FolderConnector(watched, tell))
            wait_for(lambda: line.failure or connector.failure)


def mqtt(
    address: Annotated[str, typer.Argument(help=f"mqtt://[user@]host[:port][/root]; password in {MQTT_PASSWORD}.")],
    workspace: Workspace = HERE,
    to: To = "",
    name: Sender = "collector",
    authority: Authority = None,
    as_json: AsJson = False,
) -> None:
    """Collect from an MQTT broker until Ctrl-C, and send its devices what they are commanded."""
    with _destination(workspace, to, name) as (path, deliver, opened), ExitStack() as stack:
        line = stack.enter_context(_line(path, name, deliver))
        failures: list[Look] = [lambda: line.failure]
        failures += stack.enter_context(broker_of(opened, line, broker_at(address, authority), name))
        _say({"collecting": address, "name": name}, f"collecting from {address}", as_json)
        wait_for(lambda: next((found for look in failures if (found := look())), None))


@contextmanager
def broker_of(opened: Opened | None, line: Line, broker: Broker, name: str) -> Iterator[list[Look]]:
    """A broker collected from into ``line``, and commanded where the workspace is ours; how to see that it failed."""
    from penstock.connect.mqtt import MqttConnector, forget_answer
    from penstock.connect.spool import now_us
    from penstock.usecases.command import Dispatcher, listener

    on_answer = listener(opened, now_us) if opened else forget_answer
    connector = MqttConnector(broker, line.gateway, f"{broker.root}-{name}", on_answer)
    with connector, ExitStack() as stack:
        if opened is None:
            yield [lambda: connector.failure]
        else:
            dispatcher = stack.enter_context(Dispatcher(opened, lambda _device: connector, now_us))
            yield [lambda: connector.failure, lambda: dispatcher.failure]


def broker_at(address: str, authority: Path | None = None) -> Broker:
    """The broker at an address, the password from the environment."""
    from penstock.errors import Unavailable

    try:
        from penstock.connect.mqtt_link import read_address
    except ModuleNotFoundError as missing:
        hint = "Install penstock[field]."
        raise Unavailable("connect.no_library", "The library for MQTT is missing.", hint=hint) from missing
    return read_address(address, os.environ.get(MQTT_PASSWORD), authority)


def wait_for(failure: Callable[[], PenstockError | None]) -> None:
    """Until Ctrl-C or a request to terminate, or until something failed for good, which is raised."""
    import signal
    import threading

    stop = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: stop.set())
    while not stop.wait(_LOOK_S):
        found = failure()
        if found:
            raise found


@contextmanager
def _destination(workspace: Path, to: str, name: str) -> Iterator[tuple[Path, Deliver, Opened | None]]:
    """Where what waits lies, who carries it on, and the workspace where that is ours."""
    from penstock.errors import NotFound
    from penstock.store.opening import is_workspace
    from penstock.usecases.collect import into_workspace, over_http
    from penstock.usecases.workers import Workers
    from penstock.usecases.workspace import Workspace as Opened

    if to.startswith("mqtt"):
        broker = broker_at(to)
        from penstock.connect.mqtt_device import over_mqtt

        yield workspace, over_mqtt(broker, name), None
    elif to:
        yield workspace, over_http(to, api_key()), None
    elif not is_workspace(workspace):
        hint = "Name the folder with --workspace, or a door with --to."
        raise NotFound("store.no_workspace", "There is no workspace here.", hint=hint, path=workspace)
    else:
        with Opened(workspace) as opened, Workers() as workers:
            yield workspace, into_workspace(opened, workers), opened


def api_key() -> str:
    """The API key in the environment. Raises NotFound and Invalid as `from_environment`."""
    from penstock.connect.secret import from_environment

    return from_environment(API_KEY, os.environ).text


def _line(path: Path, name: str, deliver: Deliver) -> AbstractContextManager[Line]:
    from penstock.usecases.line import line_to

    return line_to(path, name, deliver)


@contextmanager
def _spool_of(path: Path, name: str) -> Iterator[tuple[Spool, Gateway]]:
    from penstock.connect.spool import Spool
    from penstock.usecases.gateway import Gateway
    from penstock.usecases.line import FOLDER

    with Spool(path / FOLDER / f"{name}.spool") as spool:
        yield spool, Gateway(spool)


def _teller(as_json: bool) -> Callable[[Taken], None]:
    def tell(taken: Taken) -> None:
        error = taken.error
        said = {"file": taken.name, "messages": taken.messages, "error": error.to_json() if error else None}
        _say(said, f"{taken.name}: {taken.messages:,} messages{f', {error}' if error else ''}", as_json)

    return tell


def _say(said: dict[str, object], words: str, as_json: bool) -> None:
    sys.stdout.write((json.dumps(said) if as_json else words) + "\n")
    sys.stdout.flush()
