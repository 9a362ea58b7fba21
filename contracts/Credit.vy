# pragma version 0.4.3
"""
@title  Credit: claims on compute, sold only against capacity and collateral
@notice ERC-1155. An id is a class: the hash of provider, SKU, unit and units a credit, price, collateral a credit,
        expiry, grace and the deal that earns the revenue, so none of these can change. A buyer's dollars wait here until the
        work is delivered: redeeming burns credits and sends their price to the deal.
        Who asks for its work on chain (`request`) and does not get it within the grace is refunded price and
        collateral. Who never asks gets its price back after expiry, so that waiting earns nothing. A provider without
        a receipt may state the root of its signed work (`deliver`), which stands after another grace, unless attesters
        find the provider false: their report on the class's fault subject closes it (`slash`), and every credit
        outstanding is refunded with its collateral.
@dev    Laws: outstanding <= capacity; outstanding * collateral a credit <= collateral posted; what a holder asked for
        <= what it holds;
        dollars held >= sum over classes of (outstanding * price + collateral), equal unless someone gives some away.
        A slash pays each credit its own collateral, not a share of all that is posted: else a provider could buy its
        own credits to win its collateral back from the others.
"""
from ethereum.ercs import IERC165
from parts import signed
from parts import wallets

implements: IERC165
initializes: signed


interface Dollar:
    def balanceOf(holder: address) -> uint256: view
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable
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
    ): nonpayable


interface Anchor:
    def report(subject: address) -> uint256: view


interface Receiver:
    def onERC1155Received(
        operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[DATA_MAX]
    ) -> bytes4: nonpayable
    def onERC1155BatchReceived(
        operator: address,
        sender: address,
        ids: DynArray[uint256, BATCH_MAX],
        amounts: DynArray[uint256, BATCH_MAX],
        data: Bytes[DATA_MAX],
    ) -> bytes4: nonpayable


struct Terms:
    provider: address
    deal: address  # where revenue goes
    sku: bytes32
    unit: uint8  # 0 tokens, 1 accelerator-milliseconds, 2 requests
    units_per_credit: uint64
    price_usdc_micro: uint64  # a credit
    collateral_usdc_micro: uint64  # a credit
    expiry: uint64  # [s]
    grace: uint64  # [s] from a request to its delivery, and from a stated delivery to its payment


struct Signature:
    v: uint8
    r: bytes32
    s: bytes32


event TransferSingle:
    operator: indexed(address)
    sender: indexed(address)
    receiver: indexed(address)
    id: uint256
    amount: uint256


event TransferBatch:
    operator: indexed(address)
    sender: indexed(address)
    receiver: indexed(address)
    ids: DynArray[uint256, BATCH_MAX]
    amounts: DynArray[uint256, BATCH_MAX]


event ApprovalForAll:
    holder: indexed(address)
    operator: indexed(address)
    approved: bool


event Opened:
    id: indexed(uint256)
    provider: indexed(address)
    deal: indexed(address)
    terms: Terms


event Backed:
    id: indexed(uint256)
    capacity: uint256
    collateral_usdc_micro: uint256


event Requested:
    id: indexed(uint256)
    holder: indexed(address)
    amount: uint256
    due: uint256


event Delivered:
    id: indexed(uint256)
    holder: indexed(address)
    amount: uint256
    work_root: bytes32
    stands_from: uint256


event Slashed:
    id: indexed(uint256)
    failures: uint256
    outstanding: uint256


event Redeemed:
    id: indexed(uint256)
    holder: indexed(address)
    amount: uint256
    work_root: bytes32
    paid_usdc_micro: uint256


event Refunded:
    id: indexed(uint256)
    holder: indexed(address)
    amount: uint256
    paid_usdc_micro: uint256


BATCH_MAX: constant(uint256) = 64
DATA_MAX: constant(uint256) = 1024
U64: constant(uint256) = 2**64 - 1
RECEIVED: constant(bytes4) = 0xf23a6e61
BATCH_RECEIVED: constant(bytes4) = 0xbc197c81
U56: constant(uint256) = 2**56 - 1
U40: constant(uint256) = 2**40 - 1
U24: constant(uint256) = 2**24 - 1
UNITS: constant(uint8) = 3
FAULT: constant(bytes32) = keccak256("penstock credit fault")
RECEIPT_TYPE: constant(bytes32) = keccak256(
    "Receipt(uint256 id,address holder,uint256 amount,bytes32 work_root,bytes32 salt)"
)

