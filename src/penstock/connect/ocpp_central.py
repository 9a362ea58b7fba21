"""The central system: a websocket server for enrolled chargers of OCPP 1.6 and 2.0.1, and the outlet back to them."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from ocpp.exceptions import OCPPError, UnknownCallErrorCodeError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from penstock.connect.field_text import NESTING_MAX
from penstock.connect.ocpp16 import ChargePoint16
from penstock.connect.ocpp201 import ChargePoint201
from penstock.connect.ocpp_desk import Desk, Hall, Pace
from penstock.connect.ocpp_door import Charger, Door
from penstock.connect.ocpp_profile import limit_of, refusal
from penstock.connect.ports import Answer, Command, Sink
from penstock.errors import Invalid, PenstockError, Unavailable
from penstock.journal.nesting import deeper_than

Session = ChargePoint16 | ChargePoint201
VERSIONS: Final[dict[str, type[Session]]] = {"ocpp2.0.1": ChargePoint201, "ocpp1.6": ChargePoint16}
"""Subprotocols (OCPP-J 1.6, 3.1.2; 2.0.1, part 4), the better first."""
BAD_ANSWERS: Final = (OCPPError, UnknownCallErrorCodeError, TypeError, ValueError, LookupError)
"""What the library raises where a charger answers with an error, or with none that it knows."""
_SILENT = logging.Logger("penstock.connect.websockets", logging.CRITICAL + 1)
POLICY_VIOLATION: Final = 1008
GOING_AWAY: Final = 1001
CLOSE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one charger may do to us."""

    message_bytes: int = 262_144
    messages_per_s: float = 20.0
    burst: int = 200
    malformed: int = 20
    answer_s: float = 30.0


class CentralSystem:
    """Serves chargers from entering the block until leaving it, on a thread of its own; an `Outlet` to them.

    What a charger sends is acknowledged once the sink has it. ``port`` 0 takes a free one. ``tell`` hears, by charger,
    what could not be read.

    Raises:
        Unavailable: ``connect.port`` when the port cannot be opened.
    """

    def __init__(
        self,
        chargers: Iterable[Charger],
        sink: Sink,
        now_us: Callable[[], int],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        admits: Callable[[str], bool] = lambda _: True,
        tell: Callable[[str, PenstockError], None] = lambda _who, _what: None,
        bounds: Bounds | None = None,
    ) -> None:
        self._chargers = {charger.identity: charger for charger in chargers}
        self._places = {
            device: (charger.identity, connector)
            for charger in self._chargers.values()
            for connector, device in charger.devices.items()
        }
        self._door, self._hall = Door(self._chargers), Hall(sink, admits, now_us, tell)
        self._address, self._tls, self._bounds = (host, port), tls, bounds or Bounds()
        self._sessions: dict[str, tuple[Session, ServerConnection]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ocpp")
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._server = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        except OSError as error:
            self._stop()
            raise Unavailable(
                "connect.port", "The port for chargers cannot be opened.", port=self._address[1]
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            return self._address[1]
        return int(self._server.sockets[0].getsockname()[1])

    def connected(self) -> list[str]:
        """The identities of the chargers that are here now."""
        return sorted(self._sessions)

    def send(self, command: Command) -> Answer:
        """Limit a device's power: ``done`` where the charger says the limit holds already, ``received`` where it took
        it, ``refused`` or ``failed`` with its reason.

        Raises:
            Unavailable: ``connect.unreachable`` where the charger is not here or does not answer.
        """
        why = refusal(command, self._hall.now_us())
        if why:
            return self._answer(command, "refused", why)
        identity, connector = self._places.get(command.device, ("", 0))
        session = self._sessions.get(identity)
        if session is None:
            raise _unreachable(command)
        try:
            sent = asyncio.run_coroutine_threadsafe(self._limit(session[0], connector, command), self._loop)
            return sent.result(3 * self._bounds.answer_s)
        except (ConnectionClosed, TimeoutError) as error:
            raise _unreachable(command) from error

    async def _limit(self, session: Session, connector: int, command: Command) -> Answer:
        try:
            said = await session.set_limit(connector, limit_of(command), command)
        except BAD_ANSWERS as error:
            return self._answer(command, "failed", type(error).__name__)
        if said != "Accepted":
            return self._answer(command, "refused", said)
        holds = command.start_us <= self._hall.now_us() and await self._holds(session, connector, command)
        return self._answer(command, "done" if holds else "received", said)

    async def _holds(self, session: Session, connector: int, command: Command) -> bool:
        """Whether the charger says that no more than the limit is allowed now; not all can say."""
        try:
            allowed_w = await session.limit_in_force_w(connector)
        except (*BAD_ANSWERS, TimeoutError):
            return False
        return allowed_w is not None and allowed_w <= command.power_w

    def _answer(self, command: Command, state: str, note: str) -> Answer:
        return Answer(command.id, state, self._hall.now_us(), note)

    async def _open(self) -> Server:
        return await serve(
            self._attend,
            *self._address,
            ssl=self._tls,
            subprotocols=[Subprotocol(name) for name in VERSIONS],
            process_request=self._door.knock,
            compression=None,
            max_size=self._bounds.message_bytes,
            max_queue=4,
            close_timeout=CLOSE_S,
            server_header=None,
            logger=_SILENT,
        )

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _attend(self, connection: ServerConnection) -> None:
        """One charger's visit. It comes by one connection at a time: a new one closes the old."""
        version = VERSIONS[str(connection.subprotocol)]
        charger = self._door.charger(connection)
        before = self._sessions.get(charger.identity)
        desk = Desk(charger, self._hall, str(connection.subprotocol))
        session: Session = version(desk, connection, self._bounds.answer_s)
        self._sessions[charger.identity] = (session, connection)
        try:
            if before is not None:
                await before[1].close(GOING_AWAY, "connected anew")
            await self._listen(session, connection)
        except ConnectionClosed:
            pass
        finally:
            if self._sessions.get(charger.identity) == (session, connection):
                del self._sessions[charger.identity]

    async def _listen(self, session: Session, connection: ServerConnection) -> None:
        """Hand messages to the version's own class, within the bounds."""
        malformed, pace = 0, Pace(self._bounds.messages_per_s, self._bounds.burst)
        while malformed <= self._bounds.malformed:
            message = await connection.recv()
            if not pace.keeps(self._loop.time()):
                self._hall.tell(session.id, Invalid("connect.too_often", "A charger sends more than it may."))
                break
            if not await self._route(session, message):
                malformed += 1
                self._hall.tell(session.id, Invalid("connect.malformed", "A charger's message cannot be read."))
        await connection.close(POLICY_VIOLATION, "out of bounds")

    @staticmethod
    async def _route(session: Session, message: str | bytes) -> bool:
        """Whether the message was one; an answer to nothing that was asked is none."""
        if not isinstance(message, str) or deeper_than(message, NESTING_MAX):
            return False
        kind = message.lstrip()[:16].replace(" ", "")
        if not kind.startswith("[2,") and not session._call_lock.locked():
            return False
        try:
            await session.route_message(message)
        except ConnectionClosed:
            raise
        except Exception:  # whatever a hostile message brings out in the library, the others are served
            return False
        return True


def _unreachable(command: Command) -> Unavailable:
    return Unavailable("connect.unreachable", "The charger is not here.", device=command.device)
