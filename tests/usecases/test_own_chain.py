"""A workspace's own chain: founded with the contracts that clients expect, and told apart from one without them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address
from web3 import Web3

from penstock.chain.node import Genesis, Node
from penstock.chain.provider import NodeProvider
from penstock.chain.well_known import PERMIT2, PLACES, well_known_code
from penstock.errors import Conflict
from penstock.usecases.own_chain import GENESIS_FILE, chain_file, found_chain, open_chain

KEY = bytes.fromhex("11" * 20)


def code_at(node: Node, address: bytes) -> bytes:
    return bytes(Web3(NodeProvider(node)).eth.get_code(to_checksum_address(address)))


def test_founded_with_what_clients_expect_and_opened_again(tmp_path: Path) -> None:
    for opened in (found_chain, lambda folder, _: open_chain(folder)):
        with opened(tmp_path, {KEY: 5}) as node:
            assert {place: code_at(node, place) for place in PLACES} == well_known_code()


def test_a_chain_founded_before_them_stays_what_it_is(tmp_path: Path) -> None:
    with found_chain(tmp_path, {KEY: 5}) as node:
        file = chain_file(tmp_path)
    assert file.exists()
    place = file.parent / GENESIS_FILE
    body = json.loads(place.read_text())
    for leftover in file.parent.glob(file.name + "*"):
        leftover.unlink()
    del body["code"]
    place.write_text(json.dumps(body))
    with Node(Genesis({KEY: 5}), file):
        pass
    with open_chain(tmp_path) as node:
        assert code_at(node, PERMIT2) == b""


def test_a_genesis_whose_code_was_exchanged_is_another_chain(tmp_path: Path) -> None:
    with found_chain(tmp_path, {KEY: 5}):
        pass
    place = chain_file(tmp_path).parent / GENESIS_FILE
    body = json.loads(place.read_text())
    body["code"][PERMIT2.hex()] += "00"
    place.write_text(json.dumps(body))
    with pytest.raises(Conflict) as refused:
        open_chain(tmp_path)
    assert refused.value.code == "chain.wrong_chain"
