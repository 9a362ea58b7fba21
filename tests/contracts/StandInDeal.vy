# pragma version 0.4.3
"""
@title  A deal of the simplest kind, and its liars
@notice For tests. `put` fills a lane; `withdraw` pays it to whoever asks. `lie` says how it misbehaves:
        1 pays nothing and claims a fortune, 2 calls back into `pull` before it returns, 3 calls back into `withdraw`.
"""
from ethereum.ercs import IERC20

interface Tranche:
    def pull() -> uint256: nonpayable
    def withdraw(receiver: address) -> uint256: nonpayable

DOLLAR: immutable(IERC20)
unpaid: public(HashMap[uint256, uint256])
lie: public(uint256)


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
