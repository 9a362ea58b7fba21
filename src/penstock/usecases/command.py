"""Commands to devices: asked in the journal first, then sent, answered, or expired - each a fact.

A command is recorded before it is sent, so nothing is asked of a device that the journal does not know; it is sent
again until the device answers or it expires, so a device has to know by its id what it did already.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from penstock.connect.command import ANSWER_STATES, NOTE_CHARS_MAX, command_text
from penstock.connect.ports import Answer, Command, Outlet
from penstock.energy.command import VERBS, Standing
from penstock.errors import Conflict, Invalid, NotFound, PenstockError, Refused, Unavailable, Unverified
from penstock.journal.fact import Entry
from penstock.journal.kinds.command import CommandAnswered, CommandAsked, CommandState
from penstock.keys import verify
from penstock.period import DAY_US, iso
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

ID_CHARS_MAX: Final = 32
POWER_W_MAX: Final = 10**12
AHEAD_US_MAX: Final = 366 * DAY_US
DISPATCH_S: Final = 1.0
AT_ONCE: Final = 16
OutletOf = Callable[[str], Outlet | None]
"""The connector that reaches a device; None where none does."""


def ask(world: World, command: Command, signer: bytes, now_us: int) -> list[Entry]:
    """The fact that a command was asked.

    Raises:
        Invalid: ``command.form`` for an id, verb, power or time out of bounds.
        Refused: ``command.expired``.
        NotFound: ``command.no_device``.
        Conflict: ``command.asked_twice``.
        Unverified: ``command.signature`` where ``signer`` [Ed25519] did not sign it.
    """
    _check_form(command, now_us)
    if world.energy.number(command.device) < 0:
        raise NotFound("command.no_device", "There is no such device.", device=command.device)
    if command.id in world.commands.by_id:
        raise Conflict("command.asked_twice", "This command was asked already.", id=command.id)
    if not verify(signer, command_text(command), command.signature):
        raise Unverified("command.signature", "The operator's key did not sign this command.", id=command.id)
    times = (command.start_us, command.stop_us, command.expires_us)
    asked = CommandAsked(
        command.id, command.device, command.verb, command.power_w, *times, signer=signer, signature=command.signature
    )
    return [Entry(asked)]


def answered(world: World, device: str, answer: Answer) -> list[Entry]:
    """The fact of a device's answer; none where the command stands so already.

    Raises:
        NotFound: ``command.unknown``, also where it is another device's.
        Refused: ``command.closed`` where nothing may follow any more.
        Invalid: ``command.answer_malformed``.
    """
    stood = world.commands.standing(answer.command)
    if stood.asked.device != device:
        raise NotFound("command.unknown", "There is no such command.", id=answer.command)
    if answer.state not in ANSWER_STATES:
        raise Invalid("command.answer_malformed", "This is not an answer to a command.", state=answer.state)
    state = CommandState(answer.state)
    if state == stood.state or (state == CommandState.RECEIVED and stood.state == CommandState.DONE):
        return []
    if not stood.may_become(state):
        raise Refused("command.closed", "Nothing may follow on where this command stands.", state=stood.state)
    return [Entry(CommandAnswered(answer.command, state, answer.at_us, answer.note[:NOTE_CHARS_MAX]))]


def expired(world: World, now_us: int) -> list[str]:
    """The commands that no device received in time."""
    return [each.asked.command for each in world.commands.waiting() if each.asked.expires_us <= now_us]


def expire(world: World, command: str, now_us: int) -> list[Entry]:
    """The fact that nobody received a command in time; none where somebody did."""
    if command not in expired(world, now_us):
        return []
    return [Entry(CommandAnswered(command, CommandState.EXPIRED, 0, ""))]


def record_command(workspace: Workspace, command: Command, signer: bytes, now_us: int) -> Standing:
    """Record that a command was asked; the same command again is answered as the first time. Raises as `ask`."""
    asked = signer + command_text(command) + command.signature
    workspace.submit(_key("ask", command.id), asked, now_us, lambda world: ask(world, command, signer, now_us))
    return workspace.read(lambda world: world.commands.standing(command.id))


def record_answer(workspace: Workspace, device: str, answer: Answer, now_us: int) -> None:
    """Record what a device answered. Raises as `answered`."""
    key = _key(f"answer:{answer.state}", f"{device}\n{answer.command}")
    workspace.submit(key, answer.command.encode(), now_us, lambda world: answered(world, device, answer))


def listener(workspace: Workspace, clock: Callable[[], int]) -> Callable[[str, Answer], None]:
    """What a connector calls with each answer: recorded, or ignored where it answers nothing that was asked.

    Raises:
        Unavailable: where it could not be recorded; the connector brings it again.
    """

    def on_answer(device: str, answer: Answer) -> None:
        try:
            record_answer(workspace, device, answer, clock())
        except Unavailable:
            raise
        except PenstockError:
            return

    return on_answer


def dispatch(workspace: Workspace, outlet_of: OutletOf, clock: Callable[[], int]) -> int:
    """Send what waits, record the answers, and let expire what nobody received; returns how many were answered.

    Several at a time: a device that does not answer keeps nobody else waiting.
    """
    late = workspace.read(lambda world: expired(world, clock()))
    for command in late:
        act = partial(expire, command=command, now_us=clock())
        workspace.submit(_key("expire", command), b"", clock(), act)
    waiting = workspace.read(lambda world: world.commands.waiting())
    if not waiting:
        return 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(lambda one: _send(workspace, outlet_of, one.asked, clock), waiting))


def _send(workspace: Workspace, outlet_of: OutletOf, asked: CommandAsked, clock: Callable[[], int]) -> bool:
    outlet = outlet_of(asked.device)
    if outlet is None:
        return False
    try:
        answer = outlet.send(as_command(asked))
        record_answer(workspace, asked.device, answer, clock())
    except (Unavailable, Refused):  # sent again until it expires; or it had expired meanwhile
        return False
    return True


class Dispatcher:
    """Dispatches once a second in a thread of its own while it is entered."""

    def __init__(self, workspace: Workspace, outlet_of: OutletOf, clock: Callable[[], int]) -> None:
        self._workspace, self._outlet_of, self._clock = workspace, outlet_of, clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatch", daemon=True)
        self.failure: PenstockError | None = None

    def __enter__(self) -> Dispatcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(DISPATCH_S):
            try:
                dispatch(self._workspace, self._outlet_of, self._clock)
            except Unavailable:
                continue
            except PenstockError as error:
                self.failure = error
                return


def as_command(asked: CommandAsked) -> Command:
    """A recorded command as it travels."""
    times = (asked.start_us, asked.stop_us, asked.expires_us)
    return Command(asked.command, asked.device, asked.verb, asked.power_w, *times, signature=asked.signature)


def rows(workspace: Workspace, device: str = "") -> list[dict[str, Any]]:
    """Every command, of one device or of all, newest first, as rows for the doors."""
    found = workspace.read(lambda world: list(world.commands.by_id.values()))
    return [row(one) for one in reversed(found) if device in ("", one.asked.device)]


def row(standing: Standing) -> dict[str, Any]:
    """A command as the doors show it."""
    asked = standing.asked
    return {
        "command": asked.command,
        "device": asked.device,
        "verb": asked.verb,
        "power_w": asked.power_w,
        "start_us": asked.start_us,
        "stop_us": asked.stop_us,
        "expires_us": asked.expires_us,
        "state": standing.state.value,
        "asked": iso(standing.asked_us),
        "since": iso(standing.since_us),
        "note": standing.note,
        "signer": asked.signer.hex(),
    }


def _check_form(command: Command, now_us: int) -> None:
    good = (
        0 < len(command.id) <= ID_CHARS_MAX
        and command.id.isascii()
        and command.id.isprintable()
        and command.verb in VERBS
        and abs(command.power_w) <= POWER_W_MAX
        and 0 <= command.start_us < command.stop_us <= now_us + AHEAD_US_MAX
        and command.expires_us <= command.stop_us
    )
    if not good:
        hint = f"The verb is one of {', '.join(VERBS)}; start < stop, expiry not after the stop, within a year."
        raise Invalid("command.form", "The command's id, verb, power or times are out of bounds.", hint=hint)
    if command.expires_us <= now_us:
        raise Refused("command.expired", "This command expires before it could be sent.", id=command.id)


def _key(act: str, what: str) -> str:
    return f"command:{act}:{hashlib.sha256(what.encode()).hexdigest()[:32]}"
