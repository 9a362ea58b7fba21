# pragma version 0.4.3
"""
@title  Badge: the public trace of a climate action
@notice ERC-721 that never moves (ERC-5192: locked from the first moment). One is minted, by `Certificate` alone, when
        certificates are retired; it keeps how much, for whom, what for and when. Badges count from 1.
"""
from ethereum.ercs import IERC165

implements: IERC165


event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    token_id: indexed(uint256)


event Locked:
    token_id: uint256


event MinterSet:
    minter: indexed(address)


struct Action:
    holder: address
    at_s: uint64
    energy_wh: uint256
    beneficiary: String[BENEFICIARY_MAX]
    purpose: String[PURPOSE_MAX]


BENEFICIARY_MAX: constant(uint256) = 128
PURPOSE_MAX: constant(uint256) = 256

name: public(constant(String[14])) = "Penstock Badge"
symbol: public(constant(String[5])) = "BADGE"

founder: public(immutable(address))
base: String[96]
minter: public(address)
totalSupply: public(uint256)
balances: HashMap[address, uint256]
actions: HashMap[uint256, Action]


@deploy
def __init__(founder_: address, base_: String[96]):
    assert founder_ != empty(address), "badge.zero"
    founder = founder_
    self.base = base_


@external
def set_minter(minter: address):
    """
    @notice Role: the founder, once.
            Name the contract that may mint.
    """
    assert msg.sender == founder, "badge.founder"
    assert self.minter == empty(address), "badge.set"
    assert minter != empty(address), "badge.zero"
    self.minter = minter
    log MinterSet(minter=minter)


@external
def mint(
    holder: address, energy_wh: uint256, beneficiary: String[BENEFICIARY_MAX], purpose: String[PURPOSE_MAX]
) -> uint256:
    """
    @notice Role: the minter, which is `Certificate`.
            A badge for what `holder` has just retired. No receiver is called: a retirement depends on nobody.
    """
    assert msg.sender == self.minter, "badge.minter"
    token_id: uint256 = self.totalSupply + 1
    self.totalSupply = token_id
    self.balances[holder] += 1
    self.actions[token_id] = Action(
        holder=holder,
        at_s=convert(block.timestamp, uint64),
        energy_wh=energy_wh,
        beneficiary=beneficiary,
        purpose=purpose,
    )
    log Transfer(sender=empty(address), receiver=holder, token_id=token_id)
    log Locked(token_id=token_id)
    return token_id


@external
@view
def action(token_id: uint256) -> Action:
    """
    @notice Who retired how much [Wh], when [s], for whom and what for.
    """
    self._owner(token_id)
    return self.actions[token_id]


@external
@view
def tokenURI(token_id: uint256) -> String[174]:
    """
    @notice The base with the badge's number after it.
    """
    self._owner(token_id)
    return concat(self.base, uint2str(token_id))


@external
@view
def locked(token_id: uint256) -> bool:
    """
    @notice ERC-5192: always.
    """
    self._owner(token_id)
    return True


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice ERC-165, ERC-721, its metadata extension, ERC-5192.
    """
    return interface_id in [0x01ffc9a7, 0x80ac58cd, 0x5b5e139f, 0xb45a3c0e]


# ---------------------------------------------------------------- ERC-721, of what never moves


@external
@view
def balanceOf(holder: address) -> uint256:
    assert holder != empty(address), "badge.zero"
    return self.balances[holder]


@external
@view
def ownerOf(token_id: uint256) -> address:
    return self._owner(token_id)


@external
@view
def getApproved(token_id: uint256) -> address:
    self._owner(token_id)
    return empty(address)


@external
@view
def isApprovedForAll(holder: address, operator: address) -> bool:
    return False


@external
def approve(operator: address, token_id: uint256):
    """
    @notice Role: nobody; badges never move.
    """
    raise "badge.locked"


@external
def setApprovalForAll(operator: address, approved: bool):
    """
    @notice Role: nobody; badges never move.
    """
    raise "badge.locked"


@external
def transferFrom(sender: address, receiver: address, token_id: uint256):
    """
    @notice Role: nobody; badges never move.
    """
    raise "badge.locked"


@external
def safeTransferFrom(sender: address, receiver: address, token_id: uint256, data: Bytes[1024] = b""):
    """
    @notice Role: nobody; badges never move.
    """
    raise "badge.locked"


@internal
@view
def _owner(token_id: uint256) -> address:
    holder: address = self.actions[token_id].holder
    assert holder != empty(address), "badge.unknown"
    return holder
