"""The anchor's seats as its chain tells them: who attests, how many must agree, which change is announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from penstock.chain.artefact import call_data, event, load_artefact, result
from penstock.chain.client import ChainClient
from penstock.chain.inbox import BLOCKS_A_QUERY
from penstock.chain.typed_data import ZERO_ADDRESS, SetChange
from penstock.errors import Conflict, NotFound, Refused

ANCHOR: Final = "Anchor"
SEATS_MAX: Final = 16
NOBODY: Final = bytes(20)


@dataclass(frozen=True, slots=True)
class Seats:
    """An anchor's set of attesters at one block.

    ``nonce`` is that of the next change to announce; ``pending`` the hash of the one announced, zeros where none is;
    it may be executed from ``executable_from_s`` on [s].
    """

    chain_id: int
    anchor: bytes
    attesters: tuple[bytes, ...]
    quorum: int
    operator: bytes
    epoch: int
    nonce: int
    pending: bytes
    executable_from_s: int

    @property
    def announced(self) -> bool:
        """Whether a change waits to be executed."""
        return any(self.pending)

    def check(self, change: SetChange, is_expelled: Callable[[bytes], bool]) -> None:
        """That the contract would announce this change now.

        Raises:
            Conflict: ``reseat.nonce`` for a change of another turn; ``reseat.seated`` of whom sits already.
            NotFound: ``reseat.unknown`` where whom it removes has no seat.
            Refused: ``reseat.expelled``, ``reseat.full``, ``reseat.quorum``.
        """
        if change.nonce != self.nonce:
            hint = "Sign the change again; see `penstock attest change show`."
            sentence = f"The next change of the set is number {self.nonce}, not {change.nonce}."
            raise Conflict("reseat.nonce", sentence, hint=hint)
        self._check_added(address_of(change.added), address_of(change.removed), is_expelled)
        seats = len(self.attesters) + (change.added != ZERO_ADDRESS) - (change.removed != ZERO_ADDRESS)
        if not 1 <= change.quorum <= seats:
            hint = f"Name a quorum from 1 to {seats}."
            raise Refused("reseat.quorum", f"{change.quorum} of {seats} attesters cannot agree.", hint=hint)

    def _check_added(self, added: bytes, removed: bytes, is_expelled: Callable[[bytes], bool]) -> None:
        if removed != NOBODY and removed not in self.attesters:
            hint = "See `penstock attest change show` for who sits."
            raise NotFound("reseat.unknown", f"No attester sits at {text_of(removed)}.", hint=hint)
        if added == NOBODY:
            return
        if added in self.attesters:
            raise Conflict("reseat.seated", f"{text_of(added)} is an attester already.")
        if is_expelled(added):
            hint = "It signed two words for one as-of. Seat another account."
            raise Refused("reseat.expelled", f"{text_of(added)} was expelled for good.", hint=hint)
        if removed == NOBODY and len(self.attesters) >= SEATS_MAX:
            raise Refused(
                "reseat.full", f"All {SEATS_MAX} seats are taken.", hint="Remove somebody in the same change."
            )


def read_seats(client: ChainClient, anchor: bytes) -> Seats:
    """All of it at the newest block. Raises Invalid ``contract.output`` where no anchor stands at the address."""
    at = client.head().number
    sitting = [_view(client, anchor, "attester_at", seat, at=at) for seat in range(1, SEATS_MAX + 1)]
    return Seats(
        client.identity().chain_id,
        anchor,
        tuple(address_of(one) for one in sitting if address_of(one) != NOBODY),
        int(_view(client, anchor, "quorum", at=at)),
        address_of(_view(client, anchor, "operator", at=at)),
        int(_view(client, anchor, "epoch", at=at)),
        int(_view(client, anchor, "nonce", at=at)),
        bytes(_view(client, anchor, "pending", at=at)),
        int(_view(client, anchor, "executable_from", at=at)),
    )


def expulsions(client: ChainClient, anchor: bytes) -> Callable[[bytes], bool]:
    """Whether an account was expelled from this anchor's set, for good."""
    return lambda account: bool(_view(client, anchor, "expelled", account))


def told(client: ChainClient, anchor: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Every event of the anchor, name and arguments, oldest first."""
    artefact, last, found = load_artefact(ANCHOR), client.head().number, []
    for first in range(0, last + 1, BLOCKS_A_QUERY):
        logs = client.logs(first, min(first + BLOCKS_A_QUERY - 1, last), [anchor])
        found += [one for log in logs if (one := event(artefact, log.topics, log.data)) is not None]
    return found


def announced_changes(events: list[tuple[str, dict[str, Any]]]) -> dict[int, SetChange]:
    """Changes that were ever announced, by nonce."""
    return {int(said["nonce"]): _change(said["change"]) for name, said in events if name == "Proposed"}


def _change(said: Any) -> SetChange:
    added, removed, quorum, operator, nonce = said
    parties = (text_of(address_of(one)) for one in (added, removed, operator))
    return SetChange(int(quorum), int(nonce), *parties)


def address_of(value: object) -> bytes:
    """An account as 20 bytes."""
    return value if isinstance(value, bytes) else bytes.fromhex(str(value).removeprefix("0x"))


def text_of(account: bytes) -> str:
    """An account as 0x and 40 lower-case digits."""
    return "0x" + account.hex()


def _view(client: ChainClient, anchor: bytes, function: str, *args: object, at: int | str = "latest") -> Any:
    artefact = load_artefact(ANCHOR)
    (value,) = result(artefact, function, client.call(anchor, call_data(artefact, function, *args), at=at))
    return value
