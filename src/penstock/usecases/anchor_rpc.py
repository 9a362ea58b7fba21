"""The chain as an attester asks it: what is anchored, what a deal's contract holds, and one vote sent.

Plain JSON-RPC over one connection, so that an attester starts quickly and needs no node library.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

import rlp
from coincurve import PrivateKey
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak
from pydantic_core import from_json  # bounds how deep an answer may nest

from penstock.errors import Invalid, Refused, Unavailable, Unverified
from penstock.keys import ChainKey

ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
GAS_MAX: Final = 500_000
RECEIPT_WAIT_S: Final = 30.0
_DOMAIN_TYPE: Final = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_VOTE_TYPE: Final = keccak(
    b"Attestation(address subject,uint256 word,bytes32 definition,uint64 size,bytes32 root,uint64 epoch)"
)
_ATTESTATION: Final = "(address,uint256,bytes32,uint64,bytes32,uint64)"
_SIGNATURE: Final = "(uint8,bytes32,bytes32)"
_ACCEPTED: Final = keccak(b"Accepted(address,uint256,bytes32,uint64)")
_VOTED: Final = keccak(b"Voted(address,address,uint256,bytes32,uint64)")


Signature = tuple[int, bytes, bytes]


class Reverted(Exception):
    """A call was refused by a contract; the text is its reason."""


class JsonRpc:
    """JSON-RPC 2.0 at ``url``.

    Raises:
        Invalid: ``rpc.address`` for an address that is not http or https.
    """

    def __init__(self, url: str, timeout_s: float = 20.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid("rpc.address", "A chain is reached at an http(s) address.", address=url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connection = kind(parts.hostname, parts.port, timeout=timeout_s)

    def call(self, method: str, *params: object) -> Any:
        """The result of a method.

        Raises:
            Reverted: a contract refused. Unavailable: ``rpc.unreachable``, ``rpc.refused`` with the node's words.
        """
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
        answer = self._post(body)
        if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
            raise Unavailable("rpc.unreachable", "This is no JSON-RPC answer.", method=method)
        if "error" in answer:
            raise _refusal(method, answer["error"])
        return answer["result"]

    def _post(self, body: bytes) -> Any:
        """Sent once more over a fresh connection where the one kept open has ended."""
        for last in (False, True):
            try:
                self._connection.request("POST", self._path, body, {"Content-Type": "application/json"})
                raw = self._connection.getresponse().read(ANSWER_BYTES_MAX + 1)
                return from_json(raw)
            except (OSError, HTTPException, ValueError, RecursionError) as failed:
                self._connection.close()
                if last:
                    raise Unavailable("rpc.unreachable", f"The chain does not answer: {failed}.") from failed
        return None


def _refusal(method: str, error: Any) -> Exception:
    message = str(error.get("message", "")) if isinstance(error, dict) else str(error)
    held = error.get("data") if isinstance(error, dict) else None
    if isinstance(held, str) and held.startswith("0x08c379a0"):
        return Reverted(str(decode(["string"], bytes.fromhex(held[10:]))[0]))
    if "revert" in message:
        return Reverted(message.removeprefix("execution reverted").lstrip(": "))
    return Unavailable("rpc.refused", f"The chain refuses: {message}", method=method)


@dataclass(frozen=True, slots=True)
class Vote:
    """A statement about ``subject``: a packed report and its definition, and the anchored checkpoint it comes from."""

    subject: bytes
    word: int
    definition: bytes
    size: int
    root: bytes
    epoch: int

    def as_tuple(self) -> tuple[bytes, int, bytes, int, bytes, int]:
        """The fields in the contract's order."""
        return (self.subject, self.word, self.definition, self.size, self.root, self.epoch)

    def digest(self, chain_id: int, anchor: bytes) -> bytes:
        """The 32 bytes that are signed (EIP-712), as the anchor at this address computes them.

        `chain.typed_data` says the same in general, and a test holds the two together; its imports cost an attester
        more than its work does.
        """
        named = (_DOMAIN_TYPE, keccak(b"Penstock Anchor"), keccak(b"1"), chain_id, anchor)
        domain = keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], named))
        fields = ["bytes32", *_ATTESTATION[1:-1].split(",")]
        return keccak(b"\x19\x01" + domain + keccak(encode(fields, (_VOTE_TYPE, *self.as_tuple()))))


