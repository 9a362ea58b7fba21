"""A challenger binds itself to a secret before the work it will test is stated."""

from __future__ import annotations

from typing import Final

from penstock.compute.challenge import commitment
from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.journal.kinds.work import ChallengeCommitted
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

NAME_CHARS_MAX: Final = 128


def commit(world: World, provider: str, challenger: str, commitment: bytes, opens_after_us: int) -> list[Entry]:
    """The fact of a commitment [32 bytes] against a provider; the secret itself stays with its challenger.

    It tests the first work that each rack states after it and at ``opens_after_us`` or later.

    Raises:
        NotFound: ``provider.unknown``. Invalid: ``challenge.name``, ``challenge.commitment``.
        Conflict: ``challenge.committed``.
    """
    world.capacity.providers.named(provider)
    if not 0 < len(challenger) <= NAME_CHARS_MAX or not challenger.isprintable():
        raise Invalid("challenge.name", "A challenger has a printable name of at most 128 characters.")
    fact = ChallengeCommitted(provider, challenger, commitment, opens_after_us)
    world.challenges.check_commitment(fact)
    return [Entry(fact)]


def commit_on(
    workspace: Workspace, provider: str, challenger: str, secret: bytes, opens_after_us: int, now_us: int
) -> bytes:
    """Record the commitment to ``secret``; the commitment [32 bytes].

    Raises as `commit`; Invalid ``challenge.secret`` for a secret that has not 32 bytes.
    """
    made = commitment(provider, challenger, secret)
    workspace.submit(
        f"challenge:commit:{made.hex()[:32]}",
        (provider, challenger, made, opens_after_us),
        now_us,
        lambda world: commit(world, provider, challenger, made, opens_after_us),
    )
    return made
