# pragma version 0.4.3
"""
@title  Tranche: a permissioned share that pays itself
@notice ERC-20 with ERC-2612 and ERC-7943 (uRWA, fungible interface 0x3edbb4c4). Income comes from one lane of a Deal:
        anyone may `pull` it, and it reaches every holder at once, however many there are; each holder `withdraw`s
        when it likes. Income follows the shares at the moment it is pulled.
@dev    One slot a holder and one for all, so a transfer settles both sides in slots that it writes anyway:
          holder: bits 0-95 balance | 96-247 accumulator at the last settlement | 248-255 flags (1 barred, 2 part frozen,
                  4 cast)
          all:    bits 0-95 supply  | 96-247 accumulator                        | 248-255 flags (1 paused)
        The accumulator is micro-dollars a share times 2^64; what does not divide is carried to the next accrual.
        A settlement rounds down to the micro-dollar; what that leaves (less than one each) stays in the contract.
        Shares whose vote was cast stay put until the vote is over, so that none votes twice. Where force moves them all
        the same they stay put with their receiver, and `cast` leaves them out until then.
"""
from ethereum.ercs import IERC20
from parts import roles
from parts import signed

implements: IERC20
initializes: roles
initializes: signed
exports: (roles.role_holder, roles.role_offer, roles.offer_role)

interface Registry:
    def may_hold(holder: address, classes: uint256) -> bool: view
    def may_send(holder: address) -> bool: view
    def may_transfer(sender: address, receiver: address, classes: uint256) -> bool: view

interface Deal:
    def withdraw(lane: uint256) -> uint256: nonpayable
    def GOVERNOR() -> address: view

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event DealSet:
    deal: indexed(address)
    lane: uint256

event Accrued:
    amount: uint256
    accumulator: uint256

event Withdrawn:
    holder: indexed(address)
    receiver: indexed(address)
    amount: uint256

event Frozen:
    account: indexed(address)
    amount: uint256

event Barred:
    account: indexed(address)
    barred: bool

event Cast:
    holder: indexed(address)
    shares: uint256
    until_s: uint256

event Paused:
    until_s: uint256

event ForcedTransfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

event Recovered:
    lost: indexed(address)
    replacement: indexed(address)
    income: uint256

event ForceProposed:
    id: indexed(bytes32)
    holder: indexed(address)
    receiver: indexed(address)
    amount: uint256
    reason: bytes32
    ready_at_s: uint256

event ForceCancelled:
    id: indexed(bytes32)
    by: indexed(address)

SPONSOR: constant(bytes32) = keccak256("sponsor")
AGENT: constant(bytes32) = keccak256("agent")
TRUSTEE: constant(bytes32) = keccak256("trustee")
GUARDIAN: constant(bytes32) = keccak256("guardian")
PERMIT: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
BALANCE: constant(uint256) = 2**96 - 1
ACCUMULATOR: constant(uint256) = 2**152 - 1
SCALE_BITS: constant(uint256) = 64
BARRED: constant(uint256) = 1 << 248
PART_FROZEN: constant(uint256) = 2 << 248
CAST: constant(uint256) = 4 << 248
PAUSED: constant(uint256) = 1 << 248
FLAGS: constant(uint256) = 255 << 248
WHOLE: constant(uint256) = max_value(uint256)  # the amount that stands for "all, income included" in a proposal
PAUSE_MAX_S: constant(uint256) = 7 * 86_400
CAST_MAX_S: constant(uint256) = 31 * 86_400
UNTIL: constant(uint256) = 2**64 - 1
FORCE_DELAY_MIN_S: constant(uint256) = 3_600
FORCE_VALID_S: constant(uint256) = 30 * 86_400
MANY: constant(uint256) = 200

REGISTRY: immutable(Registry)
DOLLAR: immutable(IERC20)
CLASSES: immutable(uint256)
FORCE_DELAY_S: immutable(uint256)

name: public(String[64])
symbol: public(String[16])
version: public(constant(String[1])) = "1"
decimals: public(constant(uint8)) = 6

total: uint256
slot_of: HashMap[address, uint256]
credit_of: HashMap[address, uint256]
dust: uint256
allowance: public(HashMap[address, HashMap[address, uint256]])
nonces: public(HashMap[address, uint256])
part_frozen: HashMap[address, uint256]
cast_of: HashMap[address, uint256]  # bits 0-63 until [s] | 64-159 shares that stay | 160-255 of them, arrived by force
paused_until_s: public(uint256)
force_ready_at_s: public(HashMap[bytes32, uint256])
lane_of_deal: uint256  # bits 0-95 lane | 96-255 deal


