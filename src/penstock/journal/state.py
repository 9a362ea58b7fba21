"""The state of a journal: a fold of its facts into books, and the guards that deciding a new fact needs.

``apply`` takes one recorded fact after the other, each with the columns of its segment; equal journals give equal
digests. A fact that was sealed but does not apply is `Corrupt`. The ``check_...`` guards refuse the same things
beforehand, changing nothing. What a kind of fact does is in `effects`, what a move must satisfy in `title_rules`. That
columns are those the fact sealed is for whoever reads them to check.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Corrupt, Invalid, NotFound, Refused
from penstock.journal import link_rules, title_rules
from penstock.journal.claim_rules import check_claim
from penstock.journal.correction import Corrections, used_above
from penstock.journal.effects import EFFECTS
from penstock.journal.enrolled import Enrolled
from penstock.journal.fact import Recorded
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.ledger_book import Ledger
from penstock.journal.links import LinkBook
from penstock.journal.lots import Lots
from penstock.journal.refusals import refuse_first
from penstock.journal.register import Accounts, Registers
from penstock.journal.segment import Columns, SegmentRef
from penstock.journal.storage_book import Storages
from penstock.journal.titles import TitleBook, Verdict
from penstock.journal.vault import Vault
from penstock.journal.withdrawal import Reach, reach
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState

Ints = NDArray[Any]
UNBOUNDED: Final = 2**63 - 1
_WITHDRAWN: Final = TITLE_STATES.index(TitleState.WITHDRAWN)
__all__ = ["Books", "refuse_first"]


class Books:
    """Everything that follows from a journal's facts."""

    def __init__(self) -> None:
        self.registers = Registers()
        self.accounts = Accounts()
        self.enrolled = Enrolled(self.registers)
        self.titles = {right: TitleBook() for right in Right}
        self.lots = Lots()
        self.vault = Vault()
        self.links = {kind: LinkBook() for kind in LinkKind}
        self.ledger = Ledger(self.accounts)
        self.storages = Storages(self.registers, self.accounts, self.titles, self.lots, self.links)
        self.corrections = Corrections()
        self.size = 0
        self.at_us = 0  # instant of the fact that is being applied

    @property
    def sites(self) -> dict[str, SiteRegistered]:
        """Every site, by name."""
        return self.enrolled.sites

    def device_id(self, device: str) -> int:
        """A device's number, in order of enrolment; NotFound ``device.unknown``."""
        return self.enrolled.names.id_of(device)

    def issue_limit(self) -> NDArray[np.int64]:
        """How far each register may be issued: a counted one to where it stands, others without a bound.

        One that was corrected issues no more; where a storage is discharged, only what its charge filled.
        """
        limit = np.where(self.registers.are(RegisterKind.COUNTED), self.registers.read, UNBOUNDED)
        limit[self.corrections.ended(len(limit))] = 0
        self.storages.limit(limit)
        return limit

    def used_above(self, register: int, true_wh: int) -> tuple[Ints, Ints]:
        """Spans above ``true_wh`` of a register that somebody used, or that cover a debt: see `correction`."""
        return used_above(self.titles, self.links, self.corrections.debts, register, true_wh)

    def last_interval(self, right: Right, register: Ints) -> tuple[Ints, Ints]:
        """Start and stop of the interval of each register's last title [us], or of the one it continues; 0 for none."""
        return title_rules.last_interval(self, right, register)

    def reach(self, spans: Columns) -> Reach:
        """What withdrawing certificates comes to: see `withdrawal`.

        Raises:
            NotFound: ``titles.none``. Conflict: ``withdraw.twice``. Refused: ``withdraw.gone`` where some are
            withdrawn already.
        """
        self.registers.check_known(spans["register"])
        self.corrections.withdrawn.check_new(spans)
        titles = self.titles[Right.ATTRIBUTE]
        parts = titles.parts(spans["register"], spans["start"], spans["stop"])
        if int((parts["stop"] - parts["start"]).sum()) != int((spans["stop"] - spans["start"]).sum()):
            raise NotFound("titles.none", "Not all of this was issued.")
        if (parts["state"] == _WITHDRAWN).any():
            raise Refused("withdraw.gone", "Some of these certificates are withdrawn already.")
        return reach(titles, self.links, spans)

    def check_issue(self, right: Right, issue: Columns) -> None:
        """That every row of an issue (columns of ``title/1``) may be issued.

        Raises:
            As `refuse_first`; Refused ``titles.not_issued_here`` where a register does not issue the right.
        """
        refuse_first(self.titles[right].plan_issue(issue, self.issue_limit(), len(self.accounts)), issue)
        elsewhere = ~self.registers.issues(right)[issue["register"]]
        if elsewhere.any():
            row = int(np.argmax(elsewhere))
            urn = self.registers.urn(int(issue["register"][row]))
            raise Refused("titles.not_issued_here", f"{urn} does not issue {right}.", row=row, register=urn)

    def expired(self, lot: Ints, interval_us: Ints, at_us: int) -> NDArray[np.bool_]:
        """Which titles, by their lot and the start of their interval [us], were valid no more at ``at_us``."""
        return title_rules.expired(self, lot, interval_us, at_us)

    def judge_moves(self, right: Right, moves: Columns, at_us: int | None = None) -> NDArray[np.uint8]:
        """The verdict of each row of moves (columns of ``move/1``), in order, as of ``at_us``; nothing changes.

        Without an instant nothing is said of what has expired; the books ask when they apply the fact.
        """
        plan = self.titles[right].plan_moves(moves, len(self.accounts))
        verdicts = title_rules.untimely(self, right, moves, plan, at_us)
        barred = title_rules.by_vault(self, right, moves, plan) | title_rules.in_use(self, right, moves)
        verdicts[barred] = Verdict.NOT_ACTIVE
        if not verdicts.any():
            return plan.verdicts.copy()
        rest = np.flatnonzero(verdicts == 0)
        rows = {name: column[rest] for name, column in moves.items()}
        verdicts[rest] = self.titles[right].plan_moves(rows, len(self.accounts)).verdicts
        return verdicts

    def check_moves(self, right: Right, moves: Columns, at_us: int | None = None) -> None:
        """That every row of moves would be accepted; raises as `refuse_first`."""
        refuse_first(self.judge_moves(right, moves, at_us), moves)

    def check_links(self, kind: LinkKind, links: Columns) -> None:
        """That links (columns of ``link/1``) may be added.

        Raises:
            NotFound: ``register.unknown``. Refused: ``links.units``, ``links.unequal``, ``links.gap``,
            ``links.beyond_meter``, ``links.used``, ``links.hour``. As `LinkBook.check_add`.
        """
        for side in ("source", "target"):
            self.registers.check_known(links[side])
        link_rules.check(kind, links, self.registers)
        if kind is LinkKind.CLAIM:
            check_claim(self, links)
        self.links[kind].check_add(links)

    def check_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """That transfers can be posted; raises as `Ledger.check`."""
        self.ledger.check(transfers)

    def apply(self, recorded: Recorded, columns: Columns | None = None) -> None:
        """Take in the next fact, whole or not at all.

        Raises:
            Corrupt: ``state.out_of_order``, ``state.columns``, ``state.does_not_apply``.
        """
        if recorded.seq != self.size:
            raise Corrupt(
                "state.out_of_order", f"Fact {recorded.seq} comes where {self.size} is due.", seq=recorded.seq
            )
        self._check_columns(recorded, columns)
        self.at_us = recorded.at_us
        try:
            bracket = self.ledger.check(getattr(recorded.fact, "transfers", ()))
            effect = EFFECTS.get(type(recorded.fact))
            if effect is not None:
                effect(self, recorded.fact, columns or {})
            self.ledger.close(bracket)
        except (Refused, Invalid, NotFound, Conflict) as error:
            sentence = f"Fact {recorded.seq} does not apply: {error.message}"
            raise Corrupt("state.does_not_apply", sentence, cause=error.code, seq=recorded.seq, **error.ids) from error
        self.size = recorded.seq + 1

    @staticmethod
    def _check_columns(recorded: Recorded, columns: Columns | None) -> None:
        ref: SegmentRef | None = getattr(recorded.fact, "segment", None)
        rows = {len(column) for column in (columns or {}).values()}
        if ref is not None and type(recorded.fact) in EFFECTS and rows != {ref.rows}:
            sentence = f"Fact {recorded.seq} seals {ref.rows} rows of {ref.format}, which were not handed over."
            raise Corrupt("state.columns", sentence, seq=recorded.seq)

    def digest(self) -> bytes:
        """sha256 over every book: equal for equal journals."""
        digest = hashlib.sha256(self.registers.digest() + self.accounts.digest() + self.ledger.digest())
        digest.update(self.enrolled.digest() + self.corrections.digest() + self.lots.digest())
        digest.update(self.vault.digest() + self.storages.digest())
        for right in Right:
            digest.update(self.titles[right].digest())
        for kind in LinkKind:
            digest.update(self.links[kind].digest())
        return digest.digest()
