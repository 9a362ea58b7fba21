"""A servicer takes its fees; replaced by vote, it takes what it was owed until then, its successor what came after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_vote import AT_US, NAME, REPLACE, Scene, refused

from penstock.capital.exact import period_bounds
from penstock.journal.kinds.capital import IncomePulled
from penstock.usecases.originate import recompile
from penstock.usecases.pay_period import DealPeriod, close_on_chain
from penstock.usecases.take_fees import FORMER, take_fees

FEE = 40 * 10**6


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "plant")
    with made.workspace:
        yield made


def take(scene: Scene, role: str) -> dict[str, int]:
    return take_fees(scene.workspace, scene.desk_of(role), NAME, AT_US)


def close_funded(scene: Scene, number: int) -> None:
    program = recompile(scene.record.originated)[1]
    scene.now_s = max(scene.now_s, period_bounds(program.code, number)[1] + 6 * 3600)
    scene.desk.act(f"dollars {number}", "Dollar", "mint", scene.desk.contract(NAME).address, FEE)
    close_on_chain(scene.workspace, scene.desk, DealPeriod(NAME, program, number, AT_US))


def words(scene: Scene) -> list[Any]:
    return [scene.desk.view(NAME, "words", place) for place in range(len(scene.record.state.words))]


def test_former_and_present_servicer_each_take_their_own(scene: Scene) -> None:
    close_funded(scene, 0)
    assert take(scene, "servicer") == {"servicer": FEE}
    assert take(scene, "servicer") == {}  # it is the payee, and nothing waits
    close_funded(scene, 1)
    number = scene.passed(REPLACE)
    scene.carry_out(number, REPLACE)
    close_funded(scene, 2)
    assert take(scene, "servicer") == {FORMER: FEE}
    assert take(scene, "stranger") == {"servicer": FEE}
    assert refused(take, scene, "servicer") == "deal.not_a_payee"
    lane = recompile(scene.record.originated)[1].payee_lanes["servicer"]
    pulled = [
        (one.payee, one.lane, sum(each.usdc_micro for each in one.transfers)) for one in scene.facts(IncomePulled)
    ]
    assert pulled == [("servicer", lane, FEE), ("servicer", 0, FEE), ("servicer", lane, FEE)]
    assert list(scene.record.state.words) == words(scene)
    assert scene.record.state.former_usdc_micro == 0


def test_who_is_no_payee_is_told_so(scene: Scene) -> None:
    size = scene.workspace.store.size()
    assert refused(take, scene, "junior") == "deal.not_a_payee"
    assert scene.workspace.store.size() == size
