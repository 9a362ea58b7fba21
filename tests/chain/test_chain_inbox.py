"""The inbox: every event once, gone blocks taken back, a broken promise stops it."""

from __future__ import annotations

from typing import Any

import pytest
from chain_kit import ATTACKER, OPERATOR, calldata, deploy_dollar, sign
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_chain import TOKEN, ScriptedChain

from penstock.chain.client import ChainClient
from penstock.chain.inbox import Cursor, MemoryObservations, poll, start
from penstock.chain.node import Node
from penstock.chain.provider import NodeProvider
from penstock.errors import Conflict, Corrupt, Unavailable


class Reader:
    """An inbox over a scripted chain, its cursor kept as JSON in between."""

    def __init__(self, chain: ScriptedChain, finality: int) -> None:
        self.client, self.finality = ChainClient(chain), finality
        self.table = MemoryObservations()
        self.cursor = start(self.client)

    def poll(self) -> list[tuple[str, bool]]:
        """What is kept after a poll: names of events in chain order, and whether final."""
        cursor = poll(self.client, self.table, self.cursor, [TOKEN], self.finality)
        self.cursor = Cursor.from_json(cursor.to_json())
        kept = sorted(self.table.kept.values(), key=lambda x: x.block_number)
        return [(x.data.decode(), x.final) for x in kept]


@pytest.fixture
def chain() -> ScriptedChain:
    return ScriptedChain()


def test_events_come_once_and_become_final(chain: ScriptedChain) -> None:
    reader = Reader(chain, 2)
    chain.mine("a!", "b", "c!")
    assert reader.poll() == [("a!", True), ("c!", False)] == reader.poll()
    chain.mine("d", "e")
    assert reader.poll() == [("a!", True), ("c!", True)]
    assert reader.cursor.number == 5 and reader.cursor.trail[0][0] == 3


def test_finality_0_is_final_at_once(chain: ScriptedChain) -> None:
    reader = Reader(chain, 0)
    chain.mine("a!")
    assert reader.poll() == [("a!", True)]
    assert len(reader.cursor.trail) == 1


def test_a_shallow_reorg_takes_back_what_is_gone(chain: ScriptedChain) -> None:
    reader = Reader(chain, 3)
    chain.mine("a!", "b!", "c!")
    reader.poll()
    chain.reorganise(1, "x", "y!", "z!")
    assert reader.poll() == [("a!", True), ("y!", False), ("z!", False)]
    chain.reorganise(1)
    assert reader.poll() == [("a!", True)]


def test_a_reorg_below_finality_freezes(chain: ScriptedChain) -> None:
    reader = Reader(chain, 2)
    chain.mine("a!", "b", "c", "d!")
    before = reader.poll()
    chain.reorganise(1, "x!", "y", "z", "w")
    for _ in range(2):
        with pytest.raises(Corrupt) as frozen:
            reader.poll()
        assert frozen.value.code == "chain.deep_reorg"
    assert [(x.data.decode(), x.final) for x in reader.table.kept.values()] == before


def test_another_chain_is_a_conflict(chain: ScriptedChain) -> None:
    reader = Reader(chain, 1)
    chain.chain_id = 8
    with pytest.raises(Conflict) as refused:
        reader.poll()
    assert refused.value.code == "chain.wrong_chain"
    chain.chain_id, chain.names = 7, ["other genesis"]
    with pytest.raises(Conflict):
        reader.poll()


def test_a_silent_chain_is_unavailable_and_costs_nothing(chain: ScriptedChain) -> None:
    reader = Reader(chain, 1)
    chain.mine("a!")
    chain.down = True
    with pytest.raises(Unavailable):
        reader.poll()
    chain.down = False
    assert reader.poll() == [("a!", False)]


def test_rereading_after_a_crash_adds_nothing_twice(chain: ScriptedChain) -> None:
    reader = Reader(chain, 1)
    chain.mine("a!", "b!", "c!")
    before_crash = reader.cursor
    first = reader.poll()
    reader.cursor = before_crash
    assert reader.poll() == first


def test_a_head_that_changes_while_it_is_read_is_read_again(
    chain: ScriptedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(chain, 3)
    chain.mine("a!", "b!")
    real = chain.eth_getLogs

    def moving(where: Any) -> Any:
        found = real(where)
        if chain.names[2] == "b!":
            chain.reorganise(1, "x!")
        return found

    monkeypatch.setattr(chain, "eth_getLogs", moving)
    assert reader.poll() == [("a!", False), ("x!", False)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.booleans(), min_size=1, max_size=4)), max_size=12), st.data())
def test_after_any_shallow_history_the_inbox_holds_what_the_chain_holds(moves: list[Any], data: Any) -> None:
    chain = ScriptedChain()
    reader = Reader(chain, 3)
    for step, (back, events) in enumerate(moves):
        keep = max(len(chain.names) - 1 - back, 0)
        chain.reorganise(keep, *(f"{step}.{n}{'!' if event else ''}" for n, event in enumerate(events)))
        if len(chain.names) - 1 < reader.cursor.number or data.draw(st.booleans()):
            try:
                reader.poll()
            except Corrupt:
                return  # a deeper reorganisation put together from several shallow ones: rightly refused
    try:
        kept = [name for name, _ in reader.poll()]
    except Corrupt:
        return
    assert kept == [name for name in chain.names if name.endswith("!")]


def test_on_the_embedded_chain(node: Node) -> None:
    client = ChainClient(NodeProvider(node))
    mined = node.archive.tx(node.send(deploy_dollar(OPERATOR, 0)))
    assert mined and mined.contract
    table, cursor = MemoryObservations(), start(client)
    for nonce in (1, 2):
        data = calldata("mint(address,uint256)", ATTACKER.address, nonce)
        node.send(sign(OPERATOR, nonce, mined.contract.hex(), data=data, gas=200_000))
        cursor = poll(client, table, cursor, [mined.contract], 0)
    transfers = [x for x in table.kept.values() if x.data[-1:] in (b"\x01", b"\x02") and len(x.data) == 32]
    assert [int.from_bytes(x.data, "big") for x in transfers] == [1, 2] and all(x.final for x in transfers)
