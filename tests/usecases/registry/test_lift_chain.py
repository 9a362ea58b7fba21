"""Certificates on a real chain: lifted, minted against the anchored journal, retired for a badge, lowered, lapsed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from small_plant import DAYS, Plant

from penstock.chain.artefact import call_data
from penstock.chain.client import ChainClient
from penstock.chain.node import Genesis, Node
from penstock.chain.provider import NodeProvider
from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.journal.laws import breaches
from penstock.journal.words import Right, TitleState
from penstock.keys import ChainKey, SigningKey, derive_seed
from penstock.period import SECOND_US
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.launch import Roles, adopt_chain
from penstock.usecases.registry.chain_certificates import collect, retire, send
from penstock.usecases.registry.lift import ON_CHAIN, UNCLAIMED, Lifting, found_certificates, lift_on, proofs
from penstock.usecases.registry.selection import Selection

LOG = SigningKey(derive_seed(b"lift", "log"))
AT_US = DAYS[-1].stop_us
OPERATOR, HOLDER = (ChainKey(derive_seed(b"lift", name)) for name in ("operator", "holder"))
START_S = AT_US // SECOND_US
DEADLINE_S = START_S + 3_600


class Scene:
    """A plant with certificates, a chain whose clock is turned by hand, and the operator's desk there."""

    def __init__(self, plant: Plant) -> None:
        self.plant, self.now_s = plant, START_S
        genesis = Genesis({key.address: 10**20 for key in (OPERATOR, HOLDER)}, at_s=START_S - 1)
        self.node = Node(genesis, now=lambda: self.now_s)
        self.desk = ChainDesk(plant.workspace, ChainClient(NodeProvider(self.node)), OPERATOR)
        attesters = tuple(ChainKey(derive_seed(b"lift", f"attester-{n}")).address for n in range(3))
        roles = Roles(attesters, HOLDER.address, OPERATOR.address, OPERATOR.address)
        adopt_chain(plant.workspace, self.desk, roles, AT_US)
        found_certificates(plant.workspace, self.desk, "http://127.0.0.1:8000", AT_US)

    def lift(
        self, key: str, wh: int, holder: ChainKey = OPERATOR, deadline_s: int = DEADLINE_S
    ) -> list[dict[str, Any]]:
        asked = Lifting("roof-a", holder.address, deadline_s)
        return lift_on(self.plant.workspace, asked, Selection(quantity_wh=wh), AT_US, key)

    def send(self) -> list[dict[str, Any]]:
        return send(self.plant.workspace, self.desk, LOG, AT_US)

    def collect(self) -> dict[str, Any]:
        found = collect(self.plant.workspace, self.desk, AT_US)
        assert breaches(self.plant.world.books) == ()
        return found

    def call(self, key: ChainKey, function: str, *args: Any) -> None:
        contract = self.desk.contract("Certificate")
        self.desk.client.transact(key, contract.address, call_data(contract.artefact, function, *args))

    def on_chain_wh(self, batch: dict[str, Any], holder: ChainKey) -> int:
        number = int.from_bytes(bytes.fromhex(batch["certificate"]))
        return int(self.desk.view("Certificate", "balanceOf", holder.address, number))

    def state_wh(self, account: str, state: TitleState) -> int:
        books = self.plant.world.books
        return books.titles[Right.ATTRIBUTE].balance(books.accounts.id_of(account), state)


@pytest.fixture
def scene(tmp_path: Any) -> Iterator[Scene]:
    plant = Plant(tmp_path / "plant")
    with plant.workspace:
        plant.do("workspace", lambda _: [Entry(WorkspaceOpened("penstock.example/lift", LOG.public))], DAYS[0].start_us)
        plant.enrolled()
        plant.certified(0)
        plant.certified(1)
        yield Scene(plant)


