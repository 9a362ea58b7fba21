# pragma version 0.4.3
"""
@title  A wallet that is a contract (ERC-1271): says yes to one signature, and has moods
"""
from ethereum.ercs import IERC20

expected: Bytes[1024]
expects: bool
mood: uint256


@external
def expect(signature: Bytes[1024]):
    self.expected = signature
    self.expects = True


@external
def sulk(mood: uint256):
    self.mood = mood


@external
def allow(token: address, spender: address):
    extcall IERC20(token).approve(spender, max_value(uint256))


@external
@view
@raw_return
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> Bytes[32]:
    assert self.mood != 1, "wallet.mood"
    if self.mood == 2:
        return slice(0x1626ba7e00000000000000000000000000000000000000000000000000000000, 0, 4)
    if self.mood == 3:
        return abi_encode(0x1626ba7e00000000000000000000000000000000000000000000000000000001)
    if self.expects and keccak256(signature) == keccak256(self.expected):
        return abi_encode(0x1626ba7e00000000000000000000000000000000000000000000000000000000)
    return abi_encode(0xffffffff00000000000000000000000000000000000000000000000000000000)
