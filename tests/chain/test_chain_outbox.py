"""The outbox: nothing twice, nothing lost, whatever dies in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from chain_kit import ATTACKER, INVESTOR, OPERATOR, sign
from hypothesis import given, settings
from hypothesis import strategies as st
from web3.types import RPCEndpoint, RPCResponse

from penstock.chain.artefact import call_data, creation_data, event, load_artefact, result
from penstock.chain.client import ChainClient, Receipt, connect
from penstock.chain.node import Genesis, Node
from penstock.chain.outbox import MemoryOutbox, Outbox, PlannedTx, Seen, next_state
from penstock.chain.provider import NodeProvider
from penstock.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from penstock.keys import ChainKey

KEY, OTHER = ChainKey(bytes(OPERATOR.key)), ChainKey(bytes(ATTACKER.key))
TO = bytes.fromhex(INVESTOR.address[2:])
DOLLAR = load_artefact("Dollar")


class Dying(Exception):
    """The process dies here."""


class MortalProvider(NodeProvider):
    """A provider of a process that dies before or after its ``dies_at``-th request, or whose node is away."""

    dies_at: int | None = None
    asked = 0
    after = False

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        self.asked += 1
        answer = super().make_request(method, params) if self.after or self.asked != self.dies_at else None
        if self.asked == self.dies_at:
            raise Dying
        assert answer is not None
        return answer


def planned(*values: int, key: ChainKey = KEY) -> list[PlannedTx]:
    return [PlannedTx(f"pay-{value}", key.address, TO, b"", value) for value in values]


def states(table: MemoryOutbox) -> list[str]:
    return [row.state for row in table.rows()]


@pytest.fixture
def provider(node: Node) -> MortalProvider:
    return MortalProvider(node)


def outbox(table: MemoryOutbox, provider: NodeProvider, finality: int = 0) -> Outbox:
    return Outbox(table, ChainClient(provider), {KEY.address: KEY, OTHER.address: OTHER}, finality)


def received(node: Node) -> int:
    return node.view.balance(TO) - node.genesis.alloc[TO]


def test_planned_rows_become_final_in_order(node: Node, provider: MortalProvider) -> None:
    table = MemoryOutbox(planned(1, 2, 3) + planned(10, key=OTHER))
    assert table.add(planned(1)) == 0
    assert outbox(table, provider).pump() == []
    assert states(table) == ["final"] * 4 and received(node) == 16
    assert [row.nonce for row in table.rows()] == [0, 1, 2, 0]
    before = node.head
    outbox(table, provider).pump()
    assert node.head == before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_request_sends_nothing_twice_and_loses_nothing(after: bool, clock: Any) -> None:
    deaths = 0
    for dies_at in range(1, 60):
        with Node(Genesis(alloc={KEY.address: 10**21, TO: 0}), now=clock) as node:
            table, provider = MemoryOutbox(planned(1, 2, 4)), MortalProvider(node)
            provider.dies_at, provider.after = dies_at, after
            try:
                outbox(table, provider).pump()
            except Dying:
                deaths += 1
            kept = {row.id: row.raw for row in table.rows() if row.raw}
            outbox(table, NodeProvider(node)).pump()
            assert states(table) == ["final"] * 3 and received(node) == 7 and node.view.nonce(KEY.address) == 3
            assert all(row.raw == kept.get(row.id, row.raw) for row in table.rows())
    assert deaths > 20


def test_death_between_keeping_and_sending_resends_the_same_bytes(node: Node, provider: MortalProvider) -> None:
    signed = ChainClient(provider).sign(KEY, 0, TO, b"", 5)
    row = replace(planned(5)[0], state="signed", nonce=0, raw=signed.raw, tx_hash=signed.tx_hash)
    table = MemoryOutbox([row, *planned(6)])
    outbox(table, provider).pump()
    assert states(table) == ["final", "final"] and node.archive.tx(signed.tx_hash) and received(node) == 11


def test_a_call_that_fails_is_known(node: Node, provider: MortalProvider) -> None:
    client = ChainClient(provider)
    token = client.deploy(KEY, DOLLAR, OPERATOR.address)
    overdraw = call_data(DOLLAR, "transfer", INVESTOR.address, 10**9)
    table = MemoryOutbox([PlannedTx("bad", KEY.address, token, overdraw), *planned(3)])
    assert outbox(table, provider).pump() == []
    bad, good = table.rows()
    assert (bad.state, bad.nonce, good.state) == ("reverted", None, "final") and "not sent" in bad.note


def test_a_transaction_mined_as_failed_is_reverted(node: Node, provider: MortalProvider) -> None:
    raw = sign(OPERATOR, 0, data=b"\xfe", gas=100_000)
    row = PlannedTx("failed", KEY.address, None, b"\xfe", nonce=0, raw=raw, tx_hash=node.send(raw), state="sent")
    table = MemoryOutbox([row])
    outbox(table, provider).pump()
    (settled,) = table.rows()
    assert settled.state == "reverted" and settled.note.endswith("settled")


def test_a_row_whose_nonce_another_took_is_replaced(node: Node, provider: MortalProvider) -> None:
    signed = ChainClient(provider).sign(KEY, 0, TO, b"", 5)
    node.send(sign(OPERATOR, 0, INVESTOR.address, value=99))
    row = replace(planned(5)[0], state="signed", nonce=0, raw=signed.raw, tx_hash=signed.tx_hash)
    table = MemoryOutbox([row, *planned(6)])
    outbox(table, provider).pump()
    assert states(table) == ["replaced", "final"] and received(node) == 99 + 6


def test_without_funds_a_row_waits_and_holds_back_its_senders_later_ones(node: Node, provider: MortalProvider) -> None:
    poor = ChainKey(b"\x07" * 32)
    table = MemoryOutbox([*planned(1, 2, key=poor), *planned(3)])
    box = Outbox(table, ChainClient(provider), {KEY.address: KEY, poor.address: poor})
    assert box.pump() == ["pay-1", "pay-2"] and states(table) == ["planned", "planned", "final"]
    assert "insufficient funds" in table.rows()[0].note
    node.send(sign(OPERATOR, 1, "0x" + poor.address.hex(), value=10**18))
    assert box.pump() == [] and states(table) == ["final"] * 3


def test_a_sender_without_a_key_is_said(provider: MortalProvider) -> None:
    table = MemoryOutbox(planned(1, key=ChainKey(b"\x09" * 32)))
    with pytest.raises(Invalid) as refused:
        outbox(table, provider).pump()
    assert refused.value.code == "outbox.no_key" and states(table) == ["planned"]


def test_finality_waits_for_blocks_on_top(node: Node, provider: MortalProvider) -> None:
    table = MemoryOutbox(planned(1))
    box = outbox(table, provider, finality=2)
    box.pump()
    assert states(table) == ["mined"]
    node.mine()
    box.pump()
    assert states(table) == ["mined"]
    node.mine()
    box.pump()
    assert states(table) == ["final"]


def test_a_forgotten_transaction_is_handed_in_again(node: Node, provider: MortalProvider) -> None:
    signed = ChainClient(provider).sign(KEY, 0, TO, b"", 5)
    row = replace(planned(5)[0], state="sent", nonce=0, raw=signed.raw, tx_hash=signed.tx_hash)
    table = MemoryOutbox([row])
    outbox(table, provider).pump()
    outbox(table, provider).pump()
    assert states(table) == ["final"]


RECEIPT = Receipt(bytes(32), 10, b"\x01" * 32, True, 21_000, None)


@pytest.mark.parametrize(
    ("state", "receipt", "head", "final_nonce", "becomes"),
    [
        ("sent", None, 12, 4, None),
        ("sent", None, 12, 5, "replaced"),
        ("sent", RECEIPT, 12, 4, "mined"),
        ("sent", RECEIPT, 13, 4, "final"),
        ("sent", replace(RECEIPT, succeeded=False), 11, 4, "reverted"),
        ("mined", RECEIPT, 13, 5, "final"),
        ("mined", None, 13, 4, "reorged"),
        ("reverted", None, 13, 4, "reorged"),
    ],
)
def test_the_machine(state: str, receipt: Receipt | None, head: int, final_nonce: int, becomes: str | None) -> None:
    row = replace(planned(1)[0], state=state, nonce=4)
    assert next_state(row, Seen(receipt, head, 3, final_nonce)).get("state") == becomes


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 20), st.integers(0, 6), st.booleans())
def test_what_is_settled_does_not_change_again(above: int, finality: int, succeeded: bool) -> None:
    receipt = replace(RECEIPT, succeeded=succeeded)
    row = replace(planned(1)[0], state="sent", nonce=4)
    seen = Seen(receipt, 10 + above, finality, 4)
    once = replace(row, **next_state(row, seen))
    assert next_state(once, seen) == {}
    assert (once.state == "final" or once.note.endswith("settled")) == (above >= finality)


def test_a_reorganised_transaction_goes_out_again(node: Node, provider: MortalProvider, clock: Any) -> None:
    table = MemoryOutbox(planned(1))
    outbox(table, provider, finality=5).pump()
    assert states(table) == ["mined"]
    with Node(node.genesis, now=clock) as fork:
        box = outbox(table, NodeProvider(fork), finality=5)
        box.pump()
        box.pump()
        assert states(table) == ["mined"] and received(fork) == 1


# the client and the artefacts


def test_deploy_call_and_events(node: Node, provider: MortalProvider) -> None:
    client = ChainClient(provider)
    token = client.deploy(KEY, DOLLAR, OPERATOR.address)
    assert node.view.code(token)[: len(DOLLAR.runtime)] == DOLLAR.runtime
    client.transact(KEY, token, call_data(DOLLAR, "mint", INVESTOR.address, 70))
    assert result(DOLLAR, "balanceOf", client.call(token, call_data(DOLLAR, "balanceOf", INVESTOR.address))) == (70,)
    named = [event(DOLLAR, log.topics, log.data) for log in client.logs(0, 9, [token])]
    assert ("Transfer", {"sender": "0x" + "00" * 20, "receiver": INVESTOR.address.lower(), "value": 70}) in named
    assert event(DOLLAR, (b"\x00" * 32,), b"") is None and event(DOLLAR, (), b"") is None


def test_the_contracts_words_come_through(provider: MortalProvider) -> None:
    client = ChainClient(provider)
    token = client.deploy(KEY, DOLLAR, OPERATOR.address)
    with pytest.raises(Refused) as refused:
        client.transact(OTHER, token, call_data(DOLLAR, "mint", INVESTOR.address, 70))
    assert refused.value.code == "chain.reverted" and refused.value.message.startswith("role")


def test_malformed_arguments_names_and_output() -> None:
    bad_calls: list[tuple[str, tuple[Any, ...]]] = [("mint", (5,)), ("mint", ("x", -1)), ("decimals", (1,))]
    for function, args in bad_calls:
        with pytest.raises(Invalid) as refused:
            call_data(DOLLAR, function, *args)
        assert refused.value.code == "contract.arguments"
    with pytest.raises(Invalid):
        creation_data(DOLLAR)
    with pytest.raises(Invalid):
        result(DOLLAR, "balanceOf", b"\x01")
    with pytest.raises(NotFound):
        call_data(DOLLAR, "none")
    for name in ("Nothing", "../keystore", ""):
        with pytest.raises(NotFound):
            load_artefact(name)


def test_connect_knows_its_chain(provider: MortalProvider, node: Node) -> None:
    client = ChainClient(provider)
    mine = connect(client, None)
    assert connect(client, mine) == mine and mine.chain_id == node.chain_id
    with pytest.raises(Conflict) as refused:
        connect(client, replace(mine, genesis=bytes(32)))
    assert refused.value.code == "chain.wrong_chain"


def test_an_unreachable_chain_is_unavailable() -> None:
    from web3 import HTTPProvider

    with pytest.raises(Unavailable):
        ChainClient(HTTPProvider("http://127.0.0.1:9", exception_retry_configuration=None)).head()


def test_not_mined_yet_is_said(clock: Any) -> None:
    with Node(Genesis(alloc={KEY.address: 10**21}), now=clock, automine=False) as node:
        with pytest.raises(Unavailable) as waiting:
            ChainClient(NodeProvider(node)).transact(KEY, TO, b"", 1)
        assert waiting.value.code == "chain.not_mined"
