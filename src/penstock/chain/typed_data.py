"""EIP-712 messages that attesters, the operator, holders and buyers sign for ``Anchor``, ``Credit`` and ``Dollar``.

Pure builders: each returns the full message as ``eth_account`` takes it. Addresses
are 0x-prefixed strings, roots and salts 32 bytes, money micro-dollars, instants whole seconds as the chain counts them.
Source: EIP-712; ERC-2612 (permit); ERC-3009 (receiveWithAuthorization, cancelAuthorization).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from coincurve import PrivateKey
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from penstock.errors import Invalid
from penstock.keys import ChainKey

Message = dict[str, Any]
Signature = tuple[int, bytes, bytes]
ZERO_ADDRESS: Final = "0x" + "0" * 40
MEASURE_LIMIT: Final = 2**63
SECONDS_LIMIT: Final = 2**32
FAULT: Final = keccak(text="penstock credit fault")

DOMAIN_FIELDS: Final = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
CHECKPOINT: Final = (("size", "uint64"), ("root", "bytes32"))
ATTESTATION: Final = (
    ("subject", "address"),
    ("word", "uint256"),
    ("definition", "bytes32"),
    ("size", "uint64"),
    ("root", "bytes32"),
    ("epoch", "uint64"),
)
SET_CHANGE: Final = (
    ("added", "address"),
    ("removed", "address"),
    ("quorum", "uint256"),
    ("operator", "address"),
    ("nonce", "uint256"),
)
RECEIPT: Final = (
    ("id", "uint256"),
    ("holder", "address"),
    ("amount", "uint256"),
    ("work_root", "bytes32"),
    ("salt", "bytes32"),
)
AUTHORIZATION: Final = (
    ("from", "address"),
    ("to", "address"),
    ("value", "uint256"),
    ("validAfter", "uint256"),
    ("validBefore", "uint256"),
    ("nonce", "bytes32"),
)
CANCELLATION: Final = (("authorizer", "address"), ("nonce", "bytes32"))
PERMIT: Final = (
    ("owner", "address"),
    ("spender", "address"),
    ("value", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)


@dataclass(frozen=True, slots=True)
class Domain:
    """The EIP-712 domain of one contract on one chain."""

    name: str
    version: str
    chain_id: int
    contract: str


def anchor_domain(chain_id: int, contract: str) -> Domain:
    """The domain of ``Anchor``."""
    return Domain("Penstock Anchor", "1", chain_id, contract)


def credit_domain(chain_id: int, contract: str) -> Domain:
    """The domain of ``Credit``."""
    return Domain("Penstock Credit", "2", chain_id, contract)


def dollar_domain(chain_id: int, contract: str) -> Domain:
    """The domain of the test ``Dollar``; another stablecoin's name and version come from its ERC-5267 view."""
    return Domain("Test Dollar", "2", chain_id, contract)


@dataclass(frozen=True, slots=True)
class Attestation:
    """One attester's statement about ``subject``; ``as_tuple`` is the argument of ``Anchor.attest``.

    ``word`` comes from :func:`report_word`, (``size``, ``root``) is an anchored checkpoint, ``epoch`` is
    ``Anchor.epoch()``: a change of the attester set asks for fresh signatures.
    """

    subject: str
    word: int
    definition: bytes
    size: int
    root: bytes
    epoch: int

    def as_tuple(self) -> tuple[str, int, bytes, int, bytes, int]:
        """The fields in the contract's order."""
        return (self.subject, self.word, self.definition, self.size, self.root, self.epoch)


@dataclass(frozen=True, slots=True)
class SetChange:
    """A change of the attester set: zero addresses change nothing, ``quorum`` is always the one from then on."""

    quorum: int
    nonce: int
    added: str = ZERO_ADDRESS
    removed: str = ZERO_ADDRESS
    operator: str = ZERO_ADDRESS

    def as_tuple(self) -> tuple[str, str, int, str, int]:
        """The fields in the contract's order."""
        return (self.added, self.removed, self.quorum, self.operator, self.nonce)


@dataclass(frozen=True, slots=True)
class Authorization:
    """An ERC-3009 payment. Valid strictly between ``valid_after_s`` and ``valid_before_s``."""

    payer: str
    payee: str
    amount_usdc_micro: int
    valid_after_s: int
    valid_before_s: int
    nonce: bytes


def report_word(measures: tuple[int, int, int], as_of_s: int, expiry_s: int) -> int:
    """Pack a report: three signed 64-bit measures from bit 0 up, as-of at bit 192, expiry at bit 224 [s].

    Raises ``Invalid`` (``report.measure``, ``report.instant``) for what does not fit.
    """
    if any(not -MEASURE_LIMIT <= measure < MEASURE_LIMIT for measure in measures):
        raise Invalid("report.measure", "A measure is a signed 64-bit integer.", measures=measures)
    if not 0 <= as_of_s < expiry_s < SECONDS_LIMIT:
        raise Invalid("report.instant", "As-of comes before expiry, both unsigned 32-bit seconds.", as_of_s=as_of_s)
    low = sum((measure % 2**64) << (64 * lane) for lane, measure in enumerate(measures))
    return low | as_of_s << 192 | expiry_s << 224


