"""Facts that no act would record are refused as they apply: nobody's word is taken for a number, a flag or a dollar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from servicing_kit import DEAL, USDC, Story, month, payment, table

from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.kinds.servicing import AssetsPooled, AssetsReported, CollectionsMatched, DealAmended
from penstock.journal.segment import Segment
from penstock.period import DAY_US
from penstock.usecases.servicing.collect import collect
from penstock.usecases.servicing.pool import pool
from penstock.usecases.servicing.report import report

MID = month(0).start_us + 14 * DAY_US


@pytest.fixture
def story() -> Story:
    return Story().pooled().at(MID)


def altered(entry: Entry, **columns: object) -> Entry:
    """The entry with columns replaced and sealed again."""
    assert entry.segment is not None
    segment = Segment(entry.segment.format, entry.segment.columns | columns)  # type: ignore[operator]
    return Entry(replace(entry.fact, segment=segment.ref()), segment)


def refused(story: Story, entry: Entry) -> str:
    with pytest.raises(PenstockError) as caught:
        story.tell([entry])
    return str(caught.value.ids.get("cause", caught.value.code))


def paid(story: Story) -> Entry:
    story.paid(payment("loan-2", 1, MID))  # the lockbox is open from here on
    (entry,) = collect(story.world, DEAL, "r", [payment("loan-4", 5, MID)], MID)
    return entry


def test_a_flag_left_out(story: Story) -> None:
    assert refused(story, altered(paid(story), flag=np.array([0], dtype=np.uint8))) == "collection.flag"


@pytest.mark.parametrize(
    "transfers",
    [
        (),
        (Transfer("lockbox", f"{DEAL}/collect", 6, ""),),
        (Transfer("lockbox", "operator", 5, ""),),
        (Transfer("lockbox", f"{DEAL}/collect", 4, ""), Transfer("lockbox", "operator", 1, "")),
    ],
)
def test_dollars_that_are_not_those_of_the_rows(story: Story, transfers: tuple[Transfer, ...]) -> None:
    entry = paid(story)
    assert isinstance(entry.fact, CollectionsMatched)
    forged = Entry(replace(entry.fact, transfers=transfers), entry.segment)
    assert refused(story, forged) == "collection.transfers"


def test_assets_numbered_otherwise(story: Story) -> None:
    (entry,) = pool(story.world, DEAL, table(asset=["n-1", "n-2", "n-3", "n-4"]))
    assert refused(story, altered(entry, asset=np.arange(9, 13, dtype=np.int32))) == "asset.number"


def test_an_asset_pledged_twice_in_a_fact(story: Story) -> None:
    (entry,) = pool(story.world, DEAL, table(asset=["n-1", "n-2", "n-3", "n-4"]))
    story.tell([entry])
    again = altered(entry, asset=np.arange(8, 12, dtype=np.int32))
    assert refused(story, again) == "deal.pledged_twice"
    assert isinstance(entry.fact, AssetsPooled)


def test_a_tape_that_leaves_an_asset_out(story: Story) -> None:
    story.at(month(0).stop_us)
    (entry,) = report(story.world, DEAL, 0, {}, story.at_us)
    assert entry.segment is not None
    fewer = {name: column[:-1] for name, column in entry.segment.columns.items()}
    assert refused(story, altered(entry, **fewer)) == "tape.incomplete"
    assert isinstance(entry.fact, AssetsReported)
    assert refused(story, Entry(replace(entry.fact, as_of_us=MID), entry.segment)) == "tape.period"


def test_an_amended_text_counts_from_then_on(story: Story) -> None:
    record = story.world.capital.deal(DEAL)
    said = record.originated
    text = said.text.replace("amount: 40 USDC", "amount: 70 USDC")
    fact = DealAmended(DEAL, 1, text, b"d", said.program, b"p", said.schedule, said.compiler, 1, "voted")
    story.paid(payment("loan-1", 100 * USDC, MID)).at(month(0).stop_us).taped(0)
    before = story.value("cfads", 0)
    story.paid(payment("loan-1", 100 * USDC, story.at_us, payer="late")).at(month(1).stop_us).taped(1)
    later = story.value("cfads", 1)
    story.tell([Entry(fact)])
    assert (story.value("cfads", 0), story.value("cfads", 1)) == (before, later - 30 * USDC)
    assert (record.originated.text, record.amended) == (text, [fact])
