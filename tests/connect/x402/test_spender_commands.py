"""`penstock agent new-spender`, `fund`, `bound`, `revoke`, ...: the mandate's on-chain half, with no Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import payment_kit as kit
import pytest
from typer.testing import CliRunner

from penstock.chain.artefact import call_data, load_artefact
from penstock.chain.keystore import save_key
from penstock.chain.rpc import serve
from penstock.cli.main import app
from penstock.errors import PenstockError

FIRST, SECOND = kit.hexed(kit.PROVIDER.address), kit.hexed(kit.ATTACKER.address)


def mandate(scene: kit.Scene, **changes: Any) -> dict[str, Any]:
    return {
        "penstock": "mandate/1", "name": "t",
        "valid": {"from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"},
        "budget_usd": {"call": "0.001", "hour": "0.01", "total": "0.1"}, "price_max_usd": {"per_1k_tokens": "0.01"},
        "venues": [{"url": "http://first.test", "pay_to": FIRST, "key": "ab" * 32}],
        "payments": [{"network": kit.NETWORK, "asset": kit.hexed(scene.dollar), "schemes": ["exact", "upto"]}],
    } | changes  # fmt: skip


class Desk:
    """The agent's folder, the owner's key, and the chain's address."""

    def __init__(self, folder: Path, rpc: str) -> None:
        self.folder, self.rpc = folder, rpc

    def write(self, said: dict[str, Any]) -> None:
        (self.folder / "mandate.yaml").write_text(json.dumps(said))

    def asks(self, *words: str, owner: str = "owner.json") -> dict[str, Any]:
        by = [] if words[0] == "spender" else ["--owner", str(self.folder / owner)]
        how = [*words, *by, "--rpc", self.rpc, "--folder", str(self.folder), "--json"]
        done = CliRunner(env={"PENSTOCK_PASSPHRASE": "open"}).invoke(app, ["agent", *how])
        if done.exception is not None:
            raise done.exception
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def desk(scene: kit.Scene, tmp_path: Path) -> Iterator[Desk]:
    save_key(tmp_path / "owner.json", kit.OPERATOR, "open", cost_log2=4)
    save_key(tmp_path / "other.json", kit.ATTACKER, "open", cost_log2=4)
    done = CliRunner().invoke(app, ["agent", "key", "--folder", str(tmp_path), "--json"])
    assert done.exit_code == 0
    scene.mint(kit.OPERATOR)
    with serve(scene.node, 0) as rpc:
        made = Desk(tmp_path, rpc)
        made.write(mandate(scene))
        yield made


def spender(desk: Desk, scene: kit.Scene) -> str:
    address = str(desk.asks("new-spender")["spender"])
    desk.write(mandate(scene, spender=address))
    return address


def allows(scene: kit.Scene, address: str, payee: str) -> bool:
    data = call_data(load_artefact("Spender"), "payee_allowed", payee)
    return bool(int.from_bytes(scene.client.call(bytes.fromhex(address[2:]), data), "big"))


def refused(desk: Desk, *words: str, **how: str) -> PenstockError:
    with pytest.raises(PenstockError) as caught:
        desk.asks(*words, **how)
    return caught.value


def test_deployed_with_the_mandates_bounds(desk: Desk, scene: kit.Scene) -> None:
    address = spender(desk, scene)
    found = desk.asks("spender")
    assert (found["hour_left_usdc_micro"], found["total_left_usdc_micro"]) == (10_000, 100_000)
    assert (found["owner"].lower(), found["revoked"]) == (kit.hexed(kit.OPERATOR.address).lower(), False)
    assert (allows(scene, address, FIRST), allows(scene, address, SECOND)) == (True, False)
    assert refused(desk, "new-spender").code == "agent.has_spender"


def test_filled_with_coin_for_the_agent_that_announces(desk: Desk, scene: kit.Scene) -> None:
    spender(desk, scene)
    agent = desk.asks("spender")["agent"]
    assert len(desk.asks("fund", "0.5", "--gas-gwei", "7")["transactions"]) == 2
    assert int(scene.client.ask("eth_getBalance", agent, "latest"), 16) == 7 * 10**9


def test_filled_and_emptied(desk: Desk, scene: kit.Scene) -> None:
    spender(desk, scene)
    desk.asks("fund", "0.5")
    assert desk.asks("spender")["balance_usdc_micro"] == 500_000
    desk.asks("withdraw", "0.2")
    assert desk.asks("spender")["balance_usdc_micro"] == 300_000
    assert refused(desk, "withdraw", "9").code == "chain.reverted"
    assert refused(desk, "fund", "none").code == "agent.amount"


def test_bounded_anew_whom_the_mandate_no_longer_names_is_paid_no_longer(desk: Desk, scene: kit.Scene) -> None:
    address = spender(desk, scene)
    venue = {"url": "http://second.test", "pay_to": SECOND, "key": "cd" * 32}
    money = {"call": "0.001", "hour": "0.002", "total": "0.003"}
    desk.write(mandate(scene, spender=address, venues=[venue], budget_usd=money))
    desk.asks("bound")
    assert (allows(scene, address, FIRST), allows(scene, address, SECOND)) == (False, True)
    assert desk.asks("spender")["total_left_usdc_micro"] == 3_000
    sent = len(desk.asks("bound")["transactions"])
    assert sent == 2  # nothing to change but what has no look beforehand


def test_revoked(desk: Desk, scene: kit.Scene) -> None:
    spender(desk, scene)
    desk.asks("revoke")
    assert desk.asks("spender")["revoked"]


def test_nobody_but_its_owner(desk: Desk, scene: kit.Scene) -> None:
    spender(desk, scene)
    for words in (("revoke",), ("bound",), ("withdraw", "0.1")):
        error = refused(desk, *words, owner="other.json")
        assert error.code == "chain.reverted" and "spender.not_owner" in error.message
    assert not desk.asks("spender")["revoked"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payments": [{"network": "eip155:1", "asset": "0x" + "ab" * 20, "schemes": ["exact"]}]}, "spender.chain"),
        (
            {
                "payments": [
                    {"network": kit.NETWORK, "asset": "0x" + digit * 20, "schemes": ["exact"]} for digit in ("ab", "cd")
                ]
            },
            "spender.one_dollar",
        ),
    ],
)
def test_what_no_contract_can_keep_is_refused(desk: Desk, scene: kit.Scene, changes: dict[str, Any], code: str) -> None:
    desk.write(mandate(scene, **changes))
    before = scene.node.head.number
    assert refused(desk, "new-spender").code == code
    assert scene.node.head.number == before


def test_a_mandate_without_a_spender(desk: Desk) -> None:
    assert refused(desk, "revoke").code == "agent.no_spender"