name: public(constant(String[15])) = "Penstock Credit"
version: public(constant(String[1])) = "2"
dollar: public(immutable(address))
anchor: public(immutable(address))

uri_template: String[128]
balances: HashMap[uint256, HashMap[address, uint256]]
isApprovedForAll: public(HashMap[address, HashMap[address, bool]])

provider_of: public(HashMap[uint256, address])
deal_of: public(HashMap[uint256, address])
sku_of: public(HashMap[uint256, bytes32])
# Bits 0-63 price | 64-127 collateral | 128-183 units, each a credit | 184-191 unit | 192-231 expiry | 232-255 grace
terms: HashMap[uint256, uint256]
# Bits 0-63 capacity | 64-127 outstanding | 128-255 collateral posted. One slot: every sale reads and writes it
stock: HashMap[uint256, uint256]
receipt_used: public(HashMap[bytes32, bool])
slashed: public(HashMap[uint256, bool])
# One a class and holder. Bits 0-63 amount | 64-127 due; once delivered, from when the delivery stands
asked: HashMap[uint256, HashMap[address, uint256]]
work_of: public(HashMap[uint256, HashMap[address, bytes32]])  # stated as delivered and not yet paid


@deploy
def __init__(dollar_: address, anchor_: address, uri_: String[128]):
    assert dollar_ != empty(address) and anchor_ != empty(address), "credit.zero"
    signed.__init__(keccak256(name), keccak256(version))
    dollar = dollar_
    anchor = anchor_
    self.uri_template = uri_


# ---------------------------------------------------------------- the provider


@external
@nonreentrant
def open(t: Terms, capacity: uint64, posted_usdc_micro: uint64) -> uint256:
    """
    @notice Role: anyone, who becomes the class's provider.
            Register a class with its capacity and pull its first collateral (by allowance).
    """
    assert t.provider == msg.sender, "credit.not_provider"
    assert t.unit < UNITS and t.units_per_credit != 0 and convert(t.units_per_credit, uint256) <= U56, "credit.terms"
    assert t.price_usdc_micro != 0 and t.collateral_usdc_micro != 0, "credit.terms"
    assert t.grace != 0 and convert(t.grace, uint256) <= U24 and convert(t.expiry, uint256) <= U40, "credit.terms"
    assert t.deal != empty(address) and t.deal != self, "credit.deal"
    assert convert(t.expiry, uint256) > block.timestamp, "credit.expired"
    id: uint256 = self._id(t)
    assert self.provider_of[id] == empty(address), "credit.open"
    self.provider_of[id] = msg.sender
    self.deal_of[id] = t.deal
    self.sku_of[id] = t.sku
    self.terms[id] = (
        convert(t.price_usdc_micro, uint256)
        | convert(t.collateral_usdc_micro, uint256) << 64
        | convert(t.units_per_credit, uint256) << 128
        | convert(t.unit, uint256) << 184
        | convert(t.expiry, uint256) << 192
        | convert(t.grace, uint256) << 232
    )
    log Opened(id=id, provider=msg.sender, deal=t.deal, terms=t)
    self._keep(id, convert(capacity, uint256), 0, convert(posted_usdc_micro, uint256))
    self._pull(convert(posted_usdc_micro, uint256))
    return id


@external
@nonreentrant
def post(id: uint256, amount_usdc_micro: uint64):
    """
    @notice Role: the class's provider.
            Add collateral (by allowance).
    """
    self._only_provider(id)
    capacity: uint256 = 0
    outstanding: uint256 = 0
    collateral: uint256 = 0
    capacity, outstanding, collateral = self._stock(id)
    self._keep(id, capacity, outstanding, collateral + convert(amount_usdc_micro, uint256))
    self._pull(convert(amount_usdc_micro, uint256))


@external
@nonreentrant
def reclaim(id: uint256, amount_usdc_micro: uint64):
    """
    @notice Role: the class's provider.
            Take back collateral that no outstanding credit requires.
    """
    self._only_provider(id)
    capacity: uint256 = 0
    outstanding: uint256 = 0
    collateral: uint256 = 0
    capacity, outstanding, collateral = self._stock(id)
    amount: uint256 = convert(amount_usdc_micro, uint256)
    assert collateral >= amount + outstanding * self._collateral_each(self.terms[id]), "credit.collateral"
    self._keep(id, capacity, outstanding, collateral - amount)
    self._pay(msg.sender, amount)


