"""Facts of the journal itself: who and what has an address here, and its signed checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.words import RegisterKind, Right, Unit


@dataclass(frozen=True, slots=True)
class WorkspaceOpened:
    """A journal begins. ``origin`` names the log in its checkpoints; ``log_key`` is the Ed25519 key that signs them."""

    KIND: ClassVar[str] = "workspace.opened"
    VERSION: ClassVar[int] = 1
    origin: str
    log_key: bytes


@dataclass(frozen=True, slots=True)
class AccountOpened:
    """A holder of titles and money, numbered 0, 1, ... in order of opening; only ``external`` ones go below zero."""

    KIND: ClassVar[str] = "account.opened"
    VERSION: ClassVar[int] = 1
    account: str
    external: bool = False


@dataclass(frozen=True, slots=True)
class RegisterOpened:
    """A register begins at 0. Registers are numbered 0, 1, ... in order of opening.

    ``issues`` names the rights in its units that are issued here: one register per carrier
    and direction of a site issues, the others check. ``predecessor`` is the register it
    continues (an epoch) and ``predecessor_position`` where that one ended.
    """

    KIND: ClassVar[str] = "register.opened"
    VERSION: ClassVar[int] = 1
    register: str
    unit: Unit
    register_kind: RegisterKind
    issues: tuple[Right, ...] = ()
    predecessor: str | None = None
    predecessor_position: int = 0


@dataclass(frozen=True, slots=True)
class CheckpointSigned:
    """The log's operator signed the tree of the first ``size`` facts; ``note`` is the C2SP signed note."""

    KIND: ClassVar[str] = "checkpoint.signed"
    VERSION: ClassVar[int] = 1
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Micro-dollars from one account to another, and what for; a part of other facts."""

    source: str
    target: str
    usdc_micro: int
    purpose: str


@dataclass(frozen=True, slots=True)
class AccountFunded:
    """Dollars reached accounts here from the world outside; ``reference`` says by which payment."""

    KIND: ClassVar[str] = "account.funded"
    VERSION: ClassVar[int] = 1
    reference: str
    transfers: tuple[Transfer, ...]