@deploy
def __init__(
    token_name: String[64],
    token_symbol: String[16],
    supply: uint256,
    dollar: address,
    registry: address,
    classes: uint256,
    sponsor: address,
    agent: address,
    trustee: address,
    guardian: address,
    force_delay_s: uint256,
):
    """
    @notice The whole supply goes to the sponsor, who must itself be admitted. `classes` is the bit set of investor
            classes that may hold; `force_delay_s` is the delay of forced transfers, two days by default of the tools.
    """
    assert supply != 0 and supply <= BALANCE, "tranche.supply"
    assert dollar != empty(address) and registry != empty(address), "tranche.zero"
    assert agent != trustee, "tranche.one_signer"
    assert force_delay_s >= FORCE_DELAY_MIN_S, "tranche.delay"
    REGISTRY = Registry(registry)
    DOLLAR = IERC20(dollar)
    CLASSES = classes
    FORCE_DELAY_S = force_delay_s
    self.name = token_name
    self.symbol = token_symbol
    signed.__init__(keccak256(token_name), keccak256(version))
    roles.__init__()
    roles.grant(SPONSOR, sponsor)
    roles.grant(AGENT, agent)
    roles.grant(TRUSTEE, trustee)
    roles.grant(GUARDIAN, guardian)
    assert staticcall Registry(registry).may_hold(sponsor, classes), "tranche.receiver"
    self.total = supply
    self.slot_of[sponsor] = supply
    log Transfer(sender=empty(address), receiver=sponsor, value=supply)


# ------------------------------------------------------------------- reading


@external
@view
def registry() -> address:
    return REGISTRY.address


@external
@view
def dollar() -> address:
    return DOLLAR.address


@external
@view
def classes() -> uint256:
    return CLASSES


@external
@view
def deal() -> address:
    return convert(self.lane_of_deal >> 96, address)


@external
@view
def lane() -> uint256:
    return self.lane_of_deal & BALANCE


@external
@view
def force_delay_s() -> uint256:
    return FORCE_DELAY_S


@external
@view
def totalSupply() -> uint256:
    return self.total & BALANCE


@external
@view
def balanceOf(holder: address) -> uint256:
    return self.slot_of[holder] & BALANCE


@external
@view
def accumulator() -> uint256:
    """
    @notice Micro-dollars a share since the beginning, times 2^64.
    """
    return (self.total >> 96) & ACCUMULATOR


@internal
@view
def _owed(accumulator: uint256, slot: uint256) -> uint256:
    """
    @dev 96 + 152 bits: cannot overflow. The accumulator never falls.
    """
    grown: uint256 = unsafe_sub(accumulator, (slot >> 96) & ACCUMULATOR)
    return unsafe_mul(slot & BALANCE, grown) >> SCALE_BITS


@external
@view
def withdrawable(holder: address) -> uint256:
    """
    @notice Micro-dollars that `withdraw` would pay now.
    """
    return self.credit_of[holder] + self._owed((self.total >> 96) & ACCUMULATOR, self.slot_of[holder])


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice ERC-165 and ERC-7943 (fungible).
    """
    return interface_id in [0x01ffc9a7, 0x3edbb4c4]


@external
@view
def getFrozenTokens(account: address) -> uint256:
    return self.part_frozen[account]


@external
@view
def is_barred(account: address) -> bool:
    return self.slot_of[account] & BARRED != 0


@internal
@view
def _cast(account: address) -> uint256:
    """
    @dev The lock in force, or zero.
    """
    lock: uint256 = self.cast_of[account]
    return lock if block.timestamp < lock & UNTIL else 0


@external
@view
def cast_shares(account: address) -> (uint256, uint256):
    """
    @notice How many shares stay put because their vote was cast, and until when [s]; zeros where none.
    """
    lock: uint256 = self._cast(account)
    return (lock >> 64) & BALANCE, lock & UNTIL


@internal
@view
def _paused() -> bool:
    return self.total & PAUSED != 0 and block.timestamp < self.paused_until_s


@external
@view
def paused() -> bool:
    return self._paused()


@external
@view
def canSend(account: address) -> bool:
    """
    @notice ERC-7943. Not barred here and not frozen in the registry; an expired admission may still sell.
    """
    return self.slot_of[account] & BARRED == 0 and staticcall REGISTRY.may_send(account)


@external
@view
def canReceive(account: address) -> bool:
    """
    @notice ERC-7943.
    """
    return self.slot_of[account] & BARRED == 0 and staticcall REGISTRY.may_hold(account, CLASSES)


@external
@view
def canTransfer(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice ERC-7943. The rules only; a balance too small is not its subject, but frozen and cast shares are.
    """
    if self._paused() or (self.slot_of[sender] | self.slot_of[receiver]) & BARRED != 0:
        return False
    held: uint256 = self.slot_of[sender] & BALANCE
    if amount <= held and max(self.part_frozen[sender], (self._cast(sender) >> 64) & BALANCE) > held - amount:
        return False
    return staticcall REGISTRY.may_transfer(sender, receiver, CLASSES)