def sign_vote(key: ChainKey, vote: Vote, chain_id: int, anchor: bytes) -> Signature:
    """(v, r, s) over the vote's digest: v 27 or 28, s low (EIP-2), deterministic (RFC 6979)."""
    made = PrivateKey(key.secret).sign_recoverable(vote.digest(chain_id, anchor), hasher=None)
    return 27 + made[64], made[:32], made[32:64]


@dataclass(frozen=True, slots=True)
class DealOnChain:
    """What a deal's contract says of itself: its anchor, the hashes of its terms and program, the period open."""

    anchor: bytes
    deal_hash: bytes
    program_hash: bytes
    period: int


class AnchorChain:
    """The contracts ``Anchor`` and ``Deal`` behind a JSON-RPC address."""

    def __init__(self, rpc: JsonRpc) -> None:
        self._rpc = rpc
        self.chain_id = int(rpc.call("eth_chainId"), 16)

    def deal(self, subject: bytes) -> DealOnChain:
        """A deal's contract. Raises Unverified ``attest.no_contract`` where there is none at this address."""
        (anchor,) = self._view(subject, "ANCHOR()", ["address"])
        (deal_hash,) = self._view(subject, "deal_hash()", ["bytes32"])
        (program_hash,) = self._view(subject, "program_hash()", ["bytes32"])
        (period,) = self._view(subject, "period()", ["uint256"])
        return DealOnChain(bytes.fromhex(anchor[2:]), deal_hash, program_hash, period)

    def root_at(self, anchor: bytes, size: int) -> bytes:
        """The root anchored for a tree of ``size``; zeros where none is."""
        (root,) = self._view(anchor, "root_at(uint64)", ["bytes32"], size)
        return bytes(root)

    def epoch(self, anchor: bytes) -> int:
        """The life of the present attester set."""
        (epoch,) = self._view(anchor, "epoch()", ["uint64"])
        return int(epoch)

    def credit(self, credit: bytes, class_id: int) -> tuple[bytes, bytes, bytes]:
        """Of a class of credits: the anchor it reads, its provider's address, its fault subject.

        Raises:
            Unverified: ``attest.no_contract``.
        """
        (anchor,) = self._view(credit, "anchor()", ["address"])
        (provider,) = self._view(credit, "provider_of(uint256)", ["address"], class_id)
        (subject,) = self._view(credit, "fault_subject(uint256)", ["address"], class_id)
        return bytes.fromhex(anchor[2:]), bytes.fromhex(provider[2:]), bytes.fromhex(subject[2:])

    def report(self, anchor: bytes, subject: bytes) -> int:
        """The accepted word about a deal; 0 before the first."""
        (word,) = self._view(anchor, "report(address)", ["uint256"], subject)
        return int(word)

    def words_voted(self, anchor: bytes, subject: bytes, attester: bytes, definition: bytes) -> list[int]:
        """Words that an attester's votes on chain named, oldest first."""
        topics = ["0x" + topic.hex() for topic in (_VOTED, _word(subject), _word(attester))]
        asked = {"fromBlock": "0x0", "toBlock": "latest", "address": "0x" + anchor.hex(), "topics": topics}
        found = []
        for log in self._rpc.call("eth_getLogs", asked):
            word, about, _ = decode(["uint256", "bytes32", "uint64"], bytes.fromhex(log["data"][2:]))
            if about == definition:
                found.append(int(word))
        return found

    def accepted_at(self, anchor: bytes, subject: bytes, as_of_s: int) -> int:
        """The word accepted for an as-of, present or past; 0 where none was."""
        topics = ["0x" + topic.hex() for topic in (_ACCEPTED, _word(subject))]
        asked = {"fromBlock": "0x0", "toBlock": "latest", "address": "0x" + anchor.hex(), "topics": topics}
        words = [int(log["data"][2:66], 16) for log in self._rpc.call("eth_getLogs", asked)]
        return next((word for word in reversed(words) if word >> 192 & 0xFFFFFFFF == as_of_s), 0)

    def refusal(self, anchor: bytes, attester: bytes, vote: Vote, signature: Signature) -> str:
        """Why the anchor would not take this vote now; empty where it would."""
        data = "0x" + _vote_data(vote, signature).hex()
        try:
            self._rpc.call("eth_call", {"from": _hex(attester), "to": _hex(anchor), "data": data}, "latest")
        except Reverted as reverted:
            return str(reverted) or "anchor.reverted"
        return ""

    def vote(self, key: ChainKey, anchor: bytes, vote: Vote, signature: Signature) -> tuple[str, bool]:
        """Send the vote from the attester's own account; its transaction's hash, and whether it was counted.

        Raises:
            Unavailable: ``attest.not_mined``, and as `JsonRpc.call`; Refused ``attest.not_sent``.
        """
        raw = self._signed(key, anchor, _vote_data(vote, signature))
        tx_hash = "0x" + keccak(raw).hex()
        try:
            self._rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        except Unavailable as refused:
            if refused.code != "rpc.refused":
                raise
            if "known" not in refused.message:
                hint = "Is the attester's account funded?"
                raise Refused("attest.not_sent", refused.message, hint=hint, account=_hex(key.address)) from refused
        return tx_hash, self._mined(tx_hash)

    def _mined(self, tx_hash: str) -> bool:
        deadline = time.monotonic() + RECEIPT_WAIT_S
        pause_s = 0.005
        while time.monotonic() < deadline:
            receipt = self._rpc.call("eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                return int(receipt["status"], 16) == 1
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.5)
        hint = "Run the same command again: a vote that stands is not sent twice."
        raise Unavailable("attest.not_mined", "The vote is sent but not mined yet.", hint=hint, tx=tx_hash)

    def _signed(self, key: ChainKey, to: bytes, data: bytes) -> bytes:
        """A type 2 transaction (EIP-1559) at the account's next nonce; it may pay up to twice the present price."""
        nonce = int(self._rpc.call("eth_getTransactionCount", _hex(key.address), "latest"), 16)
        price = int(self._rpc.call("eth_gasPrice"), 16)
        tip = min(int(self._rpc.call("eth_maxPriorityFeePerGas"), 16), 2 * price)
        fields = [self.chain_id, nonce, tip, 2 * price, GAS_MAX, to, 0, data, []]
        digest = keccak(b"\x02" + rlp.encode(fields))
        made = PrivateKey(key.secret).sign_recoverable(digest, hasher=None)
        parts = [made[64], int.from_bytes(made[:32], "big"), int.from_bytes(made[32:64], "big")]
        return b"\x02" + bytes(rlp.encode([*fields, *parts]))

    def _view(self, to: bytes, signature: str, answers: list[str], *args: object) -> tuple[Any, ...]:
        types = signature[signature.index("(") + 1 : -1]
        data = keccak(signature.encode())[:4] + encode(types.split(",") if types else [], args)
        try:
            raw = self._rpc.call("eth_call", {"to": _hex(to), "data": "0x" + data.hex()}, "latest")
            return tuple(decode(answers, bytes.fromhex(raw[2:])))
        except (Reverted, DecodingError) as nothing:
            sentence = f"No contract at this address answers {signature}."
            raise Unverified("attest.no_contract", sentence, address=_hex(to)) from nothing


def _vote_data(vote: Vote, signature: Signature) -> bytes:
    kind = f"attest({_ATTESTATION},{_SIGNATURE})"
    return keccak(kind.encode())[:4] + encode([_ATTESTATION, _SIGNATURE], [vote.as_tuple(), signature])


def _word(address: bytes) -> bytes:
    return address.rjust(32, b"\0")


def _hex(address: bytes) -> str:
    return "0x" + address.hex()
