"""Certificate against contracts that receive, refuse or strike back, and the journal's bytes against odd values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import boa
import pytest
from certificate_twin import body_of, packed
from lifting import Lift, Log, id_of, lift_of, properties, values
from on_boa import account, inline, now, reason, send, source
from rfc9162_reference import inclusion_proof, spoiled, tree_root

KIND = properties()
ID = id_of(KIND)
OPERATOR, HOLDER, RELAYER = (str(account(role).address) for role in ("operator", "holder", "relayer"))
FAR_S = 2**33
RECEIVED, BATCH_RECEIVED = bytes.fromhex("f23a6e61"), bytes.fromhex("bc197c81")

STRIKER = """
# pragma version 0.4.3
answer: bytes4
to: address
data: Bytes[4096]
struck: public(bool)
calls: public(uint256)
@external
def plan(answer: bytes4, to: address, data: Bytes[4096]):
    self.answer = answer
    self.to = to
    self.data = data
@external
def act(to: address, data: Bytes[4096]):
    raw_call(to, data)
@internal
def _strike():
    self.calls += 1
    if self.to != empty(address):
        to: address = self.to
        self.to = empty(address)
        self.struck = raw_call(to, self.data, revert_on_failure=False)
@external
def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    self._strike()
    return self.answer
@external
def onERC1155BatchReceived(
    operator: address, sender: address, ids: DynArray[uint256, 64], amounts: DynArray[uint256, 64], data: Bytes[1024]
) -> bytes4:
    self._strike()
    return self.answer
