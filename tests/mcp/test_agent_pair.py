"""The agent's pair of purchases at a live door: credits over MCP and certificates over HTTP, both or neither."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp_kit import PLANT, http_client

from penstock.agent.certificates import CertificateLeg
from penstock.agent.compute_leg import ComputeLeg
from penstock.agent.together import GIVEN_BACK, TAKEN, Together
from penstock.api.app import make_app
from penstock.api.running import Running, serve_in_thread
from penstock.connect.spool import now_us
from penstock.errors import Conflict, Refused
from penstock.mcp.door import PATH, http_door, mount
from penstock.period import DAY_US
from penstock.usecases import sell
from penstock.usecases.api_keys import OPERATE, create_key
from penstock.usecases.workers import Workers

WH, PRICE, SELLER = 5, 2_600, "roof-b"
FAR_US = now_us() + 100 * DAY_US


class Died(BaseException):
    """The process ends here."""


@dataclass
class Stage:
    """A workspace with a day of certificates, served, with a class of credits that can still be bought."""

    plant: Any
    running: Running
    key: str
    http: httpx.Client
    folder: Path

    def legs(self, credits: int = 2, most: int = 10**6, wh: int = WH) -> tuple[ComputeLeg, CertificateLeg]:
        compute = ComputeLeg(
            lambda: http_client(self.running.url + PATH, self.key), "buyer", most, "later", credits=credits
        )
        return compute, CertificateLeg(self.running.url, self.key, self.http, SELLER, "buyer", wh, FAR_US)

    def pair(self, name: str = "pair") -> Together:
        return Together(self.folder, name)

    @property
    def bought(self) -> int:
        return int(self.plant.world.compute.credits["later"].sold)

    def wh(self, state: str) -> int:
        asked: dict[str, str | int] = {"holder": SELLER, "state": state, "limit": 500}
        heard = self.http.get(f"{self.running.url}/certificates", params=asked)
        return sum(one["energy_wh"] for one in heard.json()["certificates"])


@dataclass
class Dies:
    """A leg whose process dies after a step."""

    leg: ComputeLeg | CertificateLeg
    after: set[str] = field(default_factory=set)

    def __getattr__(self, step: str) -> Any:
        def act(key: str) -> None:
            getattr(self.leg, step)(key)
            if step in self.after:
                raise Died

        return act


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    plant = PLANT.Plant(tmp_path_factory.mktemp("pair") / "plant").enrolled()
    plant.certified(0)
    later = replace(PLANT.TERMS, credit_class="later", register="later/credits", expires_us=FAR_US, capacity_credits=6)
    with plant.workspace, Workers() as workers, httpx.Client(timeout=30) as http:
        plant.do("later", lambda world: sell.offer(world, later))
        key = create_key(plant.workspace.path, "agent", frozenset({OPERATE}), now_us(), FAR_US)[1]
        app = make_app(plant.workspace, workers=workers)
        mount(app, http_door(plant.workspace, now_us))
        with serve_in_thread(app) as running:
            yield Stage(plant, running, key, http, tmp_path_factory.mktemp("agent"))


def test_both_are_bought_once(stage: Stage) -> None:
    before = stage.bought, stage.wh("retired")
    stage.pair("both").buy(*stage.legs())
    stage.pair("both").buy(*stage.legs())
    assert (stage.bought - before[0], stage.wh("retired") - before[1], stage.pair("both").state) == (2, WH, TAKEN)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"most": 2 * PRICE - 1}, "compute.dearer"),
        ({"credits": 99}, "compute.gone"),
        ({"wh": 10**9}, "certificates.refused"),
    ],
)
def test_where_one_is_not_to_be_had_neither_is(stage: Stage, change: dict[str, int], code: str) -> None:
    before = stage.bought, stage.wh("retired"), stage.wh("held")
    with pytest.raises(Refused) as caught:
        stage.pair(code).buy(*stage.legs(**change))
    assert caught.value.code == code
    assert (stage.bought, stage.wh("retired"), stage.wh("held")) == before
    assert stage.pair(code).state == GIVEN_BACK


def test_sold_to_another_in_between_gives_the_certificates_back(stage: Stage) -> None:
    """The door holds credits for nobody: somebody else has the last ones after they were looked at."""
    compute, certificates = stage.legs()
    before = stage.bought, stage.wh("retired"), stage.wh("held")
    looked = compute.reserve

    def looked_and_sold(key: str) -> None:
        looked(key)
        compute.most_usdc_micro = 1  # what it costs now is above what was said

    compute_leg: Any = Dies(compute)
    compute_leg.reserve = looked_and_sold
    with pytest.raises(Refused):
        stage.pair("race").buy(compute_leg, certificates)
    assert (stage.bought, stage.wh("retired"), stage.wh("held")) == before
    with pytest.raises(Conflict):
        stage.pair("race").buy(*stage.legs())


@pytest.mark.parametrize(
    ("which", "step", "both"), [(1, "reserve", False), (0, "reserve", False), (0, "take", True), (1, "take", True)]
)
def test_wherever_its_process_dies_it_ends_with_both_or_neither(
    stage: Stage, which: int, step: str, both: bool
) -> None:
    name, before = f"dies-{which}-{step}", (stage.bought, stage.wh("retired"), stage.wh("held"))
    legs: list[Any] = list(stage.legs(credits=1))
    legs[which] = Dies(legs[which], {step})
    with pytest.raises(Died):
        stage.pair(name).buy(*legs)
    assert stage.pair(name).settle(*stage.legs(credits=1)) == (TAKEN if both else GIVEN_BACK)
    got = (1, WH, -WH) if both else (0, 0, 0)
    after = stage.bought, stage.wh("retired"), stage.wh("held")
    assert tuple(now - then for now, then in zip(after, before, strict=True)) == got


def test_begun_again_with_other_terms_is_told(stage: Stage) -> None:
    name, (compute, certificates) = "terms", stage.legs(credits=1)
    with pytest.raises(Died):
        stage.pair(name).buy(compute, Dies(certificates, {"reserve"}))
    with pytest.raises(Conflict) as caught:
        stage.pair(name).settle(*stage.legs(credits=1, wh=WH + 1))
    assert caught.value.code == "certificates.other"
    assert stage.pair(name).settle(*stage.legs(credits=1)) == GIVEN_BACK