# ----------------------------------------------------------------- transfers


@internal
def _settled(holder: address, total: uint256, slot: uint256) -> uint256:
    """
    @dev Credits what the slot earned and returns it moved to the newest accumulator, flags kept.
    """
    fresh: uint256 = total & (ACCUMULATOR << 96)
    if slot & (ACCUMULATOR << 96) != fresh:
        earned: uint256 = self._owed(fresh >> 96, slot)
        if earned != 0:
            self.credit_of[holder] += earned
    return (slot & (BALANCE | FLAGS)) | fresh


@internal
def _sending(sender: address) -> uint256:
    """
    @dev The sender's slot; a vote that is over takes its flag down here, where the slot is written anyway.
    """
    slot: uint256 = self.slot_of[sender]
    if slot & CAST != 0 and block.timestamp >= self.cast_of[sender] & UNTIL:
        self.cast_of[sender] = 0
        return slot ^ CAST
    return slot


@internal
@view
def _check_flags(total: uint256, sender: address, from_slot: uint256, to_slot: uint256, amount: uint256):
    """
    @dev The slow path: some flag is up. `amount` is within the balance.
    """
    assert total & PAUSED == 0 or block.timestamp >= self.paused_until_s, "tranche.paused"
    assert (from_slot | to_slot) & BARRED == 0, "tranche.barred"
    if from_slot & PART_FROZEN != 0:
        assert self.part_frozen[sender] <= unsafe_sub(from_slot & BALANCE, amount), "tranche.frozen"
    if from_slot & CAST != 0:
        assert (self.cast_of[sender] >> 64) & BALANCE <= unsafe_sub(from_slot & BALANCE, amount), "tranche.cast"


@internal
def _debit(sender: address, slot: uint256, amount: uint256, total: uint256):
    assert slot & BALANCE >= amount, "tranche.balance"
    self.slot_of[sender] = unsafe_sub(self._settled(sender, total, slot), amount)


@internal
def _credit(receiver: address, slot: uint256, amount: uint256, total: uint256):
    self.slot_of[receiver] = unsafe_add(self._settled(receiver, total, slot), amount)  # <= supply


@internal
def _transfer(sender: address, receiver: address, amount: uint256):
    """
    @dev The receiver's slot is read after the sender's is written, so a transfer to oneself changes nothing.
    """
    assert staticcall REGISTRY.may_transfer(sender, receiver, CLASSES), "tranche.registry"
    total: uint256 = self.total
    from_slot: uint256 = self._sending(sender)
    self._debit(sender, from_slot, amount, total)
    to_slot: uint256 = self.slot_of[receiver]
    if (total | from_slot | to_slot) & FLAGS != 0:
        self._check_flags(total, sender, from_slot, to_slot, amount)
    self._credit(receiver, to_slot, amount, total)
    log Transfer(sender=sender, receiver=receiver, value=amount)