@external
def lower_capacity(id: uint256, capacity: uint64):
    """
    @notice Role: the class's provider.
            Withdraw capacity that no outstanding credit uses; it never rises again.
    """
    self._only_provider(id)
    before: uint256 = 0
    outstanding: uint256 = 0
    collateral: uint256 = 0
    before, outstanding, collateral = self._stock(id)
    after: uint256 = convert(capacity, uint256)
    assert after < before and after >= outstanding, "credit.capacity"
    self._keep(id, after, outstanding, collateral)


# ---------------------------------------------------------------- buy, ask, redeem


@external
@nonreentrant
def buy(
    id: uint256,
    amount: uint64,
    buyer: address,
    valid_after: uint256,
    valid_before: uint256,
    salt: bytes32,
    signature: Signature,
):
    """
    @notice Role: anyone who brings the buyer's ERC-3009 authorisation (ReceiveWithAuthorization to this contract).
            Its nonce is keccak256(abi.encode(id, amount, salt)): a payment buys what it was signed for, or nothing.
    """
    bought: uint256 = convert(amount, uint256)
    terms: uint256 = self._live(id, bought)
    assert block.timestamp < self._expiry(terms), "credit.expired"
    capacity: uint256 = 0
    outstanding: uint256 = 0
    collateral: uint256 = 0
    capacity, outstanding, collateral = self._stock(id)
    outstanding += bought
    assert outstanding <= capacity, "credit.capacity"
    assert outstanding * self._collateral_each(terms) <= collateral, "credit.collateral"
    self._set_stock(id, capacity, outstanding, collateral)
    self.balances[id][buyer] += bought
    log TransferSingle(operator=msg.sender, sender=empty(address), receiver=buyer, id=id, amount=bought)

    cost: uint256 = bought * self._price(terms)
    held: uint256 = staticcall Dollar(dollar).balanceOf(self)
    extcall Dollar(dollar).receiveWithAuthorization(
        buyer,
        self,
        cost,
        valid_after,
        valid_before,
        keccak256(abi_encode(id, bought, salt)),
        signature.v,
        signature.r,
        signature.s,
    )
    assert staticcall Dollar(dollar).balanceOf(self) == held + cost, "credit.paid"
    self._call_receiver(msg.sender, empty(address), buyer, id, bought, b"")


@external
def request(id: uint256, amount: uint64):
    """
    @notice Role: the holder.
            Ask for the work: the provider has the grace of the class to deliver it. One request a class and holder at a
            time; what is asked for stays put meanwhile.
    """
    wanted: uint256 = convert(amount, uint256)
    terms: uint256 = self._live(id, wanted)
    assert block.timestamp < self._expiry(terms), "credit.expired"
    assert self.asked[id][msg.sender] == 0, "credit.requested"
    assert self.balances[id][msg.sender] >= wanted, "credit.balance"
    due: uint256 = block.timestamp + (terms >> 232)
    self.asked[id][msg.sender] = wanted | due << 64
    log Requested(id=id, holder=msg.sender, amount=wanted, due=due)


@external
def deliver(id: uint256, holder: address, work_root: bytes32):
    """
    @notice Role: the class's provider.
            State the root of signed work that answers the holder's request, within the grace. It is paid for after
            another grace (`settle`), in which attesters may find it false.
    """
    self._only_provider(id)
    assert not self.slashed[id], "credit.closed"
    word: uint256 = self.asked[id][holder]
    assert word != 0, "credit.not_requested"
    assert work_root != empty(bytes32), "credit.work"
    assert self.work_of[id][holder] == empty(bytes32), "credit.delivered"
    assert block.timestamp < word >> 64, "credit.late"
    stands_from: uint256 = block.timestamp + (self.terms[id] >> 232)
    self.asked[id][holder] = (word & U64) | stands_from << 64
    self.work_of[id][holder] = work_root
    log Delivered(id=id, holder=holder, amount=word & U64, work_root=work_root, stands_from=stands_from)


