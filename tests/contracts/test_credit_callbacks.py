"""Credit against contracts that receive, refuse or strike back, and against a dollar that keeps a fee."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from on_boa import account, inline, now, reason, send, source

from penstock.chain.typed_data import Authorization, dollar_domain, purchase_nonce, receive_message, sign_typed

PROVIDER, MINTER, HOLDER = (account(role).address for role in ("provider", "minter", "holder"))
DEAL, ANCHOR = account("deal").address, account("anchor").address
SKU, WORK = b"\x11" * 32, b"\x77" * 32

RECEIVER = """
# pragma version 0.4.3
interface Credit:
    def redeem(id: uint256, amount: uint64, work_root: bytes32): nonpayable
    def safeTransferFrom(sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[64]): nonpayable
answer: immutable(bytes4)
strikes: immutable(bool)
calls: public(uint256)
last: public(bytes32)
@deploy
def __init__(answer_: bytes4, strikes_: bool):
    answer = answer_
    strikes = strikes_
@external
def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    self.calls += 1
    self.last = keccak256(abi_encode(operator, sender, id, amount, data))
    if strikes:
        extcall Credit(msg.sender).redeem(id, 1, empty(bytes32))
    return answer
@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    return 0x1626ba7e
@external
def onERC1155BatchReceived(
    operator: address, sender: address, ids: DynArray[uint256, 64], amounts: DynArray[uint256, 64], data: Bytes[1024]
) -> bytes4:
    self.calls += 1
    if strikes:
        extcall Credit(msg.sender).safeTransferFrom(self, operator, ids[0], 1, b"")
    return answer
"""
FEE_DOLLAR = """
# pragma version 0.4.3
balanceOf: public(HashMap[address, uint256])
@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    self.balanceOf[receiver] += amount - 1
    return True