def report_parts(word: int) -> tuple[tuple[int, int, int], int, int]:
    """The inverse of :func:`report_word`: measures, as-of [s], expiry [s]."""
    first, second, third = ((word >> shift) % 2**64 for shift in (0, 64, 128))
    signed = tuple(value - 2**64 if value >= MEASURE_LIMIT else value for value in (first, second, third))
    return (signed[0], signed[1], signed[2]), (word >> 192) % 2**32, word >> 224


def checkpoint_message(domain: Domain, size: int, root: bytes) -> Message:
    """The operator's signature for ``Anchor.publish_signed``."""
    return _message(domain, "Checkpoint", CHECKPOINT, (size, root))


def attestation_message(domain: Domain, attestation: Attestation) -> Message:
    """An attester's vote for ``Anchor.attest``."""
    return _message(domain, "Attestation", ATTESTATION, attestation.as_tuple())


def set_change_message(domain: Domain, change: SetChange) -> Message:
    """An attester's consent for ``Anchor.propose``."""
    return _message(domain, "SetChange", SET_CHANGE, change.as_tuple())


def receipt_message(domain: Domain, class_id: int, holder: str, amount: int, work_root: bytes, salt: bytes) -> Message:
    """A holder's receipt for work delivered, for ``Credit.redeem_signed``."""
    return _message(domain, "Receipt", RECEIPT, (class_id, holder, amount, work_root, salt))


def purchase_nonce(class_id: int, amount: int, salt: bytes) -> bytes:
    """The ERC-3009 nonce that binds a payment to ``amount`` credits of one class: what ``Credit.buy`` recomputes."""
    return keccak(encode(["uint256", "uint256", "bytes32"], [class_id, amount, salt]))


def fault_subject(credit: str, class_id: int) -> str:
    """The subject under which attesters report failures of a class: what ``Credit.slash`` asks the anchor for.

    A checksummed address that nobody has a key to. The report's first measure is the number of failures proved.
    """
    words = encode(["bytes32", "address", "uint256"], [FAULT, credit, class_id])
    return to_checksum_address(keccak(words)[12:])


def receive_message(domain: Domain, payment: Authorization) -> Message:
    """ERC-3009 ``receiveWithAuthorization``: only the payee can submit it."""
    return _authorization(domain, "ReceiveWithAuthorization", payment)


def transfer_message(domain: Domain, payment: Authorization) -> Message:
    """ERC-3009 ``transferWithAuthorization``: anyone can submit it (x402 "exact")."""
    return _authorization(domain, "TransferWithAuthorization", payment)


def cancel_message(domain: Domain, authorizer: str, nonce: bytes) -> Message:
    """ERC-3009 ``cancelAuthorization``."""
    return _message(domain, "CancelAuthorization", CANCELLATION, (authorizer, nonce))


def permit_message(domain: Domain, owner: str, spender: str, value: int, nonce: int, deadline_s: int) -> Message:
    """ERC-2612 ``permit``."""
    return _message(domain, "Permit", PERMIT, (owner, spender, value, nonce, deadline_s))


def message_digest(message: Message) -> bytes:
    """The 32 bytes that are signed: keccak256(0x19 0x01 || domain separator || struct hash)."""
    signable = encode_typed_data(full_message=message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def sign_typed(key_secret: bytes, message: Message) -> Signature:
    """Sign with a 32-byte secp256k1 secret: (v, r, s), v 27 or 28, s low (EIP-2), deterministic (RFC 6979).

    Raises ``Invalid`` (``key.seed_length``) for a secret of another length.
    """
    raw = PrivateKey(ChainKey(key_secret).secret).sign_recoverable(message_digest(message), hasher=None)
    return 27 + raw[64], raw[:32], raw[32:64]


def _authorization(domain: Domain, kind: str, p: Authorization) -> Message:
    values = (p.payer, p.payee, p.amount_usdc_micro, p.valid_after_s, p.valid_before_s, p.nonce)
    return _message(domain, kind, AUTHORIZATION, values)


def _message(domain: Domain, kind: str, fields: tuple[tuple[str, str], ...], values: tuple[object, ...]) -> Message:
    return {
        "types": {"EIP712Domain": _typed(DOMAIN_FIELDS), kind: _typed(fields)},
        "primaryType": kind,
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": dict(zip((name for name, _ in fields), values, strict=True)),
    }


def _typed(fields: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]