@external
@nonreentrant
def settle(id: uint256, holder: address):
    """
    @notice Role: anyone; the dollars go to the deal.
            Pay for a delivery that stood its grace.
    """
    work_root: bytes32 = self.work_of[id][holder]
    assert work_root != empty(bytes32), "credit.not_delivered"
    word: uint256 = self.asked[id][holder]
    assert block.timestamp >= word >> 64, "credit.not_due"
    self._redeem(id, holder, word & U64, work_root)


@external
@nonreentrant
def redeem(id: uint256, amount: uint64, work_root: bytes32):
    """
    @notice Role: the holder.
            Accept work delivered: burn the credits and pay their price to the deal. Those asked for go first.
    """
    self._redeem(id, msg.sender, convert(amount, uint256), work_root)


@external
@nonreentrant
def redeem_signed(
    id: uint256, amount: uint64, holder: address, work_root: bytes32, salt: bytes32, signature: Signature
):
    """
    @notice Role: the class's provider, with the holder's signed receipt; a contract that holds credits says yes itself
            (ERC-1271). A receipt works once.
    """
    self._only_provider(id)
    spent: uint256 = convert(amount, uint256)
    receipt: bytes32 = keccak256(abi_encode(RECEIPT_TYPE, id, holder, spent, work_root, salt))
    wallets.check_parts(holder, signed.digest(receipt), signature.v, signature.r, signature.s)
    assert not self.receipt_used[receipt], "credit.used"
    self.receipt_used[receipt] = True
    self._redeem(id, holder, spent, work_root)


@internal
def _redeem(id: uint256, holder: address, amount: uint256, work_root: bytes32):
    terms: uint256 = self._live(id, amount)
    asked: uint256 = self.asked[id][holder]
    # What was asked for before expiry is delivered after it, if need be
    assert block.timestamp < self._expiry(terms) or amount <= (asked & U64), "credit.expired"
    if asked != 0:
        self._answer(id, holder, asked, amount)
    paid: uint256 = amount * self._price(terms)
    self._burn(id, holder, amount, 0)
    log Redeemed(id=id, holder=holder, amount=amount, work_root=work_root, paid_usdc_micro=paid)
    self._pay(self.deal_of[id], paid)


@internal
def _answer(id: uint256, holder: address, asked: uint256, amount: uint256):
    if amount >= (asked & U64):
        self.asked[id][holder] = 0
        self.work_of[id][holder] = empty(bytes32)
    else:
        self.asked[id][holder] = asked - amount


# ---------------------------------------------------------------- refunds


@external
@nonreentrant
def refund(holder: address, id: uint256):
    """
    @notice Role: anyone; the dollars go to the holder.
            What was asked for and not delivered within the grace: its price and its collateral. What nobody asked for
            until expiry: its price. In a closed class everything: price and collateral.
    """
    terms: uint256 = self.terms[id]
    assert terms != 0, "credit.class"
    held: uint256 = self.balances[id][holder]
    assert held != 0, "credit.balance"
    asked: uint256 = self.asked[id][holder]
    failed: uint256 = 0
    unasked: uint256 = 0
    if self.slashed[id]:
        failed = held
    else:
        if asked != 0 and block.timestamp >= asked >> 64 and self.work_of[id][holder] == empty(bytes32):
            failed = asked & U64
        if block.timestamp >= self._expiry(terms):
            unasked = held - (asked & U64)
    amount: uint256 = failed + unasked
    assert amount != 0, "credit.not_due"
    if failed != 0:
        self.asked[id][holder] = 0
        self.work_of[id][holder] = empty(bytes32)
    compensation: uint256 = failed * self._collateral_each(terms)
    paid: uint256 = amount * self._price(terms) + compensation
    self._burn(id, holder, amount, compensation)
    log Refunded(id=id, holder=holder, amount=amount, paid_usdc_micro=paid)
    self._pay(holder, paid)


