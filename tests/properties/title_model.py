"""The naive model of a title book: a list of titles, moved one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from penstock.journal.titles import CHANGES, Title, Verdict
from penstock.journal.words import TITLE_STATES, TitleState


@dataclass
class TitleList:
    """Titles in no order at all; every question is a walk over them."""

    titles: list[Title] = field(default_factory=list)

    def head(self, register: int) -> int:
        return max((title.stop for title in self.titles if title.register == register), default=0)

    def issue(self, rows: Sequence[tuple[int, ...]], limit: list[int], holders: int) -> list[int]:
        expected = {register: self.head(register) for register in range(len(limit))}
        verdicts = []
        for register, start, stop, holder in rows:
            verdicts.append(self._judge_issue(register, start, stop, holder, expected, limit, holders))
            expected[register] = stop
        if not any(verdicts):
            self.titles += [Title(r, a, b, h, TitleState.HELD, a // 10 * 10) for r, a, b, h in rows]
        return verdicts

    @staticmethod
    def _judge_issue(
        register: int, start: int, stop: int, holder: int, expected: dict[int, int], limit: list[int], holders: int
    ) -> int:
        if not (0 <= register < len(limit) and 0 <= holder < holders and 0 <= start < stop):
            return Verdict.MALFORMED
        if start != expected[register]:
            return Verdict.OVERLAP_OR_GAP
        return Verdict.BEYOND_METER if stop > limit[register] else Verdict.OK

    def move(self, rows: Sequence[tuple[int, ...]], holders: int) -> list[int]:
        return [self._move_one(row, holders) for row in rows]

    def _move_one(self, row: tuple[int, ...], holders: int) -> int:
        register, start, stop, source, target, code = row
        if start < 0 or stop <= start or not 0 <= target < holders or code >= len(TITLE_STATES):
            return Verdict.MALFORMED
        for title in self.titles:
            if title.register == register and title.start <= start < title.stop:
                return self._move_title(title, start, stop, source, target, TITLE_STATES[code])
        return Verdict.NO_TITLE

    def _move_title(self, old: Title, start: int, stop: int, source: int, target: int, state: TitleState) -> int:
        if old.holder != source:
            return Verdict.OTHER_HOLDER
        if state not in CHANGES[old.state]:
            return Verdict.NOT_ACTIVE
        if stop > old.stop:
            return Verdict.CROSSES_TITLE
        pieces = [
            replace(old, stop=start),
            replace(old, start=start, stop=stop, holder=target, state=state),
            replace(old, start=stop),
        ]
        self.titles.remove(old)
        self.titles += [piece for piece in pieces if piece.stop > piece.start]
        return Verdict.OK

    def sorted(self) -> list[Title]:
        return sorted(self.titles, key=lambda title: (title.register, title.start))

    def balance(self, holder: int, state: TitleState) -> int:
        return sum(t.stop - t.start for t in self.titles if t.holder == holder and t.state == state)
