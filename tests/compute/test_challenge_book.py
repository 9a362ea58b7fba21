"""Commitments, statements and judgements in the order of a journal; every way to bend that order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.compute.challenge import commitment, draw, seed_of
from penstock.compute.challenge_book import NO_ROOT, Challenges
from penstock.errors import Conflict, Invalid, NotFound, PenstockError, Refused, Unverified
from penstock.journal.fact import Recorded
from penstock.journal.kinds.work import ChallengeCommitted, ChallengeJudged, ChallengeKind, WorkStated
from penstock.journal.segment import SegmentRef

SECRETS = [bytes([number]) * 32 for number in range(1, 6)]
ROOTS = [bytes([100 + number]) * 32 for number in range(4)]
ROWS = 50


class Journal:
    """Facts told to a book one after the other, each ten microseconds after the one before."""

    def __init__(self) -> None:
        self.book, self.size = Challenges(), 0

    def tell(self, fact: Any) -> None:
        self.book.apply(Recorded(self.size, self.size * 10, fact, b""))
        self.size += 1

    def commit(self, secret: bytes, challenger: str = "investor", opens_after_us: int = 0) -> None:
        self.tell(
            ChallengeCommitted("provider", challenger, commitment("provider", challenger, secret), opens_after_us)
        )

    def state(self, root: bytes, rack: str = "rack", provider: str = "provider", rows: int = ROWS) -> None:
        ref = SegmentRef("work/1", rows, 0, root)
        self.tell(WorkStated(ref, provider, rack, "model", 0, 1, 0, root, bytes(32)))


def judged(secrets: list[bytes], root: bytes, rows: int = 5, failed: tuple[int, ...] = ()) -> ChallengeJudged:
    seed = seed_of(secrets, root)
    found = draw(seed, ROWS, rows)
    return ChallengeJudged(
        "provider", "rack", ChallengeKind.WORK, tuple(secrets), seed, root, found, failed, bytes(32), "judge"
    )


@pytest.fixture
def journal() -> Journal:
    """Two challengers committed, then the work was stated."""
    made = Journal()
    made.commit(SECRETS[0])
    made.commit(SECRETS[1], "operator")
    made.state(ROOTS[0])
    return made


def test_a_draw_is_that_of_the_secrets_and_the_work(journal: Journal) -> None:
    drawn = journal.book.drawn("provider", ROOTS[0], SECRETS[:2], 5, 1000)
    assert drawn.seed == seed_of(SECRETS[:2], ROOTS[0])
    assert drawn.rows == draw(drawn.seed, ROWS, 5)
    assert [one.fact.challenger for one in drawn.opened] == ["investor", "operator"]


def test_a_judgement_counts_what_failed_and_spends_its_secrets(journal: Journal) -> None:
    fact = judged(SECRETS[:2], ROOTS[0])
    journal.tell(replace(fact, failed=fact.rows[:2]))
    assert journal.book.failures("provider") == 2
    assert journal.book.failures("other") == 0
    with pytest.raises(Refused, match=r"challenge\.spent"):
        journal.tell(fact)


def test_a_secret_may_be_withheld_and_is_spent_only_once_shown(journal: Journal) -> None:
    journal.tell(judged(SECRETS[1:2], ROOTS[0]))
    with pytest.raises(Refused, match=r"challenge\.spent"):
        journal.book.drawn("provider", ROOTS[0], SECRETS[1:2], 5, 1000)
    journal.tell(judged(SECRETS[:1], ROOTS[0]))
    assert len(journal.book.judged) == 2


def refusal(journal: Journal, fact: ChallengeJudged) -> str:
    before = (len(journal.book.judged), set(journal.book.spent))
    with pytest.raises(PenstockError) as raised:
        journal.tell(fact)
    assert (len(journal.book.judged), set(journal.book.spent)) == before
    return raised.value.code


def test_work_stated_before_the_secret_was_committed_to_is_not_tested(journal: Journal) -> None:
    journal.commit(SECRETS[2])
    assert refusal(journal, judged([SECRETS[2]], ROOTS[0])) == "challenge.order"
    assert refusal(journal, judged([SECRETS[0], SECRETS[2]], ROOTS[0])) == "challenge.order"


def test_secrets_come_in_order_and_once(journal: Journal) -> None:
    assert refusal(journal, judged([SECRETS[1], SECRETS[0]], ROOTS[0])) == "challenge.order"
    assert refusal(journal, judged([SECRETS[0], SECRETS[0]], ROOTS[0])) == "challenge.order"


def test_a_secret_that_was_shown_draws_from_nothing_stated_later(journal: Journal) -> None:
    journal.state(ROOTS[1])
    assert refusal(journal, judged(SECRETS[:2], ROOTS[1])) == "challenge.not_next"
    journal.tell(judged(SECRETS[:2], ROOTS[0]))


def test_another_rack_has_its_own_next_statement() -> None:
    journal = Journal()
    journal.commit(SECRETS[0])
    journal.state(ROOTS[1], rack="other")
    journal.state(ROOTS[0])
    journal.tell(judged(SECRETS[:1], ROOTS[0]))
    assert len(journal.book.judged) == 1


def test_a_secret_waits_for_its_hour() -> None:
    journal = Journal()
    journal.commit(SECRETS[0], opens_after_us=25)
    journal.state(ROOTS[0])  # recorded at 10
    journal.state(ROOTS[1])  # at 20
    journal.state(ROOTS[2])  # at 30
    with pytest.raises(Refused, match=r"challenge\.too_early"):
        journal.book.drawn("provider", ROOTS[2], SECRETS[:1], 5, at_us=24)
    assert refusal(journal, judged(SECRETS[:1], ROOTS[1])) == "challenge.not_next"
    journal.tell(judged(SECRETS[:1], ROOTS[2]))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": bytes(32)},
        {"rows": (0, 1, 2, 3, 4)},
        {"failed": (99,)},
        {"evidence": b""},
        {"rack": "other"},
        {"challenge": ChallengeKind.PRESENCE},  # silence fails every row
    ],
)
def test_a_judgement_that_does_not_follow_is_refused(journal: Journal, change: dict[str, Any]) -> None:
    assert refusal(journal, replace(judged(SECRETS[:2], ROOTS[0]), **change)) == "challenge.judgement"


def test_failures_are_told_once_and_in_order(journal: Journal) -> None:
    fact = judged(SECRETS[:2], ROOTS[0])
    first, second = fact.rows[:2]
    assert refusal(journal, replace(fact, failed=(second, first))) == "challenge.judgement"
    assert refusal(journal, replace(fact, failed=(first, first))) == "challenge.judgement"


def test_secrets_are_the_committed_ones_and_against_this_provider(journal: Journal) -> None:
    assert refusal(journal, judged([SECRETS[4]], ROOTS[0])) == "challenge.not_committed"
    other = replace(judged(SECRETS[:2], ROOTS[0]), provider="other")
    assert refusal(journal, other) == "challenge.no_work"
    with pytest.raises(NotFound, match=r"challenge\.no_work"):
        journal.book.work("provider", ROOTS[3])
    with pytest.raises(Invalid, match=r"challenge\.secret"):
        journal.book.drawn("provider", ROOTS[0], [], 5, 1000)


def test_silence_fails_every_row(journal: Journal) -> None:
    fact = judged(SECRETS[:2], ROOTS[0])
    journal.tell(replace(fact, challenge=ChallengeKind.PRESENCE, failed=fact.rows))
    assert journal.book.failures("provider") == 5


def speed(secrets: list[bytes], **changes: Any) -> ChallengeJudged:
    seed = seed_of(secrets, NO_ROOT)
    fact = ChallengeJudged(
        "provider", "rack", ChallengeKind.SPEED, tuple(secrets), seed, NO_ROOT, (0, 1), (1,), bytes(32), "judge"
    )
    return replace(fact, **changes)


def test_a_challenge_of_speed_names_accelerators(journal: Journal) -> None:
    journal.tell(speed(SECRETS[:1]))
    assert journal.book.failures("provider") == 1
    assert refusal(journal, speed(SECRETS[1:2], rows=(0, 2))) == "challenge.judgement"
    assert refusal(journal, speed(SECRETS[1:2], work_root=ROOTS[0])) == "challenge.judgement"
    assert refusal(journal, replace(speed([SECRETS[1]]), secrets=())) == "challenge.secret"


def test_a_commitment_is_made_once(journal: Journal) -> None:
    with pytest.raises(Conflict, match=r"challenge\.committed"):
        journal.commit(SECRETS[0])
    with pytest.raises(Invalid, match=r"challenge\.commitment"):
        journal.tell(ChallengeCommitted("provider", "investor", b"", 0))


def test_a_copied_commitment_opens_for_its_owner_alone() -> None:
    journal = Journal()
    copied = commitment("provider", "investor", SECRETS[0])
    journal.tell(ChallengeCommitted("provider", "attacker", copied, 0))
    journal.state(ROOTS[0])
    with pytest.raises(Unverified, match=r"challenge\.not_committed"):
        journal.book.drawn("provider", ROOTS[0], SECRETS[:1], 5, 1000)
    journal.commit(SECRETS[0])  # who was copied commits all the same
    journal.state(ROOTS[1])
    assert journal.book.drawn("provider", ROOTS[1], SECRETS[:1], 5, 1000).opened[0].fact.challenger == "investor"


def test_an_hour_without_answers_takes_no_challenge_upon_itself() -> None:
    """Else a provider would state nothing, right after each commitment."""
    made = Journal()
    made.commit(SECRETS[0])
    made.state(ROOTS[1], rows=0)
    made.state(ROOTS[0])
    assert made.book.drawn("provider", ROOTS[0], SECRETS[:1], 5, 1000).work.fact.root == ROOTS[0]


def test_who_states_anothers_rows_first_hides_nothing() -> None:
    made = Journal()
    made.commit(SECRETS[0])
    made.state(ROOTS[0], rack="other rack", provider="attacker")
    made.state(ROOTS[0])
    drawn = made.book.drawn("provider", ROOTS[0], SECRETS[:1], 5, 1000)
    assert (drawn.work.fact.provider, drawn.work.fact.rack) == ("provider", "rack")
