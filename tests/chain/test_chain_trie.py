"""The trie has the roots, the values and the nodes of the reference implementation."""

from __future__ import annotations

import random

import pytest
import rlp
from eth_utils.crypto import keccak
from trie.hexary import HexaryTrie

from penstock.chain.header import EMPTY_ROOT
from penstock.chain.rlp_encode import Item, encode
from penstock.chain.trie import Trie
from penstock.errors import Corrupt

# Few digits differ, so that paths share long stretches and forks come and go at every depth.
NEAR = [bytes(31) + bytes([n]) for n in range(256)] + [bytes([n]) + bytes(31) for n in range(16)]
FAR = [keccak(bytes([n])) for n in range(200)]


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_changes_gives_the_reference_roots(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    keys = dice.sample(NEAR if seed % 2 else FAR, 60)
    theirs = HexaryTrie({}, EMPTY_ROOT)
    nodes: dict[bytes, bytes] = {}
    ours, held = Trie(nodes), {}
    for step in range(400):
        key = dice.choice(keys)
        value = b"" if dice.random() < 0.45 else dice.randbytes(dice.choice((1, 3, 31, 33, 70)))
        ours.put(key, value)
        if value:
            theirs[key], held[key] = value, value
        else:
            theirs[key] = b""
            held.pop(key, None)
        if step % 7 == 0:
            assert ours.commit() == theirs.root_hash
            ours = ours if dice.random() < 0.5 else Trie(nodes, theirs.root_hash)  # from memory, or from its nodes
    assert {key: ours.get(key) for key in keys} == {key: held.get(key, b"") for key in keys}
    written = HexaryTrie(nodes, ours.commit())
    assert {key: written.get(key) for key in keys} == {key: held.get(key, b"") for key in keys}
    for key in keys:
        ours.put(key, b"")
    assert ours.commit() == EMPTY_ROOT


def test_reads_and_vain_removals_write_nothing() -> None:
    nodes: dict[bytes, bytes] = {}
    trie = Trie(nodes)
    for key in FAR[:40]:
        trie.put(key, key)
    root, before = trie.commit(), dict(nodes)
    again = Trie(nodes, root)
    for key in FAR[40:]:
        assert again.get(key) == b""
        again.put(key, b"")
    assert again.commit() == root and nodes == before


def test_a_missing_node_is_named_not_taken_for_absence() -> None:
    nodes: dict[bytes, bytes] = {}
    trie = Trie(nodes)
    for key in FAR:
        trie.put(key, key)
    root = trie.commit()
    for lost in list(nodes):
        if lost != root:
            del nodes[lost]
    with pytest.raises(Corrupt) as caught:
        Trie(nodes, root).get(FAR[0])
    assert caught.value.code == "chain.store_damaged"


@pytest.mark.parametrize("size", [0, 1, 2, 31, 54, 55, 56, 57, 255, 256, 70_000])
@pytest.mark.parametrize("first", [0, 1, 0x7F, 0x80, 0xFF])
def test_bytes_integers_and_lists_are_encoded_as_the_general_codec_does(size: int, first: int) -> None:
    raw = bytes([first]) * size
    items: list[Item] = [raw, size, first * 2**200, [raw, [], [raw, size], first], []]
    for item in items:
        assert encode(item) == rlp.encode(item)
