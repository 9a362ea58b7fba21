# pragma version 0.4.3
"""
@title  Registry: who may hold what
@notice One registry for many tokens. A holder is one packed slot: a commitment to an identity, a country, an
        investor class, an expiry and a freeze flag. Nothing about a person is here, only a salted hash cut to
        160 bits. Read surface of ERC-3643's identity registry (isVerified, contains, identity, investorCountry).
@dev    Slot: bits 0-63 expiry in Unix seconds | 64-71 freeze flag | 72-79 class | 80-95 country | 96-255 identity.
        The ERC-3643 registry answers with an identity *contract*; here the same 160 bits are a hash, and an
        expired or revoked claim counts only once the registrar has written it.
"""
from parts import roles

initializes: roles
exports: (roles.role_holder, roles.role_offer, roles.offer_role, roles.accept_role)

struct Admission:
    holder: address
    identity: bytes20
    country: uint16
    investor_class: uint8
    expires_at_s: uint64

event IdentityRegistered:
    investorAddress: indexed(address)
    identity: indexed(address)

event IdentityRemoved:
    investorAddress: indexed(address)
    identity: indexed(address)

event HolderAdmitted:
    holder: indexed(address)
    country: uint16
    investor_class: uint8
    expires_at_s: uint64

event AddressFrozen:
    userAddress: indexed(address)
    isFrozen: indexed(bool)
    owner: indexed(address)

REGISTRAR: constant(bytes32) = keccak256("registrar")
COMPLIANCE: constant(bytes32) = keccak256("compliance")
ADMIT_MAX: constant(uint256) = 200

FREEZE: constant(uint256) = 255 << 64
EXPIRY_MASK: constant(uint256) = 2**64 - 1

slot_of: public(HashMap[address, uint256])


@deploy
def __init__(registrar: address, compliance: address):
    roles.__init__()
    roles.grant(REGISTRAR, registrar)
    roles.grant(COMPLIANCE, compliance)


# ------------------------------------------------------------------- reading


@internal
@view
def _may_hold(slot: uint256, classes: uint256) -> bool:
    if slot & FREEZE != 0 or slot & EXPIRY_MASK <= block.timestamp:
        return False
    return (classes >> ((slot >> 72) & 255)) & 1 == 1


@external
@view
def may_hold(holder: address, classes: uint256 = max_value(uint256)) -> bool:
    """
    @notice Admitted, not expired, not frozen, and of a class whose bit is set in `classes`. One storage read.
    """
    return self._may_hold(self.slot_of[holder], classes)


@external
@view
def may_send(holder: address) -> bool:
    """
    @notice Not frozen. An admission that expired, or was removed, may still sell.
    """
    return self.slot_of[holder] & FREEZE == 0


@external
@view
def may_transfer(sender: address, receiver: address, classes: uint256) -> bool:
    """
    @notice `may_send(sender) and may_hold(receiver, classes)` in one call.
    """
    return self.slot_of[sender] & FREEZE == 0 and self._may_hold(self.slot_of[receiver], classes)


@external
@view
def isVerified(holder: address) -> bool:
    """
    @notice ERC-3643: `may_hold` of any class.
    """
    return self._may_hold(self.slot_of[holder], max_value(uint256))


@external
@view
def contains(holder: address) -> bool:
    return self.slot_of[holder] >> 96 != 0


@external
@view
def identity(holder: address) -> address:
    """
    @notice The 160-bit commitment, in the type ERC-3643 gives it.
    """
    return convert(self.slot_of[holder] >> 96, address)


@external
@view
def investorCountry(holder: address) -> uint16:
    """
    @notice ISO 3166-1 numeric.
    """
    return convert((self.slot_of[holder] >> 80) & 65535, uint16)


@external
@view
def investor_class(holder: address) -> uint8:
    return convert((self.slot_of[holder] >> 72) & 255, uint8)


@external
@view
def expires_at_s(holder: address) -> uint64:
    return convert(self.slot_of[holder] & EXPIRY_MASK, uint64)


@external
@view
def is_frozen(holder: address) -> bool:
    return self.slot_of[holder] & FREEZE != 0


# -------------------------------------------------------------- the registrar


@internal
def _admit(entry: Admission):
    """
    @dev A freeze outlives a new admission: the registrar cannot undo what compliance did.
    """
    assert entry.holder != empty(address), "registry.zero"
    assert entry.identity != empty(bytes20), "registry.no_identity"
    assert convert(entry.expires_at_s, uint256) > block.timestamp, "registry.expired"
    identity: uint256 = convert(entry.identity, uint256)
    terms: uint256 = convert(entry.expires_at_s, uint256) | (convert(entry.investor_class, uint256) << 72)
    terms |= (convert(entry.country, uint256) << 80) | (identity << 96)
    self.slot_of[entry.holder] = terms | (self.slot_of[entry.holder] & FREEZE)
    log IdentityRegistered(investorAddress=entry.holder, identity=convert(identity, address))
    log HolderAdmitted(
        holder=entry.holder,
        country=entry.country,
        investor_class=entry.investor_class,
        expires_at_s=entry.expires_at_s,
    )


@external
def admit(entry: Admission):
    """
    @notice Role: registrar. Admits, or rewrites the terms of, one holder.
    """
    roles.only(REGISTRAR)
    self._admit(entry)


@external
def admit_many(entries: DynArray[Admission, ADMIT_MAX]):
    """
    @notice Role: registrar. All or none.
    """
    roles.only(REGISTRAR)
    for entry: Admission in entries:
        self._admit(entry)


@external
def remove(holder: address):
    """
    @notice Role: registrar. What the holder has stays; it can receive no more. A freeze stays.
    """
    roles.only(REGISTRAR)
    slot: uint256 = self.slot_of[holder]
    assert slot >> 96 != 0, "registry.unknown"
    self.slot_of[holder] = slot & FREEZE
    log IdentityRemoved(investorAddress=holder, identity=convert(slot >> 96, address))


@external
def move(lost: address, replacement: address):
    """
    @notice Role: registrar. A lost key's admission goes on with another key, on the same terms; a freeze of either
            stays where it is and goes along. Its shares follow by `Tranche.recover`.
    """
    roles.only(REGISTRAR)
    assert replacement != empty(address), "registry.zero"
    slot: uint256 = self.slot_of[lost]
    own: uint256 = self.slot_of[replacement]
    assert slot >> 96 != 0, "registry.unknown"
    assert own >> 96 == 0, "registry.known"
    self.slot_of[lost] = slot & FREEZE
    self.slot_of[replacement] = slot | (own & FREEZE)
    identity: address = convert(slot >> 96, address)
    log IdentityRemoved(investorAddress=lost, identity=identity)
    log IdentityRegistered(investorAddress=replacement, identity=identity)
    log HolderAdmitted(
        holder=replacement,
        country=convert((slot >> 80) & 65535, uint16),
        investor_class=convert((slot >> 72) & 255, uint8),
        expires_at_s=convert(slot & EXPIRY_MASK, uint64),
    )
    if slot & FREEZE != 0 and own & FREEZE == 0:
        log AddressFrozen(userAddress=replacement, isFrozen=True, owner=msg.sender)


# ----------------------------------------------------------------- compliance


@external
def set_frozen(holder: address, frozen: bool):
    """
    @notice Role: compliance. May come before an admission.
    """
    roles.only(COMPLIANCE)
    slot: uint256 = self.slot_of[holder] & ~FREEZE
    self.slot_of[holder] = slot | FREEZE if frozen else slot
    log AddressFrozen(userAddress=holder, isFrozen=frozen, owner=msg.sender)
