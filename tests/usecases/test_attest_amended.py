"""An attester and a deal whose text changes: measured by what runs on chain, not by what a record slips in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from attest_kit import ATTESTERS, DEAL, START_US, Record, attester, chain_for, compiled, deal_address, publication

from penstock.errors import Unverified
from penstock.journal.fact import Entry
from penstock.journal.kinds.servicing import DealAmended
from penstock.period import DAY_US
from penstock.usecases.originate import recompile
from penstock.usecases.world import World


def amendment(world: World, period: int, fee: str) -> Entry:
    """The first deal with another fee for its servicer, from a period on."""
    said = world.capital.deal(DEAL).originated
    text = said.text.replace("40 USDC", fee).replace("41 USDC", fee)
    _, program = recompile(replace(said, text=text))
    hashes = (program.deal_hash, program.code, program.program_hash, program.rows)
    return Entry(DealAmended(DEAL, period, text, *hashes, said.compiler, 1, "voted"))


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "record")
    with made.workspace:
        made.begin(deal_address())
        yield made


def test_a_text_slipped_in_for_one_period_is_not_measured_by(record: Record, tmp_path: Path) -> None:
    """Amended and amended back: the newest text is the chain's, that of the period is nobody's."""
    record.do("slipped", START_US, lambda world: [amendment(world, 0, "41 USDC")])
    record.do("back", START_US, lambda world: [amendment(world, 1, "40 USDC")])
    record.day(0)
    record.anchor(START_US + DAY_US)
    with chain_for(record) as (house, url):
        with attester("attester-1", publication(record), url, tmp_path) as one, pytest.raises(Unverified) as caught:
            list(one.attest_ready(9))
        assert (caught.value.code, house.votes("attester-1")) == ("attest.program_differs", [])


def test_an_attester_that_begins_after_an_amendment_catches_up(record: Record, tmp_path: Path) -> None:
    record.day(0)
    record.anchor(START_US + DAY_US)
    with chain_for(record, governed=True) as (house, url):
        first = ATTESTERS[0]
        with attester(first, publication(record), url, tmp_path) as one:
            assert [found.status for found in one.attest_ready(9)] == ["voted"]
        house.send(house.deal.functions.close(), "operator")
        text = record.text.replace("40 USDC", "41 USDC")
        nobody = "0x" + "00" * 20
        program, deal_hash = compiled(text)
        assert house.send(house.deal.functions.amend(program, nobody, deal_hash), "operator")["status"] == 1
        record.do("amended", START_US + DAY_US, lambda world: [amendment(world, 1, "41 USDC")])
        record.day(1)
        record.anchor(START_US + 2 * DAY_US)
        house.publish(record.anchored[1:])
        with attester("attester-2", publication(record), url, tmp_path) as one:
            assert [(found.request.period, found.status) for found in one.attest_ready(9)] == [
                (0, "late"),
                (1, "voted"),
            ]
        assert len(house.votes("attester-2")) == 1
