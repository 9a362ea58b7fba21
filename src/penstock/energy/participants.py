"""Participants: who acts for whom in the registry, and from whom each account receives, folded from the facts."""

from __future__ import annotations

import hashlib

from penstock.journal.fact import Recorded


class Participants:
    """Organisations, their members and accounts, and what each account states of those it receives from."""

    def check_receives(self, source: str, target: str) -> None:
        """That ``target`` receives titles from ``source``. Raises Refused ``account.not_whitelisted``."""

    def check_may(self, by: str, account: str, act: str) -> None:
        """That ``by`` may do ``act`` for an account; ``""`` and ``operator`` are the registry's operator.

        Raises:
            Refused: ``account.not_member``, ``account.role``, ``account.two_persons``.
        """

    def apply(self, recorded: Recorded, _columns: object = None) -> None:
        """Fold one fact."""

    def digest(self) -> bytes:
        """sha256 over all of it."""
        return hashlib.sha256().digest()
