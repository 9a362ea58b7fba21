"""The Merkle-Patricia trie of accounts and of a contract's slots (yellow paper, appendix D), its nodes kept decoded.

Every key is a 32-byte hash, so no branch holds a value and no path is another's beginning. A path is a string of hex
digits. A node not read yet is held as its hash. Nodes are changed in place, and encoded again only at `commit` and only
where something below them changed; what it writes is what every other implementation writes.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

import rlp
from eth_hash.auto import keccak

from penstock.chain.header import EMPTY_ROOT
from penstock.chain.rlp_encode import encode_bytes, encode_list
from penstock.errors import Corrupt

_EMPTY_REFERENCE: Final = b"\x80"


class _Leaf:
    """The end of a path. ``reference`` is how the parent names a node, None where it is yet to be encoded."""

    __slots__ = ("path", "reference", "value")

    def __init__(self, path: str, value: bytes) -> None:
        self.path, self.value = path, value
        self.reference: bytes | None = None


class _Extension:
    """A stretch of path without a fork; ``child`` is a branch."""

    __slots__ = ("child", "path", "reference")

    def __init__(self, path: str, child: _Child) -> None:
        self.path, self.child = path, child
        self.reference: bytes | None = None


class _Branch:
    """A fork, by the next hex digit."""

    __slots__ = ("children", "reference")

    def __init__(self, children: list[_Child]) -> None:
        self.children = children
        self.reference: bytes | None = None


_Node = _Leaf | _Extension | _Branch
_Child = _Node | bytes | None  # bytes: the hash of a node not read yet


class Trie:
    """A map from 32-byte hashes to bytes over ``nodes`` (hash -> encoded node), from ``root`` on.

    Raises:
        Corrupt: ``chain.store_damaged`` where a node is missing, from every method.
    """

    def __init__(self, nodes: MutableMapping[bytes, bytes], root: bytes = EMPTY_ROOT) -> None:
        self._nodes = nodes
        self._root: _Child = None if root == EMPTY_ROOT else root

    def get(self, key: bytes) -> bytes:
        """The value at ``key``, empty where there is none."""
        node = self._root = self._read(self._root)
        path = key.hex()
        while node is not None:
            if isinstance(node, _Branch):
                at = int(path[0], 16)
                path = path[1:]
                node.children[at] = below = self._read(node.children[at])
                node = below
            elif not path.startswith(node.path):
                break
            elif isinstance(node, _Leaf):
                return node.value
            else:
                path = path[len(node.path) :]
                node.child = below = self._read(node.child)
                node = below
        return b""

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value at ``key``; an empty one takes the key out."""
        self._root = self._put(self._root, key.hex(), value) if value else self._cut(self._root, key.hex())

    def commit(self) -> bytes:
        """Write the changed nodes and return the root."""
        if self._root is None:
            return EMPTY_ROOT
        reference = self._reference(self._root)
        if len(reference) == 33:
            return reference[1:]
        root = keccak(reference)  # so small that it would have no hash: a root always has
        self._nodes[root] = reference
        return root

    def _put(self, at: _Child, path: str, value: bytes) -> _Node:
        node = self._read(at)
        if node is None:
            return _Leaf(path, value)
        node.reference = None
        if isinstance(node, _Branch):
            digit = int(path[0], 16)
            node.children[digit] = self._put(node.children[digit], path[1:], value)
        elif not path.startswith(node.path):
            return _forked(node, path, value)
        elif isinstance(node, _Leaf):
            node.value = value
        else:
            node.child = self._put(node.child, path[len(node.path) :], value)
        return node

    def _cut(self, at: _Child, path: str) -> _Child:
        node = self._read(at)
        if node is None:
            return None
        node.reference = None
        if isinstance(node, _Branch):
            return self._pruned(node, path)
        if not path.startswith(node.path):
            return node
        if isinstance(node, _Leaf):
            return None
        return self._joined(node.path, self._cut(node.child, path[len(node.path) :]))

    def _pruned(self, node: _Branch, path: str) -> _Child:
        """The branch without ``path``; with one child left it is a branch no more."""
        digit = int(path[0], 16)
        node.children[digit] = self._cut(node.children[digit], path[1:])
        left = [n for n, child in enumerate(node.children) if child is not None]
        return node if len(left) > 1 else self._joined(f"{left[0]:x}", node.children[left[0]])

    def _joined(self, path: str, at: _Child) -> _Node:
        """``path`` leading to the node ``at``, as one node where that is a stretch itself."""
        node = self._read(at)
        if node is None or isinstance(node, _Branch):
            return _Extension(path, node)
        node.path, node.reference = path + node.path, None
        return node

    def _read(self, child: _Child) -> _Node | None:
        if not isinstance(child, bytes):
            return child
        try:
            node = _decoded(rlp.decode(self._nodes[child]))
        except KeyError:
            raise Corrupt("chain.store_damaged", "A node of the state is missing.", node=child.hex()) from None
        node.reference = b"\xa0" + child
        return node

    def _reference(self, child: _Child) -> bytes:
        """How a parent names the child: itself where shorter than a hash, else its hash; changed nodes are written."""
        if child is None:
            return _EMPTY_REFERENCE
        if isinstance(child, bytes):
            return b"\xa0" + child
        if child.reference is None:
            encoded = self._encoded(child)
            child.reference = encoded
            if len(encoded) >= 32:
                digest = keccak(encoded)
                self._nodes[digest] = encoded
                child.reference = b"\xa0" + digest
        return child.reference

    def _encoded(self, node: _Node) -> bytes:
        if isinstance(node, _Branch):
            payload = b"".join(map(self._reference, node.children)) + _EMPTY_REFERENCE
        elif isinstance(node, _Leaf):
            payload = encode_bytes(_packed(node.path, 2)) + encode_bytes(node.value)
        else:
            payload = encode_bytes(_packed(node.path, 0)) + self._reference(node.child)
        return encode_list(payload)


def _forked(node: _Leaf | _Extension, path: str, value: bytes) -> _Node:
    """``node`` and a new leaf, from where their paths part."""
    fork = next(at for at, digit in enumerate(node.path) if digit != path[at])
    common, rest = path[:fork], node.path[fork + 1 :]
    branch = _Branch([None] * 16)
    old = int(node.path[fork], 16)
    if isinstance(node, _Extension) and not rest:
        branch.children[old] = node.child
    else:
        node.path = rest
        branch.children[old] = node
    branch.children[int(path[fork], 16)] = _Leaf(path[fork + 1 :], value)
    return _Extension(common, branch) if common else branch


def _packed(path: str, flag: int) -> bytes:
    """Hex-prefix encoding: ``flag`` 2 for a leaf, 0 for an extension."""
    return bytes.fromhex(f"{flag + 1:x}{path}" if len(path) % 2 else f"{flag:x}0{path}")


def _decoded(item: Any) -> _Node:
    if len(item) == 17:
        return _Branch([_child(child) for child in item[:16]])
    packed = item[0].hex()
    path = packed[1:] if int(packed[0], 16) % 2 else packed[2:]
    return _Leaf(path, item[1]) if packed[0] in "23" else _Extension(path, _child(item[1]))


def _child(item: Any) -> _Child:
    """A child as its parent names it: by hash, embedded, or not at all."""
    return (item or None) if isinstance(item, bytes) else _decoded(item)