@external
def slash(id: uint256):
    """
    @notice Role: anyone, once a quorum of attesters found failures.
            Close the class: nothing is bought, asked for or redeemed any more, and `refund` pays every credit outstanding
            its price and its collateral. Reads the report of `fault_subject(id)` at the anchor: its first measure is
            the number of failures proved [rows or requests], above 0; its expiry must lie ahead. The operator of the
            anchor registers that subject with the class's provider as sponsor.
    """
    assert self.terms[id] != 0, "credit.class"
    assert not self.slashed[id], "credit.closed"
    word: uint256 = staticcall Anchor(anchor).report(self._fault_subject(id))
    failures: uint256 = word & U64
    assert failures != 0 and failures < 2**63 and word >> 224 > block.timestamp, "credit.no_verdict"
    self.slashed[id] = True
    log Slashed(id=id, failures=failures, outstanding=(self.stock[id] >> 64) & U64)


@internal
def _burn(id: uint256, holder: address, amount: uint256, collateral_paid: uint256):
    held: uint256 = self.balances[id][holder]
    assert held >= amount, "credit.balance"
    self.balances[id][holder] = held - amount
    capacity: uint256 = 0
    outstanding: uint256 = 0
    collateral: uint256 = 0
    capacity, outstanding, collateral = self._stock(id)
    self._set_stock(id, capacity, outstanding - amount, collateral - collateral_paid)
    log TransferSingle(operator=msg.sender, sender=holder, receiver=empty(address), id=id, amount=amount)


# ---------------------------------------------------------------- views


@external
@view
def terms_of(id: uint256) -> Terms:
    """
    @notice The terms that hash to `id`; zeros when there is no such class.
    """
    terms: uint256 = self.terms[id]
    return Terms(
        provider=self.provider_of[id],
        deal=self.deal_of[id],
        sku=self.sku_of[id],
        unit=convert((terms >> 184) & 255, uint8),
        units_per_credit=convert((terms >> 128) & U56, uint64),
        price_usdc_micro=convert(self._price(terms), uint64),
        collateral_usdc_micro=convert(self._collateral_each(terms), uint64),
        expiry=convert(self._expiry(terms), uint64),
        grace=convert(terms >> 232, uint64),
    )


@external
@view
def stock_of(id: uint256) -> (uint256, uint256, uint256):
    """
    @notice Capacity [credits], outstanding [credits], collateral posted [micro-dollars].
    """
    return self._stock(id)


@external
@view
def request_of(id: uint256, holder: address) -> (uint256, uint256, bytes32):
    """
    @notice Credits asked for, when they are due (once delivered: from when that stands) [s], root of the work stated.
    """
    word: uint256 = self.asked[id][holder]
    return word & U64, word >> 64, self.work_of[id][holder]


@external
@view
def fault_subject(id: uint256) -> address:
    """
    @notice The subject under which attesters report on the class: the last 20 bytes of
            keccak256(abi.encode(keccak256("penstock credit fault"), this contract, id)).
    """
    return self._fault_subject(id)


@external
@pure
def id_of(terms: Terms) -> uint256:
    """
    @notice The id of a class: keccak256 over its terms.
    """
    return self._id(terms)


