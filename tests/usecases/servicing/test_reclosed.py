"""An attester runs every close again: who was paid decides whose later payments count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from kept_story import KeptStory
from servicing_kit import DEAL, USDC, month, payment

from penstock.errors import Unverified
from penstock.journal.fact import Entry
from penstock.journal.kinds.capital import PeriodClosed
from penstock.journal.kinds.ledger import Transfer
from penstock.period import DAY_US
from penstock.usecases.attest import Replica
from penstock.usecases.publish import Publication

Change = Callable[[PeriodClosed], PeriodClosed]


class Telling(KeptStory):
    """A story whose closes are recorded otherwise than they ran."""

    change: Change = staticmethod(lambda closed: closed)

    def tell(self, entries: Sequence[Entry]) -> None:
        super().tell([_changed(one, self.change) for one in entries])


def _changed(entry: Entry, change: Change) -> Entry:
    return Entry(change(entry.fact), entry.segment) if isinstance(entry.fact, PeriodClosed) else entry


def attested(story: KeptStory) -> Replica:
    """What an attester makes of the record."""
    size, found = story.workspace.store.size(), Replica()
    found.advance(Publication(story.workspace.store), size, story.workspace.tree().root(size))
    return found


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Telling]:
    made = Telling(tmp_path / "w")
    with made.workspace:
        made.pooled().at(month(0).start_us + DAY_US).paid(payment("loan-1", 100 * USDC, month(0).start_us + DAY_US))
        made.at(month(0).stop_us).taped(0)
        yield made


@pytest.mark.parametrize("fresh", [True, False])
def test_a_close_that_ran_so_is_taken(story: Telling, fresh: bool) -> None:
    closed = story.closed(0, fresh)
    assert closed.transfers
    assert attested(story).world.capital.servicing.of(DEAL).closed == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda closed: replace(closed, transfers=closed.transfers[1:]),
        lambda closed: replace(
            closed, transfers=(replace(closed.transfers[0], target=f"{DEAL}/paid/E"), *closed.transfers[1:])
        ),
        lambda closed: replace(closed, transfers=(*closed.transfers, Transfer("outside", "operator", 1, ""))),
        lambda closed: replace(closed, words=(closed.words[0] + 1, *closed.words[1:])),
        lambda closed: replace(closed, inflow_usdc_micro=closed.inflow_usdc_micro + 1),
    ],
    ids=["a payment left out", "another payee", "a payment more", "other words", "another inflow"],
)
def test_a_close_told_otherwise_stops_the_attester(story: Telling, change: Change) -> None:
    story.change = change
    story.closed(0)
    with pytest.raises(Unverified) as caught:
        attested(story)
    assert caught.value.code == "attest.close_differs"
