"""Providers and their collateral: what each put up, and how much of it what it sold needs.

What a provider sold stands behind its collateral at every instant: it sells no more than that covers, and takes none
back that something needs. Its collateral and escrow accounts pay out by these acts alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.kinds.capacity import CollateralCause, CollateralMoved, ProviderRegistered
from penstock.journal.kinds.ledger import Transfer
from penstock.keys import KeyKind, is_public_key
from penstock.money import share_down

ADDRESS_BYTES = 20


def windows_escrow(provider: str) -> str:
    """The account where buyers' dollars wait for a provider's windows to be delivered."""
    return f"{provider}/windows"


@dataclass(slots=True)
class Providers:
    """Every provider by name; ``posted`` and ``needed`` are micro-dollars of its collateral."""

    registered: dict[str, ProviderRegistered] = field(default_factory=dict)
    posted: dict[str, int] = field(default_factory=dict)
    needed: dict[str, int] = field(default_factory=dict)
    proven_false: set[str] = field(default_factory=set)

    def named(self, provider: str) -> ProviderRegistered:
        """A provider; NotFound ``provider.unknown``."""
        if provider not in self.registered:
            hint = "Register it: penstock compute provider register."
            raise NotFound("provider.unknown", "No such provider is registered.", hint=hint, provider=provider)
        return self.registered[provider]

    def check(self, fact: ProviderRegistered) -> None:
        """That a provider may be registered so.

        Raises:
            Conflict: ``provider.known``. Invalid: ``provider.terms`` for a URL, key, address or accounts that are none.
        """
        if fact.provider in self.registered:
            raise Conflict("provider.known", "A provider of this name is registered.", provider=fact.provider)
        accounts = {fact.provider, fact.collateral_account, windows_escrow(fact.provider), fact.revenue_account}
        reserved = len(accounts - {fact.revenue_account, fact.provider}) != 2 or fact.revenue_account in (
            fact.collateral_account,
            windows_escrow(fact.provider),
        )
        if reserved or not fact.url.startswith(("http://", "https://")) or not fact.url.isprintable():
            raise Invalid("provider.terms", "A provider has a URL, and accounts of their own for each purpose.")
        if not is_public_key(KeyKind.ED25519, fact.work_key) or len(fact.address) != ADDRESS_BYTES:
            raise Invalid("provider.terms", "A provider signs with an Ed25519 key and has a chain address of 20 bytes.")

    def register(self, fact: ProviderRegistered) -> None:
        """Take a provider in."""
        self.registered[fact.provider] = fact
        self.posted[fact.provider] = self.needed[fact.provider] = 0

    def check_covers(self, provider: str, more_usdc_micro: int) -> None:
        """That a provider's collateral covers so much more.

        Raises:
            NotFound: ``provider.unknown``. Refused: ``collateral.short``; ``provider.false`` where its work was false.
        """
        self.named(provider)
        if provider in self.proven_false:
            raise Refused("provider.false", f"{provider}'s work was shown to be false: it sells no more.")
        lacking = self.needed[provider] + more_usdc_micro - self.posted[provider]
        if lacking > 0:
            hint = f"Post it: penstock compute provider post {provider} {lacking}."
            sentence = f"{provider}'s collateral lacks {lacking} micro-dollars for what it would sell."
            raise Refused("collateral.short", sentence, hint=hint, provider=provider)

    def need(self, provider: str, usdc_micro: int) -> None:
        """So much more collateral is needed, or less."""
        self.needed[provider] += usdc_micro

    def payable(self, provider: str, usdc_micro: int, spent_usdc_micro: int = 0) -> int:
        """What the collateral pays of a sum owed: all; where it is short its share of all that may be owed, down.

        ``spent_usdc_micro`` of it the same act pays to others.
        """
        posted, needed = self.posted[provider], self.needed[provider]
        due = usdc_micro if posted >= needed else share_down(posted, usdc_micro, needed)
        return min(due, posted - spent_usdc_micro)

    def reckon(self, provider: str, cause: CollateralCause, usdc_micro: int, reason: str) -> CollateralMoved:
        """The fact of collateral posted by its provider, or released to it.

        Raises:
            NotFound: ``provider.unknown``. Invalid: ``ledger.amount``. Refused: ``collateral.needed``.
        """
        known = self.named(provider)
        if usdc_micro < 1:
            raise Invalid("ledger.amount", "A transfer takes an amount above 0 from one account to another.")
        spare = self.posted[provider] - self.needed[provider]
        if cause is CollateralCause.RELEASED and usdc_micro > spare:
            sentence = f"Of {provider}'s collateral {max(spare, 0)} micro-dollars are free."
            raise Refused("collateral.needed", sentence, provider=provider)
        ends = (known.provider, known.collateral_account)
        source, target = ends if cause is CollateralCause.POSTED else ends[::-1]
        return CollateralMoved(provider, cause, reason, (Transfer(source, target, usdc_micro, f"collateral {cause}"),))

    def apply(self, fact: CollateralMoved) -> None:
        """Fold a move that is not part of another act.

        Raises:
            Refused: ``compute.changed`` unless it is what its act comes to. What is taken for false work is worked out
            before, by `reckon_slash`.
        """
        amount = sum(one.usdc_micro for one in fact.transfers)
        if fact.cause is not CollateralCause.SLASHED and fact != self.reckon(
            fact.provider, fact.cause, amount, fact.reason
        ):
            raise Refused("compute.changed", "The fact is not what the act comes to by now.")
        self.posted[fact.provider] += amount if fact.cause is CollateralCause.POSTED else -amount