@external
@view
def uri(id: uint256) -> String[128]:
    """
    @notice ERC-1155 metadata: one template; clients put the id in place of {id}.
    """
    return self.uri_template


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice ERC-165, ERC-1155 and its metadata extension.
    """
    return interface_id in [0x01ffc9a7, 0xd9b67a26, 0x0e89341c]


@external
@view
def eip712Domain() -> (bytes1, String[15], String[1], uint256, address, bytes32, DynArray[uint256, 1]):
    extensions: DynArray[uint256, 1] = []
    return 0x0f, name, version, chain.id, self, empty(bytes32), extensions


# ---------------------------------------------------------------- ERC-1155


@external
@view
def balanceOf(holder: address, id: uint256) -> uint256:
    return self.balances[id][holder]


@external
@view
def balanceOfBatch(
    holders: DynArray[address, BATCH_MAX], ids: DynArray[uint256, BATCH_MAX]
) -> DynArray[uint256, BATCH_MAX]:
    assert len(holders) == len(ids), "credit.lengths"
    found: DynArray[uint256, BATCH_MAX] = []
    for i: uint256 in range(len(ids), bound=BATCH_MAX):
        found.append(self.balances[ids[i]][holders[i]])
    return found


@external
def setApprovalForAll(operator: address, approved: bool):
    """
    @notice Role: the holder.
    """
    self.isApprovedForAll[msg.sender][operator] = approved
    log ApprovalForAll(holder=msg.sender, operator=operator, approved=approved)


@external
@nonreentrant
def safeTransferFrom(sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[DATA_MAX]):
    """
    @notice Role: the holder or one it approved.
    """
    self._may_move(sender, receiver)
    self._move(sender, receiver, id, amount)
    log TransferSingle(operator=msg.sender, sender=sender, receiver=receiver, id=id, amount=amount)
    self._call_receiver(msg.sender, sender, receiver, id, amount, data)


@external
@nonreentrant
def safeBatchTransferFrom(
    sender: address,
    receiver: address,
    ids: DynArray[uint256, BATCH_MAX],
    amounts: DynArray[uint256, BATCH_MAX],
    data: Bytes[DATA_MAX],
):
    """
    @notice Role: the holder or one it approved. At most 64 ids.
    """
    assert len(ids) == len(amounts), "credit.lengths"
    self._may_move(sender, receiver)
    for i: uint256 in range(len(ids), bound=BATCH_MAX):
        self._move(sender, receiver, ids[i], amounts[i])
    log TransferBatch(operator=msg.sender, sender=sender, receiver=receiver, ids=ids, amounts=amounts)
    if receiver.is_contract:
        answer: bytes4 = extcall Receiver(receiver).onERC1155BatchReceived(msg.sender, sender, ids, amounts, data)
        assert answer == BATCH_RECEIVED, "credit.receiver"


@internal
@view
def _may_move(sender: address, receiver: address):
    assert receiver != empty(address), "credit.zero"
    assert msg.sender == sender or self.isApprovedForAll[sender][msg.sender], "credit.not_approved"


@internal
def _move(sender: address, receiver: address, id: uint256, amount: uint256):
    held: uint256 = self.balances[id][sender]
    assert held >= amount and held - amount >= (self.asked[id][sender] & U64), "credit.balance"
    self.balances[id][sender] = held - amount
    self.balances[id][receiver] += amount


@internal
def _call_receiver(
    operator: address, sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[DATA_MAX]
):
    if receiver.is_contract:
        answer: bytes4 = extcall Receiver(receiver).onERC1155Received(operator, sender, id, amount, data)
        assert answer == RECEIVED, "credit.receiver"


# ---------------------------------------------------------------- words and dollars


@internal
@pure
def _id(t: Terms) -> uint256:
    return convert(keccak256(abi_encode(t)), uint256)


@internal
@view
def _live(id: uint256, amount: uint256) -> uint256:
    terms: uint256 = self.terms[id]
    assert terms != 0, "credit.class"
    assert amount != 0, "credit.amount"
    assert not self.slashed[id], "credit.closed"
    return terms


@internal
@view
def _fault_subject(id: uint256) -> address:
    return convert(convert(keccak256(abi_encode(FAULT, self, id)), uint256) & (2**160 - 1), address)


@internal
@pure
def _expiry(terms: uint256) -> uint256:
    return (terms >> 192) & U40


@internal
@pure
def _price(terms: uint256) -> uint256:
    return terms & U64


@internal
@pure
def _collateral_each(terms: uint256) -> uint256:
    return (terms >> 64) & U64


@internal
@view
def _stock(id: uint256) -> (uint256, uint256, uint256):
    word: uint256 = self.stock[id]
    return word & U64, (word >> 64) & U64, word >> 128


@internal
def _set_stock(id: uint256, capacity: uint256, outstanding: uint256, collateral: uint256):
    # capacity is a uint64, outstanding <= capacity, and 2^128 micro-dollars do not exist
    self.stock[id] = capacity | outstanding << 64 | collateral << 128


@internal
def _keep(id: uint256, capacity: uint256, outstanding: uint256, collateral: uint256):
    self._set_stock(id, capacity, outstanding, collateral)
    log Backed(id=id, capacity=capacity, collateral_usdc_micro=collateral)


@internal
@view
def _only_provider(id: uint256):
    assert msg.sender == self.provider_of[id], "credit.not_provider"


@internal
def _pull(amount: uint256):
    held: uint256 = staticcall Dollar(dollar).balanceOf(self)
    assert extcall Dollar(dollar).transferFrom(msg.sender, self, amount), "credit.paid"
    assert staticcall Dollar(dollar).balanceOf(self) == held + amount, "credit.paid"


@internal
def _pay(receiver: address, amount: uint256):
    assert extcall Dollar(dollar).transfer(receiver, amount), "credit.paid"