@internal
def _approve(owner: address, spender: address, amount: uint256):
    assert spender != empty(address), "tranche.zero"
    self.allowance[owner][spender] = amount
    log Approval(owner=owner, spender=spender, value=amount)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Role: the holder.
    """
    self._transfer(msg.sender, receiver, amount)
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
        assert allowed >= amount, "tranche.allowance"
        self.allowance[sender][msg.sender] = unsafe_sub(allowed, amount)
    self._transfer(sender, receiver, amount)
    return True


@external
def transfer_many(receivers: DynArray[address, MANY], amounts: DynArray[uint256, MANY]) -> bool:
    """
    @notice Role: the holder. Primary distribution: all or none, each receiver under the same rules as `transfer`.
    """
    assert len(receivers) == len(amounts), "tranche.lengths"
    total: uint256 = self.total
    from_slot: uint256 = self._sending(msg.sender)
    amount: uint256 = 0
    for part: uint256 in amounts:
        amount += part
    self._debit(msg.sender, from_slot, amount, total)
    for i: uint256 in range(len(receivers), bound=MANY):
        receiver: address = receivers[i]
        assert staticcall REGISTRY.may_transfer(msg.sender, receiver, CLASSES), "tranche.registry"
        to_slot: uint256 = self.slot_of[receiver]
        if (total | from_slot | to_slot) & FLAGS != 0:
            self._check_flags(total, msg.sender, from_slot, to_slot, amount)
        self._credit(receiver, to_slot, amounts[i], total)
        log Transfer(sender=msg.sender, receiver=receiver, value=amounts[i])
    return True


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    return signed.domain()


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Role: anyone who brings the owner's signature (ERC-2612).
    """
    assert block.timestamp <= deadline, "tranche.expired"
    nonce: uint256 = self.nonces[owner]
    self.nonces[owner] = unsafe_add(nonce, 1)
    signed.check(owner, keccak256(abi_encode(PERMIT, owner, spender, amount, nonce, deadline)), v, r, s)
    self._approve(owner, spender, amount)


@external
@view
def eip712Domain() -> (bytes1, String[64], String[1], uint256, address, bytes32, DynArray[uint256, 1]):
    extensions: DynArray[uint256, 1] = []
    return 0x0f, self.name, version, chain.id, self, empty(bytes32), extensions


# -------------------------------------------------------------------- income


@external
def set_deal(deal: address, lane: uint256):
    """
    @notice Role: sponsor, once. A tranche is deployed before its deal and then belongs to it for good.
    """
    roles.only(SPONSOR)
    assert self.lane_of_deal == 0, "tranche.deal_set"
    assert deal != empty(address) and lane <= BALANCE, "tranche.deal"
    self.lane_of_deal = (convert(deal, uint256) << 96) | lane
    log DealSet(deal=deal, lane=lane)


@external
@nonreentrant
def pull() -> uint256:
    """
    @notice Role: anyone. Takes the lane's unpaid dollars and shares them over all shares; returns the dollars.
    @dev Only what really arrived counts, whatever the deal says. The lock keeps a deal from counting one
         arrival twice by calling back.
    """
    packed: uint256 = self.lane_of_deal
    assert packed != 0, "tranche.no_deal"
    before: uint256 = staticcall DOLLAR.balanceOf(self)
    extcall Deal(convert(packed >> 96, address)).withdraw(packed & BALANCE)
    received: uint256 = staticcall DOLLAR.balanceOf(self) - before
    if received != 0:
        self._accrue(received)
    return received


@internal
def _accrue(received: uint256):
    assert received <= ACCUMULATOR, "tranche.overflow"
    total: uint256 = self.total
    supply: uint256 = total & BALANCE
    scaled: uint256 = (received << SCALE_BITS) + self.dust
    accumulator: uint256 = ((total >> 96) & ACCUMULATOR) + scaled // supply
    assert accumulator <= ACCUMULATOR, "tranche.overflow"
    self.dust = scaled % supply
    self.total = (total & (BALANCE | FLAGS)) | (accumulator << 96)
    log Accrued(amount=received, accumulator=accumulator)


@internal
def _take(holder: address, slot: uint256) -> uint256:
    """
    @dev What the holder is owed, set to zero.
    """
    fresh: uint256 = self.total & (ACCUMULATOR << 96)
    amount: uint256 = self.credit_of[holder]
    if amount != 0:
        self.credit_of[holder] = 0
    if slot & (ACCUMULATOR << 96) != fresh:
        amount += self._owed(fresh >> 96, slot)
        self.slot_of[holder] = (slot & (BALANCE | FLAGS)) | fresh
    return amount


@internal
def _pay(holder: address, receiver: address, slot: uint256) -> uint256:
    amount: uint256 = self._take(holder, slot)
    if amount != 0:
        log Withdrawn(holder=holder, receiver=receiver, amount=amount)
        assert extcall DOLLAR.transfer(receiver, amount, default_return_value=True), "tranche.dollar"
    return amount


@external
@nonreentrant
def withdraw(receiver: address = msg.sender) -> uint256:
    """
    @notice Role: the holder. No pause and no expiry stops it; a bar by the agent does, and income waits.
    """
    slot: uint256 = self.slot_of[msg.sender]
    assert slot & BARRED == 0, "tranche.barred"
    return self._pay(msg.sender, receiver, slot)


