"""Carry out a goal: look round, buy a batch, check it, write it down; go elsewhere when that is better; stop in time.

No language model takes part. The same run begun again goes on where it was: lines that are done are not bought twice,
and a payment that is out is sent again instead of made anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.agent.answer_check import check_same, check_texts, read_vectors
from penstock.agent.decision_log import DecisionLog
from penstock.agent.goal import Goal
from penstock.agent.payment import Answer, Call, Payer
from penstock.agent.quotes import Quote
from penstock.agent.shop import Market, Shop
from penstock.agent.standing import Standing
from penstock.agent.texts import Batch, batches, done_lines, write_vectors
from penstock.agent.unit_price import UnitPrice
from penstock.errors import PenstockError, Unavailable, Unverified
from penstock.period import SECOND_US

LATE_US: Final = 20 * SECOND_US
LOOK_US: Final = 30 * SECOND_US
"""The market is looked at again after this [us], or when a quote is over."""
LOOKS_MAX: Final = 5
"""So often in a row nobody may have answered before the run ends."""
STOPPING: Final = {
    "mandate.total": "budget",
    "goal.budget": "budget",
    "mandate.per_hour": "hour",
    "mandate.expired": "expired",
    "mandate.approval": "approval",
    "agent.stopped": "stopped",
}
THEIRS: Final = ("answer", "payment", "provider")
"""Areas of errors that are the provider's doing."""


class End(StrEnum):
    """Why a run ended; all but the first leave lines to be done."""

    DONE = "done"
    BUDGET = "budget"
    HOUR = "hour"
    EXPIRED = "expired"
    STOPPED = "stopped"
    APPROVAL = "approval"
    DEADLINE = "deadline"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    end: End
    lines: int
    done: int
    paid_usdc_micro: int
    tokens: int
    energy_mj: int
    calls: int
    providers: dict[str, int]
    why: str