"""


@pytest.fixture
def credit() -> Iterator[Any]:
    """Dollars, and one open class of 50 credits at 7 with collateral of 3 each."""
    with boa.env.anchor():
        dollar = source("Dollar").deploy(MINTER)
        made = source("Credit").deploy(dollar.address, ANCHOR, "")
        for one in (PROVIDER, HOLDER):
            send(dollar, "mint", one, 10_000, sender=MINTER)
        send(dollar, "approve", made.address, 10_000, sender=PROVIDER)
        yield made


def open_class(credit: Any, sku: bytes = SKU) -> int:
    terms = (PROVIDER, DEAL, sku, 0, 1000, 7, 3, now() + 1000, 60)
    made = send(credit, "open", terms, 50, 150, sender=PROVIDER)
    return int(decode(["uint256"], made)[0])


def purchase(credit: Any, class_id: int, salt: bytes = bytes(32)) -> str:
    """The holder buys ten credits of a class; why not, if not."""
    nonce = purchase_nonce(class_id, 10, salt)
    domain = dollar_domain(boa.env.evm.patch.chain_id, str(credit.dollar()))
    message = receive_message(domain, Authorization(HOLDER, str(credit.address), 70, 0, 2**40, nonce))
    signature = sign_typed(bytes(account("holder").key), message)
    return reason(credit, "buy", class_id, 10, HOLDER, 0, 2**40, salt, signature, sender=PROVIDER)


def give(credit: Any, *ids: int) -> None:
    """Ten credits of each class to the holder."""
    for class_id in ids:
        assert purchase(credit, class_id) == ""


def test_receiving_contract_is_asked(credit: Any) -> None:
    class_id = open_class(credit)
    give(credit, class_id)
    good = inline(RECEIVER).deploy(bytes.fromhex("f23a6e61"), False)
    send(credit, "safeTransferFrom", HOLDER, good.address, class_id, 4, b"note", sender=HOLDER)
    assert (credit.balanceOf(good.address, class_id), good.calls()) == (4, 1)
    asked = encode(["address", "address", "uint256", "uint256", "bytes"], [HOLDER, HOLDER, class_id, 4, b"note"])
    assert good.last() == keccak(asked)


@pytest.mark.parametrize(
    ("act", "right", "wrong"),
    [
        ("safeTransferFrom", "f23a6e61", "bc197c81"),
        ("safeBatchTransferFrom", "bc197c81", "f23a6e61"),
    ],
)
def test_only_the_right_answer_is_taken(credit: Any, act: str, right: str, wrong: str) -> None:
    class_id = open_class(credit)
    give(credit, class_id)
    what = (class_id, 4) if act == "safeTransferFrom" else ([class_id], [4])
    for answer, why in ((wrong, "credit.receiver"), ("00000000", "credit.receiver"), (right, "")):
        receiver = inline(RECEIVER).deploy(bytes.fromhex(answer), False)
        assert reason(credit, act, HOLDER, receiver.address, *what, b"", sender=HOLDER) == why
        assert credit.balanceOf(receiver.address, class_id) == (0 if why else 4)
    deaf = source("Calls").deploy()
    assert reason(credit, act, HOLDER, deaf.address, *what, b"", sender=HOLDER) == "bare revert"
    assert credit.balanceOf(HOLDER, class_id) == 6


@pytest.mark.parametrize("act", ["safeTransferFrom", "safeBatchTransferFrom"])
def test_no_way_back_in_from_a_callback(credit: Any, act: str) -> None:
    class_id = open_class(credit)
    give(credit, class_id)
    what = (class_id, 4) if act == "safeTransferFrom" else ([class_id], [4])
    striker = inline(RECEIVER).deploy(bytes.fromhex("f23a6e61"), True)
    assert reason(credit, act, HOLDER, striker.address, *what, b"", sender=HOLDER) == "bare revert"
    assert credit.balanceOf(striker.address, class_id) == 0


@pytest.mark.parametrize(("answer", "why"), [("f23a6e61", ""), ("bc197c81", "credit.receiver")])
def test_buyer_with_code_is_asked(credit: Any, answer: str, why: str) -> None:
    """An account with code (a wallet, EIP-7702) says yes to its payment and takes its credits, or nothing moves."""
    class_id = open_class(credit)
    receiver = inline(RECEIVER).deploy(bytes.fromhex(answer), False)
    boa.env.evm.set_code(boa.util.abi.Address(HOLDER), boa.env.get_code(receiver.address))
    assert purchase(credit, class_id) == why
    dollars = source("Dollar").at(credit.dollar()).balanceOf(HOLDER)
    assert (credit.balanceOf(HOLDER, class_id), dollars) == ((0, 10_000) if why else (10, 9_930))


def test_batches(credit: Any) -> None:
    ids = [open_class(credit), open_class(credit, WORK)]
    give(credit, *ids)
    to = account("receiver").address
    batch = "safeBatchTransferFrom"
    assert reason(credit, batch, HOLDER, to, ids, [1], b"", sender=HOLDER) == "credit.lengths"
    assert reason(credit, batch, HOLDER, to, [*ids, ids[0]], [6, 1, 5], b"", sender=HOLDER) == "credit.balance"
    assert reason(credit, batch, HOLDER, to, [*ids, ids[0]], [6, 1, 4], b"", sender=HOLDER) == ""
    assert credit.balanceOfBatch([HOLDER, HOLDER, to, to], ids * 2) == [0, 9, 10, 1]
    with boa.reverts("credit.lengths"):
        credit.balanceOfBatch([HOLDER], ids)


def test_approved_operator_moves_others_do_not(credit: Any) -> None:
    class_id, operator = open_class(credit), account("operator").address
    give(credit, class_id)
    move = ("safeTransferFrom", HOLDER, operator, class_id, 1, b"")
    assert reason(credit, *move, sender=operator) == "credit.not_approved"
    send(credit, "setApprovalForAll", operator, True, sender=HOLDER)
    assert reason(credit, *move, sender=operator) == ""
    send(credit, "setApprovalForAll", operator, False, sender=HOLDER)
    assert reason(credit, *move, sender=operator) == "credit.not_approved"


def test_transfer_to_oneself_makes_nothing(credit: Any) -> None:
    class_id = open_class(credit)
    give(credit, class_id)
    send(credit, "safeTransferFrom", HOLDER, HOLDER, class_id, 7, b"", sender=HOLDER)
    assert credit.balanceOf(HOLDER, class_id) == 10


def test_dollar_that_keeps_a_fee_is_refused() -> None:
    with boa.env.anchor():
        credit = source("Credit").deploy(inline(FEE_DOLLAR).deploy().address, ANCHOR, "")
        args = ((PROVIDER, DEAL, SKU, 0, 1000, 7, 3, now() + 1000, 60), 50, 150)
        assert reason(credit, "open", *args, sender=PROVIDER) == "credit.paid"
