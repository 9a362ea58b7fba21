"""Claims: what they rest on is claimed, and of one hour; whoever breaks that is refused, or found."""

from __future__ import annotations

import pytest
from journal_story import PRODUCER, ROOF, Story, opened, table

from penstock.errors import Corrupt
from penstock.journal.formats import LINKS
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.laws import breaches
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState, Unit
from penstock.period import HOUR_US, QUARTER_HOUR_US

HOME, PLAIN = 9, 2  # a register that issues consumption certificates, and one that does not
CLAIMED = TITLE_STATES.index(TitleState.CLAIMED)


@pytest.fixture
def story() -> Story:
    """The roof has 10 Wh in each of two hours, the home 5 Wh in quarters of the same."""
    told = opened()
    told.tell(RegisterOpened("home", Unit.WH, RegisterKind.COUNTED, (Right.CONSUMPTION,)))
    told.read([(ROOF, 1, 20), (HOME, 1, 10), (PLAIN, 1, 50)])
    told.issue([(ROOF, 0, 10, PRODUCER, 0), (ROOF, 10, 20, PRODUCER, HOUR_US)])
    drawn = [(HOME, 0, 5, PRODUCER, 3 * QUARTER_HOUR_US), (HOME, 5, 10, PRODUCER, HOUR_US)]
    told.issue(drawn, Right.CONSUMPTION)
    return told


def claim(story: Story, *rows: tuple[int, ...]) -> None:
    story.link(LinkKind.CLAIM, table(LINKS, rows))


def refused(story: Story, *rows: tuple[int, ...]) -> str:
    before = story.books.digest()
    with pytest.raises(Corrupt) as caught:
        claim(story, *rows)
    assert story.books.digest() == before
    return caught.value.ids["cause"]


def found(story: Story) -> set[str]:
    return {finding.code for finding in breaches(story.books)}


def test_a_quarter_of_the_hour_is_of_the_hour(story: Story) -> None:
    claim(story, (ROOF, 0, 5, HOME, 0, 5), (ROOF, 10, 15, HOME, 5, 10))
    assert found(story) == {"law2.claim_source", "law2.claim_target"}
    for name, right in (("roof", Right.ATTRIBUTE), ("home", Right.CONSUMPTION)):
        assert name in story.books.registers
        story.books.titles[right].columns()["state"][:] = CLAIMED
    assert found(story) <= {"law4.balance"}


def test_another_hour_is_refused(story: Story) -> None:
    assert refused(story, (ROOF, 10, 15, HOME, 0, 5)) == "links.hour"
    assert refused(story, (ROOF, 0, 5, HOME, 0, 5), (ROOF, 5, 10, HOME, 5, 10)) == "links.hour"


def test_a_span_over_two_hours_is_refused(story: Story) -> None:
    assert refused(story, (ROOF, 8, 12, HOME, 0, 4)) == "links.hour"


def test_what_has_no_certificate_is_refused(story: Story) -> None:
    story.read([(HOME, 2, 20), (ROOF, 2, 40)])
    assert refused(story, (ROOF, 0, 5, HOME, 12, 17)) == "links.hour"
    assert refused(story, (ROOF, 25, 30, HOME, 0, 5)) == "links.hour"
    assert refused(story, (ROOF, 18, 22, HOME, 5, 9)) == "links.hour"


def test_where_no_consumption_is_certified_the_hour_is_for_others_to_check(story: Story) -> None:
    claim(story, (ROOF, 8, 12, PLAIN, 0, 4))
    assert found(story) == {"law2.claim_source"}
    story.books.titles[Right.ATTRIBUTE].columns()["state"][:] = CLAIMED
    assert found(story) <= {"law4.balance"}


def test_a_title_that_changes_its_hour_is_found(story: Story) -> None:
    claim(story, (ROOF, 0, 5, HOME, 0, 5))
    story.books.titles[Right.CONSUMPTION].columns()["interval_us"][0] += HOUR_US
    assert "law2.claim_hour" in found(story)
