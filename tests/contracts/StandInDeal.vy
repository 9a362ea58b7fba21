# pragma version 0.4.3
"""
@title  A deal of the simplest kind, and its liars
@notice For tests. `put` fills a lane; `withdraw` pays it to whoever asks. `lie` says how it misbehaves:
        1 pays nothing and claims a fortune, 2 calls back into `pull` before it returns, 3 calls back into `withdraw`,
        4 refuses every change. What its governor changes it only counts and keeps.
"""
from ethereum.ercs import IERC20

interface Tranche:
    def pull() -> uint256: nonpayable
    def withdraw(receiver: address) -> uint256: nonpayable

DOLLAR: immutable(IERC20)
unpaid: public(HashMap[uint256, uint256])
lie: public(uint256)
GOVERNOR: public(address)
deal_hash: public(bytes32)
changes: public(uint256)
changed: public(bytes32)


@deploy
def __init__(dollar: address):
    DOLLAR = IERC20(dollar)


@external
def put(lane: uint256, amount: uint256):
    self.unpaid[lane] += amount
    extcall DOLLAR.transferFrom(msg.sender, self, amount)


@external
def set_lie(lie: uint256):
    self.lie = lie


@external
def withdraw(lane: uint256) -> uint256:
    if self.lie == 1:
        return 10**18
    amount: uint256 = self.unpaid[lane]
    self.unpaid[lane] = 0
    if amount != 0:
        extcall DOLLAR.transfer(msg.sender, amount)
    if self.lie == 2:
        extcall Tranche(msg.sender).pull()
    if self.lie == 3:
        extcall Tranche(msg.sender).withdraw(self)
    return amount


@external
def set_governor(governor: address):
    self.GOVERNOR = governor


@internal
def _change(what: bytes32):
    assert msg.sender == self.GOVERNOR, "deal.not_governor"
    assert self.lie != 4, "deal.refuses"
    self.changes += 1
    self.changed = what


@external
def amend(program: Bytes[4096], schedule: address, deal_hash: bytes32):
    self._change(keccak256(abi_encode(program, schedule, deal_hash)))
    self.deal_hash = deal_hash


@external
def waive(test: uint256, through: uint256):
    self._change(keccak256(abi_encode(test, through)))


@external
def replace(lane: uint256, payee: address):
    self._change(keccak256(abi_encode(lane, payee)))
