# pragma version 0.4.3
"""
@title  Named roles with a two-step handover
@dev    A role is the keccak256 of its name. Its holder offers it, the next holder accepts it: a mistyped
        address never takes a power away. An offer to the zero address withdraws the offer.
        There is no administrator over the roles: a role's key belongs in a multi-signature wallet.
"""

event RoleOffered:
    role: indexed(bytes32)
    holder: indexed(address)
    next_holder: indexed(address)

event RoleTaken:
    role: indexed(bytes32)
    previous: indexed(address)
    holder: indexed(address)

role_holder: public(HashMap[bytes32, address])
role_offer: public(HashMap[bytes32, address])


@deploy
def __init__():
    pass


@internal
def grant(role: bytes32, holder: address):
    """
    @notice Constructors only: the first holder of a role.
    """
    assert holder != empty(address), "roles.zero"
    self.role_holder[role] = holder
    log RoleTaken(role=role, previous=empty(address), holder=holder)


@internal
@view
def only(role: bytes32):
    assert msg.sender == self.role_holder[role], "roles.not_holder"


@external
def offer_role(role: bytes32, next_holder: address):
    """
    @notice Role: the role's own holder.
    """
    self.only(role)
    self.role_offer[role] = next_holder
    log RoleOffered(role=role, holder=msg.sender, next_holder=next_holder)


@internal
def take(role: bytes32):
    assert msg.sender == self.role_offer[role], "roles.not_offered"
    previous: address = self.role_holder[role]
    self.role_offer[role] = empty(address)
    self.role_holder[role] = msg.sender
    log RoleTaken(role=role, previous=previous, holder=msg.sender)


@external
def accept_role(role: bytes32):
    """
    @notice Role: whom the role was offered to.
    """
    self.take(role)
