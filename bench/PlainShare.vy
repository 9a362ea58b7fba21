# pragma version 0.4.3
"""
@title  The plain way, to measure against
@notice A permissioned share as one would first write it: one storage slot for each value, the registry asked for
        sender and receiver apart, and income pushed to every holder in a loop. Never shipped.
"""
from ethereum.ercs import IERC20

interface Registry:
    def may_send(holder: address) -> bool: view
    def may_hold(holder: address, classes: uint256) -> bool: view

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

DOLLAR: immutable(IERC20)
REGISTRY: immutable(Registry)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
frozen: public(HashMap[address, bool])
paused: public(bool)
accumulator: public(uint256)
settled_at: HashMap[address, uint256]
credit: HashMap[address, uint256]


@deploy
def __init__(dollar: address, registry: address, supply: uint256, sponsor: address):
    DOLLAR = IERC20(dollar)
    REGISTRY = Registry(registry)
    self.totalSupply = supply
    self.balanceOf[sponsor] = supply


@internal
def _settle(holder: address):
    grown: uint256 = self.accumulator - self.settled_at[holder]
    if grown != 0:
        self.credit[holder] += self.balanceOf[holder] * grown // 2**64
        self.settled_at[holder] = self.accumulator


@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert not self.paused and not self.frozen[msg.sender] and not self.frozen[receiver]
    assert staticcall REGISTRY.may_send(msg.sender)
    assert staticcall REGISTRY.may_hold(receiver, max_value(uint256))
    self._settle(msg.sender)
    self._settle(receiver)
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=msg.sender, receiver=receiver, value=amount)
    return True


@external
def distribute(amount: uint256):
    extcall DOLLAR.transferFrom(msg.sender, self, amount)
    self.accumulator += amount * 2**64 // self.totalSupply


@external
def push(holders: DynArray[address, 1000], amount: uint256):
    """
    @notice Pay every holder its part of `amount` out of the caller's dollars.
    """
    for holder: address in holders:
        extcall DOLLAR.transferFrom(msg.sender, holder, amount * self.balanceOf[holder] // self.totalSupply)
