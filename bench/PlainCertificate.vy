# pragma version 0.4.3
"""
@title  The plain way to put an interval's certificates on chain: the issuer mints each device's to its holder
"""

event TransferSingle:
    operator: indexed(address)
    sender: indexed(address)
    receiver: indexed(address)
    id: uint256
    amount: uint256

issuer: public(immutable(address))
balanceOf: public(HashMap[address, HashMap[uint256, uint256]])


@deploy
def __init__():
    issuer = msg.sender


@external
def mint_many(id: uint256, holders: DynArray[address, 100], amounts: DynArray[uint256, 100]):
    assert msg.sender == issuer
    for i: uint256 in range(len(holders), bound=100):
        self.balanceOf[holders[i]][id] += amounts[i]
        log TransferSingle(
            operator=msg.sender, sender=empty(address), receiver=holders[i], id=id, amount=amounts[i]
        )