def test_up_and_down(scene: Scene) -> None:
    batches = scene.lift("lift", 12_000)
    assert len(batches) > 1
    assert sum(row["quantity_wh"] for row in batches) == 12_000 == scene.state_wh(ON_CHAIN, TitleState.LIFTED)
    sent = scene.send()
    assert sum(row["minted_rows"] for row in sent) == sum(row["rows"] for row in batches)
    assert sum(scene.on_chain_wh(row, OPERATOR) for row in batches) == 12_000
    assert [row["minted_rows"] for row in scene.send()] == [0] * len(batches)  # again: nothing is left to mint
    first, number = batches[0], int.from_bytes(bytes.fromhex(batches[0]["certificate"]))
    third = first["quantity_wh"] // 3
    badge = retire(scene.desk, "one", bytes.fromhex(first["certificate"]), third, "rack-1", "answer 7 of rack-1")
    assert badge == {"badge": 1, "number": 0, "energy_wh": third}
    scene.desk.act("lower", "Certificate", "lower", number, third, "investor")
    found = scene.collect()
    assert [row["cause"] for row in found["burned"]] == ["retired", "lowered"]
    assert scene.state_wh("investor", TitleState.HELD) == third
    assert scene.state_wh(ON_CHAIN, TitleState.RETIRED) == third
    assert scene.collect() == {"burned": [], "lapsed": []}
    scene.desk.act("lower rest", "Certificate", "lower", number, first["quantity_wh"] - 2 * third, "nobody known")
    assert len(scene.collect()["burned"]) == 1
    assert scene.state_wh(UNCLAIMED, TitleState.HELD) == first["quantity_wh"] - 2 * third


def test_lifted_lowered_and_lifted_again_by_another(scene: Scene) -> None:
    (batch,) = scene.lift("lift", 10)
    scene.send()
    number = int.from_bytes(bytes.fromhex(batch["certificate"]))
    scene.desk.act("lower", "Certificate", "lower", number, 10, "roof-a")
    scene.collect()
    (again,) = scene.lift("again", 10, HOLDER)
    assert again["certificate"] == batch["certificate"]
    scene.send()
    assert (scene.on_chain_wh(again, OPERATOR), scene.on_chain_wh(again, HOLDER)) == (0, 10)


def test_a_holder_mints_with_its_own_proof(scene: Scene) -> None:
    (batch,) = scene.lift("lift", 10, HOLDER)
    size = scene.plant.workspace.store.size()
    from penstock.usecases.anchor import anchor_checkpoint, sign_checkpoint
    from penstock.usecases.registry.lift import open_batch

    with pytest.raises(PenstockError) as early:
        open_batch(scene.plant.workspace, scene.desk, batch["batch"])
    assert early.value.code == "lift.not_anchored"
    signed = sign_checkpoint(scene.plant.workspace, f"c:{size}", "penstock.example/lift", LOG, AT_US)
    anchor_checkpoint(scene.plant.workspace, scene.desk, signed, AT_US)
    open_batch(scene.plant.workspace, scene.desk, batch["batch"])
    (proof,) = proofs(scene.plant.workspace, batch["batch"])
    args = (tuple(proof["batch"]), proof["index"], tuple(proof["row"]), proof["proof"])
    scene.call(HOLDER, "lift", *args)
    assert scene.on_chain_wh(batch, HOLDER) == 10
    with pytest.raises(PenstockError):
        scene.call(HOLDER, "lift", *args)
    assert scene.on_chain_wh(batch, HOLDER) == 10


def test_what_is_not_minted_in_time_comes_back_once(scene: Scene) -> None:
    (batch,) = scene.lift("lift", 10, deadline_s=START_S + 60)
    assert scene.collect()["lapsed"] == []
    scene.now_s += 61
    scene.desk.act("time passes", "Dollar", "mint", HOLDER.address, 1)
    assert [row["batch"] for row in scene.collect()["lapsed"]] == [batch["batch"]]
    assert scene.state_wh(ON_CHAIN, TitleState.LIFTED) == 0
    assert scene.send() == []
    assert scene.collect()["lapsed"] == []


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\x00b", b"\xed\xa0\x80", b"chain/certificates"])
def test_no_name_on_chain_keeps_the_others_from_coming_back(scene: Scene, name: bytes) -> None:
    """A contract takes any bytes for a string: what is no text, or no account, waits for the operator."""
    (batch,) = scene.lift("lift", 10, HOLDER)
    scene.send()
    number = int.from_bytes(bytes.fromhex(batch["certificate"]))
    contract = scene.desk.contract("Certificate")
    data = call_data(contract.artefact, "lower", number, 4, "x" * len(name))
    forged = data.replace(b"x" * len(name), name)
    assert forged != data
    scene.desk.client.transact(HOLDER, contract.address, forged)
    scene.call(HOLDER, "lower", number, 3, "investor")
    scene.desk.client.transact(
        HOLDER,
        contract.address,
        call_data(contract.artefact, "retire", number, 3, "xy", "xy").replace(b"xy", b"\xff\xfe"),
    )
    assert [row["cause"] for row in scene.collect()["burned"]] == ["lowered", "lowered", "retired"]
    assert (scene.state_wh(UNCLAIMED, TitleState.HELD), scene.state_wh("investor", TitleState.HELD)) == (4, 3)
    assert scene.state_wh(ON_CHAIN, TitleState.RETIRED) == 3
