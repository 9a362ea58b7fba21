# pragma version 0.4.3
"""
@title  Kwh: fungible certified energy, a unit a Wh
@notice ERC-20 of three decimals (a token is a kWh) with ERC-2612. Certificates that a policy fixed at deployment
        admits go in, the same number of units comes out; units go in, identified certificates come out, from the head
        of the queue: first in, first out. Nobody has a power here.
@dev    Law: supply = sum over the queue's lots = certificates held. A deposit of the id that stands last joins its lot.
"""
from ethereum.ercs import IERC20
from parts import certified
from parts import signed

implements: IERC20
initializes: signed


interface Certificate:
    def safeTransferFrom(sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[32]): nonpayable
    def safeBatchTransferFrom(
        sender: address,
        receiver: address,
        ids: DynArray[uint256, LOTS_MAX],
        amounts: DynArray[uint256, LOTS_MAX],
        data: Bytes[32],
    ): nonpayable


struct Lot:
    id: uint256
    amount: uint256


event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256


event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256


event Deposited:
    holder: indexed(address)
    id: indexed(uint256)
    lot: uint256
    amount: uint256


event Redeemed:
    holder: indexed(address)
    ids: DynArray[uint256, LOTS_MAX]
    amounts: DynArray[uint256, LOTS_MAX]


LOTS_MAX: constant(uint256) = 32
LEAST: constant(uint256) = 1000  # Wh a deposit: a lot costs whoever redeems it gas
RECEIVED: constant(bytes4) = 0xf23a6e61
PERMIT: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)

name: public(constant(String[12])) = "Penstock kWh"
symbol: public(constant(String[3])) = "kWh"
version: public(constant(String[1])) = "1"
decimals: public(constant(uint8)) = 3

certificate: public(immutable(address))
zone: public(immutable(bytes32))  # empty: any
assurance_max: public(immutable(uint8))  # 0 is the best
oldest_s: public(immutable(uint64))  # start of the oldest interval admitted [s]

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
nonces: public(HashMap[address, uint256])
lots: HashMap[uint256, Lot]
head: public(uint256)  # number of the first lot
tail: public(uint256)  # one more than the number of the last


@deploy
def __init__(certificate_: address, zone_: bytes32, assurance_max_: uint8, oldest_s_: uint64):
    assert certificate_ != empty(address), "kwh.zero"
    signed.__init__(keccak256(name), keccak256(version))
    certificate = certificate_
    zone = zone_
    assurance_max = assurance_max_
    oldest_s = oldest_s_


# ---------------------------------------------------------------- in and out


@external
def deposit(properties: certified.Properties, amount: uint256):
    """
    @notice Role: the holder of certificates, which approved this contract.
            Put at least 1 kWh of the certificates with these properties in the queue for as many units.
    """
    assert zone == empty(bytes32) or properties.zone == zone, "kwh.zone"
    assert properties.assurance <= assurance_max, "kwh.assurance"
    assert properties.interval_start >= oldest_s, "kwh.oldest"
    assert amount >= LEAST, "kwh.amount"
    id: uint256 = certified.id_of(properties)
    lot: uint256 = self._queue(id, amount)
    self.totalSupply += amount
    self.balanceOf[msg.sender] += amount
    log Transfer(sender=empty(address), receiver=msg.sender, value=amount)
    log Deposited(holder=msg.sender, id=id, lot=lot, amount=amount)
    extcall Certificate(certificate).safeTransferFrom(msg.sender, self, id, amount, b"")


