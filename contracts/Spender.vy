# pragma version 0.4.3
"""
@title  Spender: an agent's account with bounds
@notice Holds dollars of one owner, which one agent may spend: so much a payment, an hour and in all, to payees allowed,
        until a day. Above a limit the owner signs too. The agent authorises a payment here first, which takes its
        amount off the budgets and keeps the hash of the message that the payer signs; from then on the account says
        yes (ERC-1271) to exactly this message, so that clients and facilitators of x402 meet an ordinary payer.
@dev    The account says yes to nothing else, whatever signature comes with it, and signs only messages that it made
        itself: ERC-3009 of its dollar, or Permit2 for x402's metered payments. An authorisation counts when it is given,
        whole, whenever it is settled and however little of a cap is taken; it counts no longer once released, which
        takes that it was not used and cannot be any more. What is authorised lives an hour at most.
"""
from parts import signed
from parts import wallets

initializes: signed


interface Dollar:
    def DOMAIN_SEPARATOR() -> bytes32: view
    def authorizationState(authorizer: address, nonce: bytes32) -> bool: view
    def balanceOf(holder: address) -> uint256: view
    def approve(spender: address, amount: uint256) -> bool: nonpayable
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable


interface Permits:
    def DOMAIN_SEPARATOR() -> bytes32: view
    def nonceBitmap(owner: address, word: uint256) -> uint256: view


interface Credits:
    def request(id: uint256, amount: uint64): nonpayable
    def redeem(id: uint256, amount: uint64, work_root: bytes32): nonpayable
    def safeTransferFrom(sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[32]): nonpayable


struct Mandate:
    per_call_usdc_micro: uint256
    per_hour_usdc_micro: uint256  # in any hour, counted in steps of ten minutes
    total_usdc_micro: uint256
    approval_above_usdc_micro: uint256  # a payment of more needs the owner's signature
    expires_at: uint256  # [s]


struct Payment:
    kind: uint256
    payee: address
    facilitator: address  # of a metered payment; else zero
    amount_usdc_micro: uint256  # of a metered payment: its cap
    valid_after: uint256  # [s]
    valid_before: uint256  # [s]
    nonce: bytes32


event Authorized:
    digest: indexed(bytes32)
    payee: indexed(address)
    kind: uint256
    amount_usdc_micro: uint256
    valid_before: uint256
    nonce: bytes32


event Released:
    digest: indexed(bytes32)
    amount_usdc_micro: uint256


event Bounded:
    mandate: Mandate


event Allowed:
    payee: indexed(address)
    allowed: bool


event AgentNamed:
    agent: indexed(address)
    epoch: uint256


event Withdrawn:
    receiver: indexed(address)
    amount_usdc_micro: uint256