@external
@nonreentrant
def pay_many(holders: DynArray[address, MANY]) -> uint256:
    """
    @notice Role: anyone. Sends each its own income; passes over who is barred. Returns the dollars sent.
    """
    paid: uint256 = 0
    for holder: address in holders:
        slot: uint256 = self.slot_of[holder]
        if slot & BARRED == 0:
            paid += self._pay(holder, holder, slot)
    return paid


# --------------------------------------------------------------------- votes


@external
def cast(holder: address, until_s: uint256) -> uint256:
    """
    @notice Role: the deal's governor, when the holder votes. All shares of the holder stay put until then; income,
            withdrawals, forced transfers and recovery go on. Returns the shares that count.
    @dev    Who is barred, or frozen in the registry, casts nothing: every share counts in what a vote needs, so this
            can stop a change, never make one - and a thief has the key too.
    """
    packed: uint256 = self.lane_of_deal
    assert packed != 0, "tranche.no_deal"
    assert msg.sender == staticcall Deal(convert(packed >> 96, address)).GOVERNOR(), "tranche.not_governor"
    assert until_s > block.timestamp and until_s <= block.timestamp + CAST_MAX_S, "tranche.cast_time"
    slot: uint256 = self.slot_of[holder]
    assert slot & BARRED == 0, "tranche.barred"
    assert staticcall REGISTRY.may_send(holder), "tranche.registry"
    held: uint256 = slot & BALANCE
    lock: uint256 = self._cast(holder)
    self._keep(holder, max(until_s, lock & UNTIL), held, lock >> 160)
    return unsafe_sub(held, lock >> 160)


@internal
def _keep(account: address, until_s: uint256, shares: uint256, arrived: uint256):
    """
    @dev arrived <= shares <= balance, while the lock is in force.
    """
    self.cast_of[account] = until_s | (shares << 64) | (arrived << 160)
    self.slot_of[account] |= CAST
    log Cast(holder=account, shares=shares, until_s=until_s)


@internal
def _follow(holder: address, receiver: address, amount: uint256):
    """
    @dev Before a forced move: shares that are free go first; what was cast stays cast with the receiver.
    """
    lock: uint256 = self._cast(holder)
    left: uint256 = (self.slot_of[holder] & BALANCE) - amount
    cast: uint256 = (lock >> 64) & BALANCE
    if cast <= left:
        return
    moved: uint256 = unsafe_sub(cast, left)
    own: uint256 = self._cast(receiver)
    self._keep(holder, lock & UNTIL, left, min(lock >> 160, left))
    self._keep(
        receiver, max(lock & UNTIL, own & UNTIL), ((own >> 64) & BALANCE) + moved, (own >> 160) + moved
    )


# ------------------------------------------------------------ freeze and pause


@external
def setFrozenTokens(account: address, amount: uint256) -> bool:
    """
    @notice Role: agent (ERC-7943). That many shares of the account stay put; may exceed what it holds.
    """
    roles.only(AGENT)
    self._set_frozen(account, amount)
    return True


@internal
def _set_frozen(account: address, amount: uint256):
    self.part_frozen[account] = amount
    slot: uint256 = self.slot_of[account] & ~PART_FROZEN
    self.slot_of[account] = slot | PART_FROZEN if amount != 0 else slot
    log Frozen(account=account, amount=amount)


@external
def set_barred(account: address, barred: bool):
    """
    @notice Role: agent. A barred account neither sends, receives nor withdraws; its income keeps accruing.
    """
    roles.only(AGENT)
    slot: uint256 = self.slot_of[account] & ~BARRED
    self.slot_of[account] = slot | BARRED if barred else slot
    log Barred(account=account, barred=barred)


@external
def pause():
    """
    @notice Role: guardian. Stops transfers for seven days at most, never withdrawals, income or recovery; the next
            pause needs seven days without one.
    """
    roles.only(GUARDIAN)
    assert block.timestamp >= self.paused_until_s + PAUSE_MAX_S, "tranche.paused_lately"
    self.paused_until_s = block.timestamp + PAUSE_MAX_S
    self.total |= PAUSED
    log Paused(until_s=block.timestamp + PAUSE_MAX_S)


@external
def unpause():
    """
    @notice Role: guardian; anyone once the seven days are over.
    """
    assert self.total & PAUSED != 0, "tranche.not_paused"
    if block.timestamp < self.paused_until_s:
        roles.only(GUARDIAN)
        self.paused_until_s = block.timestamp
    self.total &= ~PAUSED
    log Paused(until_s=self.paused_until_s)


# ------------------------------------------------ forced transfer and recovery