"""


@dataclass
class Rig:
    """Certificate over an anchor, on titanoboa."""

    anchor: Any
    badge: Any
    certificate: Any
    kwh: Any
    log: Log
    size: int = 0

    def opened(self, *rows: tuple[int, int, int, str], quantity: int | None = None) -> Lift:
        """A batch of these rows, anchored and open."""
        lift = lift_of(ID, list(rows), FAR_S, at_us=self.size, quantity=quantity)
        self.log.add(lift.body)
        send(self.anchor, "publish", *self.log.checkpoint(self.size), sender=OPERATOR)
        self.size = len(self.log.bodies)
        send(self.certificate, "open", *self.log.opening(lift, self.size), sender=RELAYER)
        return lift

    def lift(self, lift: Lift, index: int) -> str:
        return reason(self.certificate, "lift", *lift.lifting(index), sender=RELAYER)

    def held(self, holder: Any) -> int:
        return int(self.certificate.balanceOf(holder, ID))


@pytest.fixture
def rig() -> Iterator[Rig]:
    with boa.env.anchor():
        anchor = source("Anchor").deploy(OPERATOR, [account("attester").address], 1)
        badge = source("Badge").deploy(OPERATOR, "")
        certificate = source("Certificate").deploy(anchor.address, badge.address, OPERATOR, "")
        send(badge, "set_minter", certificate.address, sender=OPERATOR)
        kwh = source("Kwh").deploy(certificate.address, bytes(32), 3, 0)
        yield Rig(anchor, badge, certificate, kwh, Log())


def striker(answer: bytes = RECEIVED, to: Any = None, data: bytes = b"") -> Any:
    made = inline(STRIKER).deploy()
    made.plan(answer, to.address if to else "0x" + "0" * 40, data)
    return made


@pytest.mark.parametrize("answer", [BATCH_RECEIVED, bytes(4)])
def test_a_holder_that_refuses_is_not_minted_to_until_it_takes(rig: Rig, answer: bytes) -> None:
    holder = striker(answer)
    lift = rig.opened((1, 0, 500, str(holder.address)), (2, 0, 70, HOLDER))
    assert rig.lift(lift, 0) == "certificate.receiver"
    assert rig.held(holder.address) == 0
    assert rig.lift(lift, 1) == ""  # it stops nobody else
    holder.plan(RECEIVED, "0x" + "0" * 40, b"")
    assert rig.lift(lift, 0) == ""
    assert rig.held(holder.address) == 500


def test_lifting_again_from_the_callback_mints_nothing_more(rig: Rig) -> None:
    holder = striker()
    lift = rig.opened((1, 0, 500, str(holder.address)), (2, 0, 70, str(holder.address)))
    again = rig.certificate.lift.prepare_calldata(*lift.lifting(0))
    holder.plan(RECEIVED, rig.certificate.address, again)
    assert rig.lift(lift, 0) == ""
    assert (rig.held(holder.address), holder.struck(), holder.calls()) == (500, False, 1)


def test_another_row_may_be_lifted_from_the_callback(rig: Rig) -> None:
    """Everything is written before the receiver is called, so nested lifts find true books."""
    holder = striker()
    lift = rig.opened((1, 0, 500, str(holder.address)), (2, 0, 70, str(holder.address)))
    holder.plan(RECEIVED, rig.certificate.address, rig.certificate.lift.prepare_calldata(*lift.lifting(1)))
    assert rig.lift(lift, 0) == ""
    assert (rig.held(holder.address), holder.struck()) == (570, True)
    assert tuple(rig.certificate.word_of(lift.batch, 0)) == (570, 570)


@pytest.mark.parametrize("batch", [False, True])
def test_a_receiver_that_gives_back_at_once(rig: Rig, batch: bool) -> None:
    lift = rig.opened((1, 0, 500, HOLDER))
    assert rig.lift(lift, 0) == ""
    receiver = striker(BATCH_RECEIVED if batch else RECEIVED)
    home = rig.certificate.safeTransferFrom.prepare_calldata(receiver.address, HOLDER, ID, 300, b"")
    receiver.plan(BATCH_RECEIVED if batch else RECEIVED, rig.certificate.address, home)
    act, what = ("safeBatchTransferFrom", ([ID], [300])) if batch else ("safeTransferFrom", (ID, 300))
    assert reason(rig.certificate, act, HOLDER, receiver.address, *what, b"", sender=HOLDER) == ""
    assert (rig.held(HOLDER), rig.held(receiver.address), receiver.struck()) == (500, 0, True)


def test_redeeming_again_from_the_callback(rig: Rig) -> None:
    """A second redemption inside the first finds the queue and the supply as the first leaves them."""
    holder = striker(BATCH_RECEIVED)
    lift = rig.opened((1, 0, 5000, HOLDER))
    assert rig.lift(lift, 0) == ""
    send(rig.certificate, "setApprovalForAll", rig.kwh.address, True, sender=HOLDER)
    send(rig.kwh, "deposit", values(KIND), 5000, sender=HOLDER)
    send(rig.kwh, "transfer", holder.address, 3000, sender=HOLDER)
    redeem = rig.kwh.redeem.prepare_calldata(2000, 1)
    holder.plan(BATCH_RECEIVED, rig.kwh.address, redeem)
    holder.act(rig.kwh.address, redeem)  # 2,000 and then 2,000 of the 1,000 left
    assert (rig.held(holder.address), holder.struck()) == (2000, False)
    holder.plan(BATCH_RECEIVED, rig.kwh.address, rig.kwh.redeem.prepare_calldata(400, 1))
    holder.act(rig.kwh.address, rig.kwh.redeem.prepare_calldata(600, 1))
    assert (rig.held(holder.address), holder.struck()) == (3000, True)
    assert rig.kwh.totalSupply() == 2000 == rig.held(rig.kwh.address)


def test_a_mute_contract_retires_all_the_same(rig: Rig) -> None:
    """No receiver is asked for a badge, so nobody can be kept from a climate action."""
    holder = striker()
    lift = rig.opened((1, 0, 500, str(holder.address)))
    assert rig.lift(lift, 0) == ""
    holder.plan(bytes(4), "0x" + "0" * 40, b"")
    holder.act(rig.certificate.address, rig.certificate.retire.prepare_calldata(ID, 500, "", ""))
    assert rig.badge.ownerOf(1) == holder.address


def test_the_fact_is_the_journals_whatever_its_numbers(rig: Rig) -> None:
    dice = random.Random(4)  # noqa: S311
    numbers = [0, 1, 9, 10, 99, 10**9, 2**32, 2**63, 2**64 - 1]
    for _ in range(60):
        hashes = [
            bytes(dice.choice([0, 9, 10, 15, 16, 159, 160, 255, dice.randrange(256)]) for _ in range(32)) for _ in "12"
        ]
        at_us, deadline_s, quantity = (dice.choice(numbers) for _ in "123")
        batch = (at_us, int.from_bytes(hashes[0]), deadline_s, quantity, hashes[1], dice.choice([0, 1, 10, 2**32 - 1]))
        assert rig.certificate.body_of(batch) == body_of(batch)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7, 8, 13, 31, 64, 100, 129, 200, 257])
def test_rows_of_trees_of_any_size(rig: Rig, size: int) -> None:
    """Every shape of path, against the recursive definitions of RFC 9162, and every way to spoil one."""
    dice = random.Random(size)  # noqa: S311
    top = 2**31 - 1
    rows = [(dice.choice([0, 255, 65_536, top]), 2 ** dice.randrange(62), 2**62 + n, HOLDER) for n in range(size)]
    leaves = [packed(row) for row in rows]
    lift = rig.opened(*rows, quantity=2**64 - 1)
    assert lift.ref.root == tree_root(leaves)
    chosen = {0, size - 1, *dice.sample(range(size), min(6, size))}
    for index in sorted(chosen):
        assert lift.packed(index) == leaves[index]
        proof = inclusion_proof(index, leaves)
        for wrong in spoiled(proof, dice):
            assert reason(rig.certificate, "lift", lift.batch, index, rows[index], wrong, sender=RELAYER) in (
                "certificate.proof",
                "bare revert",
            )
        for other in {(index + 1) % size, size - 1 - index, index ^ 1} - {index}:
            if other < size:
                why = reason(rig.certificate, "lift", lift.batch, other, rows[index], proof, sender=RELAYER)
                assert why == "certificate.proof"
    before = rig.held(HOLDER)
    first = min(chosen)
    why = reason(
        rig.certificate, "lift", lift.batch, first, rows[first], inclusion_proof(first, leaves), sender=RELAYER
    )
    assert why == ""
    assert rig.held(HOLDER) - before == rows[first][2] - rows[first][1]


def test_an_inner_node_is_no_row(rig: Rig) -> None:
    """The index and the number of rows fix the path's length, so a node above the rows cannot stand in for one."""
    rows = [(n, 0, 10, HOLDER) for n in range(4)]
    lift = rig.opened(*rows)
    upper = sha256(b"\x01" + b"".join(sha256(b"\x00" + packed(row)).digest() for row in rows[2:])).digest()
    short = (*lift.batch[:5], 2)
    for batch in (lift.batch, short):
        why = reason(rig.certificate, "lift", batch, 0, rows[0], [upper], sender=RELAYER)
        assert why == "certificate.proof"


def test_flags_are_read_by_words(rig: Rig) -> None:
    lift = rig.opened(*[(n, 0, 10, HOLDER) for n in range(300)])
    for index in (0, 127, 128, 255, 256, 299):
        assert rig.lift(lift, index) == ""
    flags = rig.certificate.lifted_rows(lift.batch, 0, 2)
    assert flags == [1 | 1 << 127 | 1 << 128 | 1 << 255, 1 | 1 << 43]
    assert rig.certificate.lifted_rows(lift.batch, 1, 1) == flags[1:]
    with boa.reverts():
        rig.certificate.lifted_rows(lift.batch, 0, 1025)
    assert now() < FAR_S