KIND_TRANSFER: public(constant(uint256)) = 0  # ERC-3009 TransferWithAuthorization: x402 exact
KIND_RECEIVE: public(constant(uint256)) = 1  # ERC-3009 ReceiveWithAuthorization: contracts that are paid, as Credit
KIND_METERED: public(constant(uint256)) = 2  # Permit2 with x402's witness: x402 upto
STEP_S: constant(uint256) = 600
HOUR_STEPS: constant(uint256) = 7  # the step under way and six before it: any hour lies within
LIFE_MAX_S: constant(uint256) = 3600
PAYEES_MAX: constant(uint256) = 32
U96: constant(uint256) = 2**96 - 1
U64: constant(uint256) = 2**64 - 1
YES: constant(bytes4) = 0x1626ba7e
NO: constant(bytes4) = 0xffffffff
CREDIT_RECEIVED: constant(bytes4) = 0xf23a6e61  # ERC-1155
PERMIT2: constant(address) = 0x000000000022D473030F116dDEE9F6B43aC78BA3
UPTO: constant(address) = 0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002
TRANSFER: constant(bytes32) = keccak256(
    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
RECEIVE: constant(bytes32) = keccak256(
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
PERMISSIONS: constant(bytes32) = keccak256("TokenPermissions(address token,uint256 amount)")
WITNESS: constant(bytes32) = keccak256("Witness(address to,address facilitator,uint256 validAfter)")
METERED: constant(bytes32) = keccak256(
    "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,address facilitator,uint256 validAfter)"
)
APPROVAL: constant(bytes32) = keccak256(
    "Approval(uint256 kind,address payee,address facilitator,uint256 amount,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)

name: public(constant(String[16])) = "Penstock Spender"
version: public(constant(String[1])) = "1"
owner: public(immutable(address))
dollar: public(immutable(address))

agent: public(address)
epoch: public(uint256)  # of the agent; what an earlier one authorised is void
mandate: public(Mandate)
payee_allowed: public(HashMap[address, bool])  # the zero address: anybody
committed_usdc_micro: public(uint256)  # authorised and not released
committed_in: HashMap[uint256, uint256]  # step -> authorised in it and not released
# Bits 0-95 amount | 96-159 step | 160-255 epoch + 1
reserved: HashMap[bytes32, uint256]


@deploy
def __init__(
    owner_: address, agent: address, dollar_: address, mandate: Mandate, payees: DynArray[address, PAYEES_MAX]
):
    assert owner_ != empty(address) and dollar_ != empty(address) and owner_ != agent, "spender.parties"
    signed.__init__(keccak256(name), keccak256(version))
    owner = owner_
    dollar = dollar_
    self.agent = agent
    self._bound(mandate)
    for payee: address in payees:
        self._allow(payee, True)


# ---------------------------------------------------------------- the owner


@external
def set_mandate(mandate: Mandate):
    """
    @notice Role: the owner.
            New bounds for what is authorised from now on; what is authorised already counts against them.
    """
    self._only_owner()
    self._bound(mandate)


@external
def allow_payee(payee: address, allowed: bool):
    """
    @notice Role: the owner.
            Allow a payee or no longer; the zero address stands for anybody.
    """
    self._only_owner()
    self._allow(payee, allowed)


@external
def set_agent(agent: address):
    """
    @notice Role: the owner.
            Name another agent. What is authorised and not settled is void at once.
    """
    self._only_owner()
    assert agent != owner, "spender.parties"
    self._name(agent)


@external
def revoke():
    """
    @notice Role: the owner.
            No agent any more: nothing new, and what is authorised and not settled is void at once.
    """
    self._only_owner()
    self._name(empty(address))


@external
def allow_metered(allowed: bool):
    """
    @notice Role: the owner.
            Let Permit2 move this account's dollars, which it does only where this account says yes.
    """
    self._only_owner()
    assert extcall Dollar(dollar).approve(PERMIT2, max_value(uint256) if allowed else 0), "spender.approve"


@external
def withdraw(receiver: address, amount_usdc_micro: uint256):
    """
    @notice Role: the owner.
            Take dollars out, those promised too: then what is authorised fails for want of balance.
    """
    self._only_owner()
    log Withdrawn(receiver=receiver, amount_usdc_micro=amount_usdc_micro)
    assert extcall Dollar(dollar).transfer(receiver, amount_usdc_micro), "spender.transfer"


@external
def withdraw_credits(credit: address, receiver: address, id: uint256, amount: uint256):
    """
    @notice Role: the owner.
            Take credits out.
    """
    self._only_owner()
    extcall Credits(credit).safeTransferFrom(self, receiver, id, amount, b"")


# ---------------------------------------------------------------- the agent


@external
def authorize(payment: Payment, approval: Bytes[wallets.SIGNATURE_MAX]) -> bytes32:
    """
    @notice Role: the agent.
            Take the payment off the budgets and say yes to its message from now on; the hash of that message. Above
            the limit of the mandate `approval` is the owner's signature over the same payment, else it may be empty.
    """
    assert msg.sender == self.agent, "spender.not_agent"
    self._check(payment)
    if payment.amount_usdc_micro > self.mandate.approval_above_usdc_micro:
        wallets.check(owner, signed.digest(self._approval(payment)), approval)
    digest: bytes32 = self._digest(payment)
    assert self.reserved[digest] == 0, "spender.authorized"
    assert not self._used(payment), "spender.used"
    step: uint256 = block.timestamp // STEP_S
    self.committed_usdc_micro += payment.amount_usdc_micro
    self.committed_in[step] += payment.amount_usdc_micro
    self.reserved[digest] = payment.amount_usdc_micro | step << 96 | (self.epoch + 1) << 160
    log Authorized(
        digest=digest,
        payee=payment.payee,
        kind=payment.kind,
        amount_usdc_micro=payment.amount_usdc_micro,
        valid_before=payment.valid_before,
        nonce=payment.nonce,
    )
    return digest


@external
def release(payment: Payment):
    """
    @notice Role: the agent or the owner at any time; anyone once it is no longer valid or void.
            Give back to the budgets what was authorised and not used. The account no longer says yes to it.
    """
    digest: bytes32 = self._digest(payment)
    word: uint256 = self.reserved[digest]
    assert word != 0, "spender.unknown"
    if msg.sender != self.agent and msg.sender != owner and word >> 160 == self.epoch + 1:
        assert block.timestamp >= payment.valid_before, "spender.still_valid"
    assert not self._used(payment), "spender.used"
    amount: uint256 = word & U96
    self.reserved[digest] = 0
    self.committed_usdc_micro -= amount
    self.committed_in[(word >> 96) & U64] -= amount
    log Released(digest=digest, amount_usdc_micro=amount)


@external
def request_credits(credit: address, id: uint256, amount: uint64):
    """
    @notice Role: the agent.
            Ask for the work of credits that this account holds (`Credit.request`).
    """
    self._only_agent_for(credit)
    extcall Credits(credit).request(id, amount)


@external
def redeem_credits(credit: address, id: uint256, amount: uint64, work_root: bytes32):
    """
    @notice Role: the agent.
            Accept work for credits that this account holds (`Credit.redeem`).
    """
    self._only_agent_for(credit)
    extcall Credits(credit).redeem(id, amount, work_root)


# ---------------------------------------------------------------- what others ask


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[wallets.SIGNATURE_MAX]) -> bytes4:
    """
    @notice ERC-1271: yes to what is authorised, by the agent in office, under a mandate in force. The signature is not
            looked at: the authorisation was given here.
    """
    word: uint256 = self.reserved[digest]
    stands: bool = word != 0 and word >> 160 == self.epoch + 1 and block.timestamp < self.mandate.expires_at
    return YES if stands else NO


@external
@view
def digest_of(payment: Payment) -> bytes32:
    """
    @notice The hash of the message of a payment by this account (EIP-712, of its dollar or of Permit2).
    """
    return self._digest(payment)


@external
@view
def approval_of(payment: Payment) -> bytes32:
    """
    @notice What the owner signs to approve a payment (EIP-712, of this account).
    """
    return signed.digest(self._approval(payment))


@external
@view
def left() -> (uint256, uint256):
    """
    @notice What may still be authorised within the hour, and in all [micro-dollars].
    """
    hour: uint256 = self._hour()
    return (
        self._less(self.mandate.per_hour_usdc_micro, hour),
        self._less(self.mandate.total_usdc_micro, self.committed_usdc_micro),
    )


@external
@view
def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    """
    @notice Takes credits of contracts that it may pay.
    """
    assert self._may_pay(msg.sender), "spender.payee"
    return CREDIT_RECEIVED


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice ERC-165, ERC-1271 and the receiver of ERC-1155.
    """
    return interface_id in [0x01ffc9a7, 0x1626ba7e, 0x4e2312e0]


@external
@view
def eip712Domain() -> (bytes1, String[16], String[1], uint256, address, bytes32, DynArray[uint256, 1]):
    extensions: DynArray[uint256, 1] = []
    return 0x0f, name, version, chain.id, self, empty(bytes32), extensions


# ---------------------------------------------------------------- bounds and messages


@internal
@view
def _check(payment: Payment):
    amount: uint256 = payment.amount_usdc_micro
    bounds: Mandate = self.mandate
    assert block.timestamp < bounds.expires_at, "spender.expired"
    assert payment.kind <= KIND_METERED, "spender.kind"
    assert (payment.facilitator != empty(address)) == (payment.kind == KIND_METERED), "spender.facilitator"
    assert self._may_pay(payment.payee), "spender.payee"
    assert block.timestamp < payment.valid_before, "spender.too_late"
    assert payment.valid_before <= block.timestamp + LIFE_MAX_S, "spender.too_long"
    assert amount != 0 and amount <= bounds.per_call_usdc_micro, "spender.per_call"
    assert self._hour() + amount <= bounds.per_hour_usdc_micro, "spender.per_hour"
    assert self.committed_usdc_micro + amount <= bounds.total_usdc_micro, "spender.total"


@internal
@view
def _hour() -> uint256:
    step: uint256 = block.timestamp // STEP_S
    found: uint256 = 0
    for back: uint256 in range(HOUR_STEPS):
        found += self.committed_in[step - back]
    return found


@internal
@view
def _may_pay(payee: address) -> bool:
    if payee == empty(address) or payee == self:
        return False
    return self.payee_allowed[payee] or self.payee_allowed[empty(address)]


@internal
@view
def _used(payment: Payment) -> bool:
    if payment.kind != KIND_METERED:
        return staticcall Dollar(dollar).authorizationState(self, payment.nonce)
    nonce: uint256 = convert(payment.nonce, uint256)
    return (staticcall Permits(PERMIT2).nonceBitmap(self, nonce >> 8) >> (nonce & 255)) & 1 == 1


@internal
@view
def _digest(p: Payment) -> bytes32:
    if p.kind == KIND_METERED:
        permitted: bytes32 = keccak256(abi_encode(PERMISSIONS, dollar, p.amount_usdc_micro))
        witness: bytes32 = keccak256(abi_encode(WITNESS, p.payee, p.facilitator, p.valid_after))
        metered: bytes32 = keccak256(abi_encode(METERED, permitted, UPTO, p.nonce, p.valid_before, witness))
        return keccak256(concat(x"1901", staticcall Permits(PERMIT2).DOMAIN_SEPARATOR(), metered))
    kind: bytes32 = TRANSFER if p.kind == KIND_TRANSFER else RECEIVE
    terms: bytes32 = keccak256(
        abi_encode(kind, self, p.payee, p.amount_usdc_micro, p.valid_after, p.valid_before, p.nonce)
    )
    return keccak256(concat(x"1901", staticcall Dollar(dollar).DOMAIN_SEPARATOR(), terms))


@internal
@pure
def _approval(p: Payment) -> bytes32:
    return keccak256(
        abi_encode(
            APPROVAL, p.kind, p.payee, p.facilitator, p.amount_usdc_micro, p.valid_after, p.valid_before, p.nonce
        )
    )


@internal
def _bound(mandate: Mandate):
    assert mandate.per_call_usdc_micro <= mandate.per_hour_usdc_micro, "spender.mandate"
    assert mandate.per_hour_usdc_micro <= mandate.total_usdc_micro, "spender.mandate"
    assert mandate.total_usdc_micro <= U96, "spender.mandate"
    self.mandate = mandate
    log Bounded(mandate=mandate)


@internal
def _allow(payee: address, allowed: bool):
    self.payee_allowed[payee] = allowed
    log Allowed(payee=payee, allowed=allowed)


@internal
def _name(agent: address):
    self.agent = agent
    self.epoch += 1
    log AgentNamed(agent=agent, epoch=self.epoch)


@internal
@view
def _only_owner():
    assert msg.sender == owner, "spender.not_owner"


@internal
@view
def _only_agent_for(credit: address):
    assert msg.sender == self.agent, "spender.not_agent"
    assert block.timestamp < self.mandate.expires_at, "spender.expired"
    assert self._may_pay(credit), "spender.payee"


@internal
@pure
def _less(most: uint256, taken: uint256) -> uint256:
    return most - taken if taken < most else 0