@internal
@pure
def _force_id(holder: address, receiver: address, amount: uint256) -> bytes32:
    return keccak256(abi_encode(holder, receiver, amount))


@external
def propose_force(holder: address, receiver: address, amount: uint256, reason: bytes32):
    """
    @notice Role: agent. Starts the delay of a forced transfer, or with `amount` 2^256-1 of a recovery: everything the
            holder has, income included. `reason` is the digest of the document that orders it.
    """
    roles.only(AGENT)
    assert reason != empty(bytes32), "tranche.no_reason"
    assert holder != receiver, "tranche.same"
    id: bytes32 = self._force_id(holder, receiver, amount)
    assert block.timestamp >= self.force_ready_at_s[id] + FORCE_VALID_S, "tranche.proposed"
    ready_at_s: uint256 = block.timestamp + FORCE_DELAY_S
    self.force_ready_at_s[id] = ready_at_s
    log ForceProposed(
        id=id, holder=holder, receiver=receiver, amount=amount, reason=reason, ready_at_s=ready_at_s
    )


@external
def cancel_force(holder: address, receiver: address, amount: uint256):
    """
    @notice Role: agent or trustee; against a recovery also the holder, which proves that its key is not lost -
            unless barred, for a thief has the key too.
    """
    id: bytes32 = self._force_id(holder, receiver, amount)
    assert self.force_ready_at_s[id] != 0, "tranche.not_proposed"
    if msg.sender != holder or amount != WHOLE or self.slot_of[holder] & BARRED != 0:
        assert msg.sender in [roles.role_holder[AGENT], roles.role_holder[TRUSTEE]], "roles.not_holder"
    self.force_ready_at_s[id] = 0
    log ForceCancelled(id=id, by=msg.sender)


@internal
def _confirm(holder: address, receiver: address, amount: uint256):
    """
    @dev The second signer, after the delay and within the thirty days that follow it.
    """
    roles.only(TRUSTEE)
    id: bytes32 = self._force_id(holder, receiver, amount)
    ready_at_s: uint256 = self.force_ready_at_s[id]
    assert ready_at_s != 0, "tranche.not_proposed"
    assert block.timestamp >= ready_at_s, "tranche.too_early"
    assert block.timestamp < ready_at_s + FORCE_VALID_S, "tranche.too_late"
    assert self.slot_of[receiver] & BARRED == 0, "tranche.barred"
    assert staticcall REGISTRY.may_hold(receiver, CLASSES), "tranche.registry"
    self.force_ready_at_s[id] = 0


@internal
def _force(holder: address, receiver: address, amount: uint256):
    self._follow(holder, receiver, amount)
    total: uint256 = self.total
    self._debit(holder, self.slot_of[holder], amount, total)
    self._credit(receiver, self.slot_of[receiver], amount, total)
    log Transfer(sender=holder, receiver=receiver, value=amount)
    log ForcedTransfer(sender=holder, receiver=receiver, amount=amount)


@external
def forcedTransfer(holder: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Role: trustee (ERC-7943), on what the agent proposed. Goes through bars, freezes and pauses of the holder;
            the receiver must be admitted. Income earned so far stays with the holder.
    """
    self._confirm(holder, receiver, amount)
    held: uint256 = self.slot_of[holder] & BALANCE
    assert held >= amount, "tranche.balance"
    if self.part_frozen[holder] > held - amount:
        self._set_frozen(holder, held - amount)
    self._force(holder, receiver, amount)
    return True


@external
def recover(lost: address, replacement: address) -> bool:
    """
    @notice Role: trustee, on what the agent proposed. Shares, income and frozen amounts follow to the new key.
    """
    self._confirm(lost, replacement, WHOLE)
    frozen: uint256 = self.part_frozen[lost]
    if frozen != 0:
        self._set_frozen(lost, 0)
        own: uint256 = self.part_frozen[replacement]
        self._set_frozen(replacement, own + min(frozen, unsafe_sub(WHOLE, own)))
    self._force(lost, replacement, self.slot_of[lost] & BALANCE)
    income: uint256 = self.credit_of[lost]
    self.credit_of[lost] = 0
    self.credit_of[replacement] += income
    log Recovered(lost=lost, replacement=replacement, income=income)
    return True


@external
def accept_role(role: bytes32):
    """
    @notice Role: whom the role was offered to. Agent and trustee stay two signers.
    """
    roles.take(role)
    assert roles.role_holder[AGENT] != roles.role_holder[TRUSTEE], "tranche.one_signer"