@dataclass(slots=True)
class Run:
    """One goal being carried out. Counts grow; `run` says what they came to."""

    goal: Goal
    lines: list[str]
    output: Path
    payer: Payer
    shop: Shop
    log: DecisionLog
    batch_lines: int = 32
    check_every: int = 0
    standings: dict[str, Standing] = field(default_factory=dict)
    paid_usdc_micro: int = 0
    tokens: int = 0
    energy_mj: int = 0
    calls: int = 0
    providers: dict[str, int] = field(default_factory=dict)
    _market: Market | None = None
    _last: str = ""

    def run(self) -> Outcome:
        """Go on until all is done, or something says stop."""
        first = done_lines(self.output)
        start_us = self._now()
        self._say("goal", self._goal_words(first), lines=len(self.lines), done=first)
        end, why = End.DONE, "Every line has its vector."
        for batch in batches(self.lines, first, self.batch_lines):
            end, why = self._in_time(start_us) or self._batch(batch) or (End.DONE, why)
            if end is not End.DONE:
                break
        done = done_lines(self.output)
        self._say("end", why, end=end.value, done=done, paid_usdc_micro=self.paid_usdc_micro)
        return Outcome(
            end, len(self.lines), done, self.paid_usdc_micro, self.tokens, self.energy_mj, self.calls,
            dict(self.providers), why,
        )  # fmt: skip

    def _in_time(self, start_us: int) -> tuple[End, str] | None:
        within = self.goal.within_us
        over = within is not None and self._now() >= start_us + within
        return (End.DEADLINE, "The time given is over.") if over else None

    def _batch(self, batch: Batch) -> tuple[End, str] | None:
        """Buy one batch of whoever is best and answers; the reason to stop, where there is one."""
        for _ in range(LOOKS_MAX):
            market = self._look()
            for one in market.ranked:
                try:
                    self._buy(batch, one, market)
                    return None
                except PenstockError as error:
                    if error.code in STOPPING:
                        return End(STOPPING[error.code]), error.message
                    self._failed(one.quote, error, batch)
            self._market = None
            if not self._someone_later(market):
                break
            self.payer.wait(1.0)
        return End.NOBODY, "Nobody who may be bought from answered."

    def _someone_later(self, market: Market) -> bool:
        return bool(market.ranked) and not all(one.banned for one in self.standings.values())

    def _buy(self, batch: Batch, one: UnitPrice, market: Market) -> None:
        quote = one.quote
        self._switched(one, market)
        began_us = self._now()
        answer = self.payer.call(quote, _call(self.goal.model, batch))
        self.paid_usdc_micro += answer.paid_usdc_micro
        vectors = self._checked(batch, quote, answer)
        write_vectors(self.output, batch, vectors, answer.payment)
        self._count(quote, answer, self._now() - began_us)
        self._say(
            "bought", f"Lines {batch.first + 1} to {batch.first + len(batch.texts)} from {quote.url}.",
            url=quote.url, quote=quote.digest, payment=answer.payment, tx=answer.tx,
            paid_usdc_micro=answer.paid_usdc_micro, tokens=_tokens(answer.body),
            request_sha256=_call(self.goal.model, batch).sha256,
            answer_sha256=sha256(vectors.tobytes()).hexdigest(), **market.said(),
        )  # fmt: skip
        self._compare(batch, vectors, one, market)

    def _checked(self, batch: Batch, quote: Quote, answer: Answer) -> NDArray[np.float32]:
        """The vectors, once the answer is what was asked for and no more was paid than it counts."""
        vectors = read_vectors(answer.body, len(batch.texts), self.goal.model)
        check_texts(batch.texts, vectors)
        counted = _tokens(answer.body)
        if counted > batch.tokens_max or answer.paid_usdc_micro > quote.charge_up(counted):
            said = f"{counted} tokens were counted and {answer.paid_usdc_micro} µ$ paid for them."
            raise Unverified("answer.overcharged", said, hint="Nothing more is bought there.", provider=quote.url)
        return vectors

    def _compare(self, batch: Batch, vectors: NDArray[np.float32], one: UnitPrice, market: Market) -> None:
        """Now and then one text is asked of somebody else too: who runs a smaller model cannot know which."""
        others = [other.quote for other in market.ranked if other.quote.url != one.quote.url]
        if not self.check_every or not others or self.calls % self.check_every:
            return
        place = int.from_bytes(sha256(vectors.tobytes()).digest()[:4], "big") % len(batch.texts)
        single = Batch(batch.first + place, (batch.texts[place],))
        try:
            answer = self.payer.call(others[0], _call(self.goal.model, single))
            self.paid_usdc_micro += answer.paid_usdc_micro
            check_same(vectors[place : place + 1], self._checked(single, others[0], answer))
        except PenstockError as error:
            self._say("compared", error.message, code=error.code, url=one.quote.url, other=others[0].url)
            if error.code == "answer.differs":
                for url in (one.quote.url, others[0].url):
                    self.standings[url] = self._standing(url).after_bad(self._now())

    def _count(self, quote: Quote, answer: Answer, took_us: int) -> None:
        tokens = _tokens(answer.body)
        self.tokens += tokens
        self.energy_mj += quote.energy_mj_per_1k_tokens * tokens // 1_000
        self.calls += 1
        self.providers[quote.url] = self.providers.get(quote.url, 0) + 1
        standing = self._standing(quote.url)
        self.standings[quote.url] = standing.after_good() if took_us <= LATE_US else standing.after_bad(self._now())

    def _failed(self, quote: Quote, error: PenstockError, batch: Batch) -> None:
        standing = self._standing(quote.url)
        if isinstance(error, Unavailable):
            self.standings[quote.url] = standing.after_bad(self._now())
        elif error.code.split(".")[0] in THEIRS:
            self.standings[quote.url] = standing.after_wrong()
        why = f"Nothing of {quote.url} for lines from {batch.first + 1} on: {error.message}"
        self._say("failed", why, url=quote.url, quote=quote.digest, code=error.code)

    def _look(self) -> Market:
        now_us = self._now()
        if self._market is None or now_us > self._market.at_us + LOOK_US or not self._market.holds(now_us):
            self._market = self.shop.look(self.standings, now_us)
        usable = tuple(one for one in self._market.ranked if self._standing(one.quote.url).allows(now_us))
        return Market(usable, self._market.doubts, self._market.at_us)

    def _switched(self, one: UnitPrice, market: Market) -> None:
        if one.quote.url == self._last:
            return
        why = f"{one.quote.url} asks least: {one.all_in_usdc_micro} µ$ for 1,000 useful tokens, carbon included."
        if self._last:
            why += f" Before it was {self._last}."
        self._say("chosen", why, url=one.quote.url, before=self._last, **market.said())
        self._last = one.quote.url

    def _standing(self, url: str) -> Standing:
        return self.standings.get(url, Standing())

    def _goal_words(self, first: int) -> str:
        begun = f", from line {first + 1} on" if first else ""
        return f"Embed {len(self.lines)} lines for at most {self.goal.under_usdc_micro} µ${begun}."

    def _say(self, kind: str, why: str, **said: Any) -> None:
        self.log.write(self._now(), kind, why, **said)

    def _now(self) -> int:
        return self.payer.clock()


def _call(model: str, batch: Batch) -> Call:
    return Call("/v1/embeddings", {"model": model, "input": list(batch.texts)}, batch.tokens_max)


def _tokens(body: dict[str, Any]) -> int:
    usage = body.get("usage")
    counted = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if type(counted) is not int or counted <= 0:
        raise Unverified("answer.wrong", "The answer counts no tokens.", hint="It counts as not delivered.")
    return counted
