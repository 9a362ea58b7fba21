# pragma version 0.4.3
"""
@title  Dollar: a test stablecoin
@notice Six decimals, the surface of a dollar stablecoin: ERC-20, ERC-2612 (permit), ERC-3009 (signed transfers,
        random nonces), ERC-5267 (domain). It stands in for the real one on the embedded chain. One role, `minter`.
        Signatures come as (v, r, s) or as bytes, of keys or of contracts (ERC-1271): whoever has code answers itself.
@dev    Vyper has no overloads: the forms that take `bytes signature` are answered by `__default__`, by their selectors.
        Other call data is refused there.
"""
from ethereum.ercs import IERC20
from parts import roles
from parts import signed
from parts import wallets

implements: IERC20
initializes: roles
initializes: signed
exports: (roles.role_holder, roles.role_offer, roles.offer_role, roles.accept_role)

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event AuthorizationUsed:
    authorizer: indexed(address)
    nonce: indexed(bytes32)

event AuthorizationCanceled:
    authorizer: indexed(address)
    nonce: indexed(bytes32)

MINTER: constant(bytes32) = keccak256("minter")
PERMIT: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
TRANSFER: constant(bytes32) = keccak256(
    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
RECEIVE: constant(bytes32) = keccak256(
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
CANCEL: constant(bytes32) = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)")
TRANSFER_BYTES: constant(bytes4) = method_id(
    "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)", output_type=bytes4
)
RECEIVE_BYTES: constant(bytes4) = method_id(
    "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)", output_type=bytes4
)
CANCEL_BYTES: constant(bytes4) = method_id("cancelAuthorization(address,bytes32,bytes)", output_type=bytes4)
PERMIT_BYTES: constant(bytes4) = method_id(
    "permit(address,address,uint256,uint256,bytes)", output_type=bytes4
)

name: public(constant(String[11])) = "Test Dollar"
symbol: public(constant(String[4])) = "tUSD"
version: public(constant(String[1])) = "2"
decimals: public(constant(uint8)) = 6

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
nonces: public(HashMap[address, uint256])
authorizationState: public(HashMap[address, HashMap[bytes32, bool]])


@deploy
def __init__(minter: address):
    roles.__init__()
    roles.grant(MINTER, minter)
    signed.__init__(keccak256(name), keccak256(version))


@external
@view
def minter() -> address:
    return roles.role_holder[MINTER]


@external
def mint(receiver: address, amount: uint256) -> bool:
    """
    @notice Role: minter. New dollars, as an issuer does against a deposit.
    """
    roles.only(MINTER)
    assert receiver != empty(address), "dollar.zero"
    self.totalSupply += amount
    self.balanceOf[receiver] = unsafe_add(self.balanceOf[receiver], amount)  # <= totalSupply
    log Transfer(sender=empty(address), receiver=receiver, value=amount)
    return True


# ------------------------------------------------------------------ ERC-20


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert receiver != empty(address), "dollar.zero"
    held: uint256 = self.balanceOf[sender]
    assert held >= amount, "dollar.balance"
    self.balanceOf[sender] = unsafe_sub(held, amount)
    self.balanceOf[receiver] = unsafe_add(self.balanceOf[receiver], amount)  # <= totalSupply
    log Transfer(sender=sender, receiver=receiver, value=amount)


@internal
def _approve(owner: address, spender: address, amount: uint256):
    assert spender != empty(address), "dollar.zero"
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
        assert allowed >= amount, "dollar.allowance"
        self.allowance[sender][msg.sender] = unsafe_sub(allowed, amount)
    self._move(sender, receiver, amount)
    return True


# ---------------------------------------------------------------- ERC-2612


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    return signed.domain()


@internal
def _permit_terms(owner: address, spender: address, amount: uint256, deadline: uint256) -> bytes32:
    assert block.timestamp <= deadline, "dollar.expired"
    nonce: uint256 = self.nonces[owner]
    self.nonces[owner] = unsafe_add(nonce, 1)
    return keccak256(abi_encode(PERMIT, owner, spender, amount, nonce, deadline))


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Role: anyone who brings the owner's signature.
    """
    terms: bytes32 = self._permit_terms(owner, spender, amount, deadline)
    wallets.check_parts(owner, signed.digest(terms), v, r, s)
    self._approve(owner, spender, amount)


# ---------------------------------------------------------------- ERC-3009


@internal
def _use(authorizer: address, nonce: bytes32):
    assert not self.authorizationState[authorizer][nonce], "dollar.used"
    self.authorizationState[authorizer][nonce] = True


@internal
@view
def _terms(
    kind: bytes32,
    sender: address,
    receiver: address,
    amount: uint256,
    valid_after: uint256,
    valid_before: uint256,
    nonce: bytes32,
) -> bytes32:
    assert block.timestamp > valid_after, "dollar.not_yet"
    assert block.timestamp < valid_before, "dollar.expired"
    if kind == RECEIVE:
        assert msg.sender == receiver, "dollar.not_payee"
    return keccak256(abi_encode(kind, sender, receiver, amount, valid_after, valid_before, nonce))


@internal
def _settle(sender: address, receiver: address, amount: uint256, nonce: bytes32):
    self._use(sender, nonce)
    log AuthorizationUsed(authorizer=sender, nonce=nonce)
    self._move(sender, receiver, amount)


@internal
def _cancel(authorizer: address, nonce: bytes32):
    self._use(authorizer, nonce)
    log AuthorizationCanceled(authorizer=authorizer, nonce=nonce)


@external
def transferWithAuthorization(
    sender: address,
    receiver: address,
    amount: uint256,
    valid_after: uint256,
    valid_before: uint256,
    nonce: bytes32,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Role: anyone who brings the holder's signature.
    """
    terms: bytes32 = self._terms(TRANSFER, sender, receiver, amount, valid_after, valid_before, nonce)
    wallets.check_parts(sender, signed.digest(terms), v, r, s)
    self._settle(sender, receiver, amount, nonce)


@external
def receiveWithAuthorization(
    sender: address,
    receiver: address,
    amount: uint256,
    valid_after: uint256,
    valid_before: uint256,
    nonce: bytes32,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Role: the payee, with the holder's signature; so nobody can front-run a contract that is being paid.
    """
    terms: bytes32 = self._terms(RECEIVE, sender, receiver, amount, valid_after, valid_before, nonce)
    wallets.check_parts(sender, signed.digest(terms), v, r, s)
    self._settle(sender, receiver, amount, nonce)


@external
def cancelAuthorization(authorizer: address, nonce: bytes32, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Role: anyone who brings the holder's signature.
    """
    wallets.check_parts(authorizer, signed.digest(keccak256(abi_encode(CANCEL, authorizer, nonce))), v, r, s)
    self._cancel(authorizer, nonce)


# ---------------------------------------------------------------- the forms that take bytes


@external
def __default__():
    """
    @notice Role: as the (v, r, s) form of the same name. `permit`, `transferWithAuthorization`,
            `receiveWithAuthorization` and `cancelAuthorization` with the signature as `bytes`, laid out as every
            encoder does: the fixed words, then the signature. 1,024 bytes of it at most.
    """
    asked: bytes4 = convert(slice(msg.data, 0, 4), bytes4)
    if asked == TRANSFER_BYTES or asked == RECEIVE_BYTES:
        self._authorized_bytes(TRANSFER if asked == TRANSFER_BYTES else RECEIVE)
    elif asked == CANCEL_BYTES:
        self._cancel_bytes()
    else:
        assert asked == PERMIT_BYTES, "dollar.unknown"
        self._permit_bytes()


@internal
def _authorized_bytes(kind: bytes32):
    sender: address = empty(address)
    receiver: address = empty(address)
    amount: uint256 = 0
    valid_after: uint256 = 0
    valid_before: uint256 = 0
    nonce: bytes32 = empty(bytes32)
    offset: uint256 = 0
    sender, receiver, amount, valid_after, valid_before, nonce, offset = abi_decode(
        slice(msg.data, 4, 224), (address, address, uint256, uint256, uint256, bytes32, uint256)
    )
    assert offset == 224, "dollar.layout"
    terms: bytes32 = self._terms(kind, sender, receiver, amount, valid_after, valid_before, nonce)
    wallets.check(sender, signed.digest(terms), wallets.read(228))
    self._settle(sender, receiver, amount, nonce)


@internal
def _cancel_bytes():
    authorizer: address = empty(address)
    nonce: bytes32 = empty(bytes32)
    offset: uint256 = 0
    authorizer, nonce, offset = abi_decode(slice(msg.data, 4, 96), (address, bytes32, uint256))
    assert offset == 96, "dollar.layout"
    wallets.check(authorizer, signed.digest(keccak256(abi_encode(CANCEL, authorizer, nonce))), wallets.read(100))
    self._cancel(authorizer, nonce)


@internal
def _permit_bytes():
    owner: address = empty(address)
    spender: address = empty(address)
    amount: uint256 = 0
    deadline: uint256 = 0
    offset: uint256 = 0
    owner, spender, amount, deadline, offset = abi_decode(
        slice(msg.data, 4, 160), (address, address, uint256, uint256, uint256)
    )
    assert offset == 160, "dollar.layout"
    terms: bytes32 = self._permit_terms(owner, spender, amount, deadline)
    wallets.check(owner, signed.digest(terms), wallets.read(164))
    self._approve(owner, spender, amount)


# ---------------------------------------------------------------- ERC-5267


@external
@view
def eip712Domain() -> (bytes1, String[11], String[1], uint256, address, bytes32, DynArray[uint256, 1]):
    extensions: DynArray[uint256, 1] = []
    return 0x0f, name, version, chain.id, self, empty(bytes32), extensions
