"""The demo's cast: every role's key, from the seed. Seeded keys guard nothing; they make the week repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.chain.keystore import save_key
from penstock.keys import ChainKey, SigningKey, derive_seed
from penstock.usecases.launch import Roles

HOLDERS: Final = 1_000
SENDERS: Final = ("operator", "buyer", "agent", "facilitator", "copy-desk")
SERVICERS: Final = ("servicer", "backup-servicer")
ATTESTERS: Final = ("attester-1", "attester-2", "attester-3")
PASSPHRASE: Final = "a demo guards nothing"  # noqa: S105
FUNDS_WEI: Final = 10**20
_COST_LOG2: Final = 12


@dataclass(frozen=True, slots=True)
class Holder:
    """An investor of the demo: its name and its chain key."""

    name: str
    key: ChainKey


@dataclass(frozen=True, slots=True)
class Cast:
    """Keys by role, all derived from one seed."""

    seed: bytes

    def chain_key(self, role: str) -> ChainKey:
        """The EVM key of a role."""
        return ChainKey(derive_seed(self.seed, "chain", role))

    @property
    def log_key(self) -> SigningKey:
        """The key that signs the journal's checkpoints."""
        return SigningKey(derive_seed(self.seed, "log"))

    @property
    def rack_key(self) -> SigningKey:
        """The key of the rack's import meter."""
        return SigningKey(derive_seed(self.seed, "meter", "rack-1"))

    @property
    def battery_key(self) -> SigningKey:
        """The key of the battery's meter."""
        return SigningKey(derive_seed(self.seed, "meter", "battery-1"))

    def holders(self, count: int = HOLDERS) -> tuple[Holder, ...]:
        """Investors, in order."""
        names = (f"holder-{number:04d}" for number in range(1, count + 1))
        return tuple(Holder(name, self.chain_key(name)) for name in names)

    def roof_wallet(self, roof: str) -> bytes:
        """The account a roof's tariff is paid to."""
        return self.chain_key(roof).address

    def roles(self) -> Roles:
        """Accounts of the deal's roles."""
        attesters = tuple(self.chain_key(name).address for name in ATTESTERS)
        trustee, guardian, servicer = (self.chain_key(role).address for role in ("trustee", "guardian", "servicer"))
        return Roles(attesters, trustee, guardian, servicer)

    def funded(self, holders: tuple[Holder, ...]) -> dict[bytes, int]:
        """Genesis balances [wei]: whoever sends transactions."""
        senders = [self.chain_key(role).address for role in (*SENDERS, *SERVICERS, *ATTESTERS)]
        return dict.fromkeys([*senders, *(holder.key.address for holder in holders)], FUNDS_WEI)

    def save(self, folder: Path) -> None:
        """Write the operator's and the attesters' keys, encrypted; keys that are there already stay."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, key in self._kept():
            if not (folder / f"{name}.json").exists():
                save_key(folder / f"{name}.json", key, PASSPHRASE, cost_log2=_COST_LOG2)

    def _kept(self) -> Iterator[tuple[str, SigningKey | ChainKey]]:
        yield "log", self.log_key
        for role in ("operator", *ATTESTERS):
            yield role, self.chain_key(role)
