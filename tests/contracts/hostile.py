"""Contracts that strike back when they are paid or given credits, and a dollar that refuses whom it likes."""

from __future__ import annotations

from typing import Any

from nodes import Chain
from web3.contract import Contract
from whole_stack import compiled

# Of a holder: 1 the dollar reverts when it pays or is paid, 2 answers false, 3 is called back.
REVERTS, FALSE, CALLS_BACK = 1, 2, 3
DOLLAR = """
balanceOf: public(HashMap[address, uint256])
totalSupply: public(uint256)
mode: HashMap[address, uint256]

@external
def set_mode(holder: address, mode: uint256):
    self.mode[holder] = mode

@external
def mint(receiver: address, amount: uint256) -> bool:
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    return True

@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert self.mode[receiver] != 1 and self.mode[msg.sender] != 1, "listed"
    if self.mode[receiver] == 2:
        return False
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    if self.mode[receiver] == 3:
        raw_call(receiver, method_id("struck()"))
    return True
"""
STRIKER = """
struct Plan:
    to: address
    data: Bytes[1024]

plans: DynArray[Plan, 16]
outcomes: DynArray[bool, 64]

@external
def plan(to: address, data: Bytes[1024]):
    self.plans.append(Plan(to=to, data=data))

@external
@view
def done() -> DynArray[bool, 64]:
    return self.outcomes

@external
def act(to: address, data: Bytes[1024]):
    raw_call(to, data)

@internal
def strike():
    for one: Plan in self.plans:
        self.outcomes.append(raw_call(one.to, one.data, revert_on_failure=False))

@external
def struck():
    self.strike()

@external
def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    self.strike()
    return 0xf23a6e61
"""


def hostile_dollar(chain: Chain) -> Contract:
    return chain.deploy_code(compiled(DOLLAR))


def striker(chain: Chain) -> Contract:
    return chain.deploy_code(compiled(STRIKER))


def call_data(call: Any) -> tuple[str, bytes]:
    """Where a call goes and its bytes, for a striker to make it."""
    return call.address, bytes.fromhex(call._encode_transaction_data()[2:])