@external
def redeem(amount: uint256, lots_max: uint256) -> uint256:
    """
    @notice Role: the holder.
            Take certificates from the head of the queue for up to `amount` units, from at most `lots_max` lots (32).
            The units given up: fewer than asked when the lots hold less.
    """
    assert amount != 0, "kwh.amount"
    assert lots_max != 0 and lots_max <= LOTS_MAX, "kwh.lots"
    assert self.balanceOf[msg.sender] >= amount, "kwh.balance"
    ids: DynArray[uint256, LOTS_MAX] = []
    amounts: DynArray[uint256, LOTS_MAX] = []
    left: uint256 = amount
    at: uint256 = self.head
    for _: uint256 in range(lots_max, bound=LOTS_MAX):
        if left == 0:
            break
        lot: Lot = self.lots[at]  # there is one: lots hold the supply, and so at least what is left
        taken: uint256 = min(left, lot.amount)
        ids.append(lot.id)
        amounts.append(taken)
        left -= taken
        if taken == lot.amount:
            self.lots[at] = empty(Lot)
            at += 1
        else:
            self.lots[at].amount = lot.amount - taken
    self.head = at
    given: uint256 = amount - left
    self.balanceOf[msg.sender] -= given
    self.totalSupply -= given
    log Transfer(sender=msg.sender, receiver=empty(address), value=given)
    log Redeemed(holder=msg.sender, ids=ids, amounts=amounts)
    extcall Certificate(certificate).safeBatchTransferFrom(self, msg.sender, ids, amounts, b"")
    return given


@external
@view
def onERC1155Received(
    operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]
) -> bytes4:
    """
    @notice ERC-1155: only what `deposit` fetches is taken; anything else would lie here for good.
    """
    assert msg.sender == certificate and operator == self, "kwh.deposit"
    return RECEIVED


@external
@view
def lot_at(number: uint256) -> Lot:
    """
    @notice A lot of the queue, from `head` to `tail` - 1; zeros outside.
    """
    return self.lots[number]


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice ERC-165 and the ERC-1155 receiver.
    """
    return interface_id in [0x01ffc9a7, 0x4e2312e0]


@external
@view
def onERC1155BatchReceived(
    operator: address,
    sender: address,
    ids: DynArray[uint256, 64],
    amounts: DynArray[uint256, 64],
    data: Bytes[1024],
) -> bytes4:
    """
    @notice ERC-1155: batches are never taken.
    """
    raise "kwh.deposit"


@internal
def _queue(id: uint256, amount: uint256) -> uint256:
    tail: uint256 = self.tail
    if tail != self.head and self.lots[tail - 1].id == id:
        self.lots[tail - 1].amount += amount
        return tail - 1
    self.lots[tail] = Lot(id=id, amount=amount)
    self.tail = tail + 1
    return tail


# ---------------------------------------------------------------- ERC-20


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert receiver != empty(address) and receiver != self, "kwh.zero"
    held: uint256 = self.balanceOf[sender]
    assert held >= amount, "kwh.balance"
    self.balanceOf[sender] = unsafe_sub(held, amount)
    self.balanceOf[receiver] = unsafe_add(self.balanceOf[receiver], amount)  # <= totalSupply
    log Transfer(sender=sender, receiver=receiver, value=amount)


@internal
def _approve(owner: address, spender: address, amount: uint256):
    assert spender != empty(address), "kwh.zero"
    self.allowance[owner][spender] = amount
    log Approval(owner=owner, spender=spender, value=amount)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Role: the holder.
    """
    self._move(msg.sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Role: the holder.
    """
    self._approve(msg.sender, spender, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Role: a spender with allowance. An allowance of 2^256-1 is not used up.
    """
    allowed: uint256 = self.allowance[sender][msg.sender]
    if allowed != max_value(uint256):
        assert allowed >= amount, "kwh.allowance"
        self.allowance[sender][msg.sender] = unsafe_sub(allowed, amount)
    self._move(sender, receiver, amount)
    return True


# ---------------------------------------------------------------- ERC-2612


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    return signed.domain()


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Role: anyone who brings the owner's signature.
    """
    assert block.timestamp <= deadline, "kwh.expired"
    nonce: uint256 = self.nonces[owner]
    self.nonces[owner] = unsafe_add(nonce, 1)
    signed.check(owner, keccak256(abi_encode(PERMIT, owner, spender, amount, nonce, deadline)), v, r, s)
    self._approve(owner, spender, amount)


@external
@view
def eip712Domain() -> (bytes1, String[12], String[1], uint256, address, bytes32, DynArray[uint256, 1]):
    extensions: DynArray[uint256, 1] = []
    return 0x0f, name, version, chain.id, self, empty(bytes32), extensions
