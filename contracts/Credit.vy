# pragma version 0.4.3
"""
@title  Credit: claims on compute, sold only against capacity and collateral
@notice ERC-1155. An id is a class: the hash of provider, SKU, tokens a credit, price, collateral a credit, expiry
        and the deal that earns the revenue, so none of these can change. A buyer's dollars wait here until the work
        is delivered: redeeming burns credits and sends their price to the deal. What is unredeemed at expiry is
        refunded at its price, with the collateral behind it.
@dev    Laws: outstanding <= capacity; outstanding * collateral a credit <= collateral posted;
        dollars held >= sum over classes of (outstanding * price + collateral), equal unless someone gives some away.
"""
from ethereum.ercs import IERC165
from parts import signed

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
    tokens_per_credit: uint64
    price_usdc_micro: uint64  # a credit
    collateral_usdc_micro: uint64  # a credit
    expiry: uint64  # [s]


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
RECEIPT_TYPE: constant(bytes32) = keccak256(
    "Receipt(uint256 id,address holder,uint256 amount,bytes32 work_root,bytes32 salt)"
)

name: public(constant(String[15])) = "Penstock Credit"
version: public(constant(String[1])) = "1"
dollar: public(immutable(address))

uri_template: String[128]
balances: HashMap[uint256, HashMap[address, uint256]]
isApprovedForAll: public(HashMap[address, HashMap[address, bool]])

provider_of: public(HashMap[uint256, address])
deal_of: public(HashMap[uint256, address])
sku_of: public(HashMap[uint256, bytes32])
# Bits 0-63 price | 64-127 collateral | 128-191 tokens, each a credit | 192-255 expiry
terms: HashMap[uint256, uint256]
# Bits 0-63 capacity | 64-127 outstanding | 128-255 collateral posted. One slot: every sale reads and writes it
stock: HashMap[uint256, uint256]
receipt_used: public(HashMap[bytes32, bool])


@deploy
def __init__(dollar_: address, uri_: String[128]):
    assert dollar_ != empty(address), "credit.zero"
    signed.__init__(keccak256(name), keccak256(version))
    dollar = dollar_
    self.uri_template = uri_


# ---------------------------------------------------------------- the provider


@external
@nonreentrant
def open(
    sku: bytes32,
    tokens_per_credit: uint64,
    price_usdc_micro: uint64,
    collateral_usdc_micro: uint64,
    expiry: uint64,
    deal: address,
    capacity: uint64,
    posted_usdc_micro: uint64,
) -> uint256:
    """
    @notice Role: anyone, who becomes the class's provider.
            Register a class with its capacity and pull its first collateral (by allowance).
    """
    assert tokens_per_credit != 0 and price_usdc_micro != 0 and collateral_usdc_micro != 0, "credit.terms"
    assert deal != empty(address) and deal != self, "credit.deal"
    assert convert(expiry, uint256) > block.timestamp, "credit.expired"
    t: Terms = Terms(
        provider=msg.sender,
        deal=deal,
        sku=sku,
        tokens_per_credit=tokens_per_credit,
        price_usdc_micro=price_usdc_micro,
        collateral_usdc_micro=collateral_usdc_micro,
        expiry=expiry,
    )
    id: uint256 = self._id(t)
    assert self.provider_of[id] == empty(address), "credit.open"
    self.provider_of[id] = msg.sender
    self.deal_of[id] = deal
    self.sku_of[id] = sku
    self.terms[id] = (
        convert(price_usdc_micro, uint256)
        | convert(collateral_usdc_micro, uint256) << 64
        | convert(tokens_per_credit, uint256) << 128
        | convert(expiry, uint256) << 192
    )
    log Opened(id=id, provider=msg.sender, deal=deal, terms=t)
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


# ---------------------------------------------------------------- buy, redeem, refund


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
    terms: uint256 = self.terms[id]
    assert terms != 0, "credit.class"
    assert bought != 0, "credit.amount"
    assert block.timestamp < terms >> 192, "credit.expired"
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
@nonreentrant
def redeem(id: uint256, amount: uint64, work_root: bytes32):
    """
    @notice Role: the holder.
            Accept work delivered: burn the credits and pay their price to the deal.
    """
    self._redeem(id, msg.sender, convert(amount, uint256), work_root)


@external
@nonreentrant
def redeem_signed(
    id: uint256, amount: uint64, holder: address, work_root: bytes32, salt: bytes32, signature: Signature
):
    """
    @notice Role: the class's provider, with the holder's signed receipt. A receipt works once.
    """
    self._only_provider(id)
    spent: uint256 = convert(amount, uint256)
    receipt: bytes32 = keccak256(abi_encode(RECEIPT_TYPE, id, holder, spent, work_root, salt))
    signed.check(holder, receipt, signature.v, signature.r, signature.s)
    assert not self.receipt_used[receipt], "credit.used"
    self.receipt_used[receipt] = True
    self._redeem(id, holder, spent, work_root)


@external
@nonreentrant
def refund(holder: address, id: uint256):
    """
    @notice Role: anyone; the dollars go to the holder.
            After expiry: burn all the holder's credits of the class for their price and their collateral.
    """
    terms: uint256 = self.terms[id]
    assert terms != 0, "credit.class"
    assert block.timestamp >= terms >> 192, "credit.not_expired"
    amount: uint256 = self.balances[id][holder]
    assert amount != 0, "credit.balance"
    compensation: uint256 = amount * self._collateral_each(terms)
    paid: uint256 = amount * self._price(terms) + compensation
    self._burn(id, holder, amount, compensation)
    log Refunded(id=id, holder=holder, amount=amount, paid_usdc_micro=paid)
    self._pay(holder, paid)


@internal
def _redeem(id: uint256, holder: address, amount: uint256, work_root: bytes32):
    terms: uint256 = self.terms[id]
    assert terms != 0, "credit.class"
    assert amount != 0, "credit.amount"
    assert block.timestamp < terms >> 192, "credit.expired"
    paid: uint256 = amount * self._price(terms)
    self._burn(id, holder, amount, 0)
    log Redeemed(id=id, holder=holder, amount=amount, work_root=work_root, paid_usdc_micro=paid)
    self._pay(self.deal_of[id], paid)


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
        tokens_per_credit=convert((terms >> 128) & U64, uint64),
        price_usdc_micro=convert(self._price(terms), uint64),
        collateral_usdc_micro=convert(self._collateral_each(terms), uint64),
        expiry=convert(terms >> 192, uint64),
    )


@external
@view
def stock_of(id: uint256) -> (uint256, uint256, uint256):
    """
    @notice Capacity [credits], outstanding [credits], collateral posted [micro-dollars].
    """
    return self._stock(id)


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
    assert held >= amount, "credit.balance"
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
