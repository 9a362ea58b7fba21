# pragma version 0.4.3
"""
@title  Certificate: titles to verified generation, lifted from an anchored journal, a unit a Wh
@notice ERC-1155. An id is the hash of all that moves the price of a certificate (parts/certified.vy). The journal
        states in one fact, under a checkpoint of the `Anchor`, that a batch of titles now waits here: `open` checks
        that statement and costs the same for one title and for 100,000. Each title is then minted to its holder
        against a proof, once, by anyone, before the batch's deadline; after it the journal has the rest back.
        Units are lowered to an account of the journal again, retired (for a `Badge`) or claimed. Each of these has
        the next number, without a gap, so that the journal takes them in their order.
@dev    Laws: what is minted from a batch <= what its words have drawn <= its quantity; a row is minted once;
        supply = minted - burnt. A batch is named by all it says, the instant of its fact included, so the same
        titles, lowered and lifted again, are another batch.
        A word keeps 128 rows: bits 0-127 minted rows | 128-191 Wh minted | 192-255 Wh drawn. It draws from the
        batch's quantity ahead of its need, so most lifts write one slot for the batch, not two; what a word holds
        unminted goes back by `give_back` when another one needs it.
        The journal's form of a fact is RFC 8785 JSON, of a row 40 bytes, numbers little-endian.
"""
from ethereum.ercs import IERC165
from parts import certified
from parts import roles

implements: IERC165
initializes: roles
exports: (roles.role_holder, roles.role_offer, roles.offer_role, roles.accept_role)


interface Anchor:
    def verify_inclusion(leaf_hash: bytes32, index: uint64, size: uint64, proof: DynArray[bytes32, 64]) -> bool: view


interface Badge:
    def mint(
        holder: address, energy_wh: uint256, beneficiary: String[BENEFICIARY_MAX], purpose: String[PURPOSE_MAX]
    ) -> uint256: nonpayable


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


struct Batch:
    at_us: uint64  # instant of the fact [us]
    id: uint256
    deadline_s: uint64
    quantity: uint64  # [Wh]
    root: bytes32  # RFC 9162, over the rows
    rows: uint32


struct Row:
    register: uint32
    start: uint64  # [Wh]
    stop: uint64  # [Wh]
    holder: address


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
    root: indexed(bytes32)
    batch: Batch


event Lowered:
    number: indexed(uint256)
    holder: indexed(address)
    id: indexed(uint256)
    amount: uint256
    account: String[64]


event Retired:
    number: indexed(uint256)
    holder: indexed(address)
    id: indexed(uint256)
    amount: uint256
    badge: uint256
    beneficiary: String[BENEFICIARY_MAX]
    purpose: String[PURPOSE_MAX]


event Claimed:
    number: indexed(uint256)
    holder: indexed(address)
    id: indexed(uint256)
    amount: uint256
    subject: address
    data: Bytes[CLAIM_MAX]


event ClaimSingle:
    issuer: indexed(address)
    subject: indexed(address)
    topic: indexed(uint256)
    id: uint256
    amount: uint256
    data: Bytes[CLAIM_MAX]


event Described:
    id: indexed(uint256)
    properties: certified.Properties


event Stopped:
    until_s: uint256


BATCH_MAX: constant(uint256) = 64
DATA_MAX: constant(uint256) = 1024
CLAIM_MAX: constant(uint256) = 256
BENEFICIARY_MAX: constant(uint256) = 128
PURPOSE_MAX: constant(uint256) = 256
AHEAD: constant(uint256) = 32  # a word draws for so many titles as large as the one that needs it
FLAGS: constant(uint256) = 2**128 - 1
U64: constant(uint256) = 2**64 - 1
STOP_S: constant(uint256) = 7 * 24 * 3600
RECEIVED: constant(bytes4) = 0xf23a6e61
BATCH_RECEIVED: constant(bytes4) = 0xbc197c81
GUARDIAN: constant(bytes32) = keccak256("guardian")
TOPIC: constant(uint256) = 1  # of an ERC-1888 claim: granular certificates

# All ones over 2^n + 1: every second group of n bits. They turn 64-bit lanes around and spread digits apart
EVERY_1: constant(uint256) = max_value(uint256) // (2**1 + 1)
EVERY_2: constant(uint256) = max_value(uint256) // (2**2 + 1)
EVERY_4: constant(uint256) = max_value(uint256) // (2**4 + 1)
EVERY_8: constant(uint256) = max_value(uint256) // (2**8 + 1)
EVERY_16: constant(uint256) = max_value(uint256) // (2**16 + 1)
EVERY_32: constant(uint256) = max_value(uint256) // (2**32 + 1)
EVERY_64: constant(uint256) = max_value(uint256) // (2**64 + 1)
ONES: constant(uint256) = max_value(uint256) // 255  # 0x0101...

anchor: public(immutable(address))
badge: public(immutable(address))

uri_template: String[128]
balances: HashMap[uint256, HashMap[address, uint256]]
isApprovedForAll: public(HashMap[address, HashMap[address, bool]])
claimedBalanceOf: public(HashMap[address, HashMap[uint256, uint256]])

marks: HashMap[bytes32, uint256]  # batch -> 1 + Wh that its words have drawn; 0: not open
words: HashMap[bytes32, HashMap[uint256, uint256]]  # batch -> number of the word -> word
burns: public(uint256)  # the next number
stopped_until_s: public(uint256)


@deploy
def __init__(anchor_: address, badge_: address, guardian: address, uri_: String[128]):
    assert anchor_ != empty(address) and badge_ != empty(address), "certificate.zero"
    roles.__init__()
    roles.grant(GUARDIAN, guardian)
    anchor = anchor_
    badge = badge_
    self.uri_template = uri_


# ---------------------------------------------------------------- lift


@external
def open(batch: Batch, index: uint64, size: uint64, proof: DynArray[bytes32, 64]):
    """
    @notice Role: anyone who brings the proof.
            Let the rows of a batch be minted: its fact stands at `index` of the anchored tree of `size`.
    """
    assert block.timestamp >= self.stopped_until_s, "certificate.stopped"
    assert block.timestamp < convert(batch.deadline_s, uint256), "certificate.late"
    assert batch.quantity != 0, "certificate.quantity"
    key: bytes32 = self._key(batch)
    assert self.marks[key] == 0, "certificate.open"
    leaf: bytes32 = sha256(concat(0x00, self._body(batch)))
    assert staticcall Anchor(anchor).verify_inclusion(leaf, index, size, proof), "certificate.anchored"
    self.marks[key] = 1
    log Opened(id=batch.id, root=batch.root, batch=batch)


@external
def lift(batch: Batch, index: uint32, row: Row, proof: DynArray[bytes32, 64]):
    """
    @notice Role: anyone who brings the proof.
            Mint the title in row `index` of an open batch to its holder.
    """
    assert block.timestamp < convert(batch.deadline_s, uint256), "certificate.late"
    assert index < batch.rows and row.start < row.stop, "certificate.row"
    assert row.holder != empty(address), "certificate.zero"
    at: uint256 = convert(index, uint256)
    path: uint256 = self._path(at, unsafe_sub(convert(batch.rows, uint256), 1), len(proof))
    node: bytes32 = self._leaf(row)
    for sibling: bytes32 in proof:
        if path & 1 == 0:
            node = sha256(concat(0x01, node, sibling))
        else:
            node = sha256(concat(0x01, sibling, node))
        path >>= 1
    assert node == batch.root, "certificate.proof"
    key: bytes32 = self._key(batch)
    word: uint256 = self.words[key][at >> 7]
    flag: uint256 = 1 << (at & 127)
    assert word & flag == 0, "certificate.lifted"
    amount: uint256 = convert(unsafe_sub(row.stop, row.start), uint256)
    minted: uint256 = unsafe_add((word >> 128) & U64, amount)
    drawn: uint256 = word >> 192
    if minted > drawn:
        drawn = unsafe_add(drawn, self._draw(key, batch.quantity, unsafe_sub(minted, drawn), amount))
    self.words[key][at >> 7] = word & FLAGS | flag | minted << 128 | drawn << 192
    self.balances[batch.id][row.holder] += amount
    log TransferSingle(operator=msg.sender, sender=empty(address), receiver=row.holder, id=batch.id, amount=amount)
    if row.holder.is_contract:
        self._call_receiver(msg.sender, empty(address), row.holder, batch.id, amount, b"")


@external
def give_back(batch: Batch, words: DynArray[uint256, 64]):
    """
    @notice Role: anyone.
            Return what words of 128 rows have drawn and not minted to their batch, for other words to draw.
    """
    key: bytes32 = self._key(batch)
    for at: uint256 in words:
        word: uint256 = self.words[key][at]
        minted: uint256 = (word >> 128) & U64
        self.marks[key] -= (word >> 192) - minted
        self.words[key][at] = word & FLAGS | minted << 128 | minted << 192


@external
def stop_lifting():
    """
    @notice Role: guardian.
            No opening and no drawing for seven days, and never twice within seven. What words have drawn already is
            still lifted, unless given back. Nothing else ever stops.
    """
    roles.only(GUARDIAN)
    assert block.timestamp >= self.stopped_until_s + STOP_S or self.stopped_until_s == 0, "certificate.stopped"
    self.stopped_until_s = block.timestamp + STOP_S
    log Stopped(until_s=self.stopped_until_s)


@external
def resume_lifting():
    """
    @notice Role: guardian.
            End a stop before its seven days are over.
    """
    roles.only(GUARDIAN)
    assert block.timestamp < self.stopped_until_s, "certificate.not_stopped"
    self.stopped_until_s = block.timestamp
    log Stopped(until_s=block.timestamp)


@internal
def _draw(key: bytes32, quantity: uint64, needed: uint256, amount: uint256) -> uint256:
    mark: uint256 = self.marks[key]
    assert mark != 0, "certificate.batch"
    assert block.timestamp >= self.stopped_until_s, "certificate.stopped"
    left: uint256 = convert(quantity, uint256) + 1 - mark
    assert needed <= left, "certificate.quantity"
    drawn: uint256 = min(left, amount * AHEAD)
    self.marks[key] = mark + drawn
    return drawn


@internal
@pure
def _key(batch: Batch) -> bytes32:
    return keccak256(abi_encode(batch))


@internal
@pure
def _path(index: uint256, last: uint256, length: uint256) -> uint256:
    """
    @dev RFC 9162 clause 2.1.3.2 told at once: bit i says whether the sibling at level i is on the left. Below the
         level where the path joins the tree's right edge, the index's bits say so; above it every sibling is on the
         left, and there is one for each bit of the index that is left.
    """
    below: uint256 = index ^ last
    below |= below >> 1
    below |= below >> 2
    below |= below >> 4
    below |= below >> 8
    below |= below >> 16
    ones: uint256 = index | below  # of 32 bits; counted by halves, quarters and so on
    ones = unsafe_sub(ones, (ones >> 1) & EVERY_1)
    ones = unsafe_add(ones & EVERY_2, (ones >> 2) & EVERY_2)
    ones = unsafe_add(ones, ones >> 4) & EVERY_4
    assert length == unsafe_mul(ones, ONES & (2**32 - 1)) >> 24 & 255, "certificate.proof"
    return index | ~below


@internal
@pure
def _leaf(row: Row) -> bytes32:
    """
    @dev sha256(0x00 || register int32 || start int64 || stop int64 || holder), numbers little-endian.
    """
    lanes: uint256 = (
        convert(row.register, uint256) << 160 | convert(row.start, uint256) << 64 | convert(row.stop, uint256)
    )
    lanes = (lanes & EVERY_8) << 8 | (lanes >> 8) & EVERY_8
    lanes = (lanes & EVERY_16) << 16 | (lanes >> 16) & EVERY_16
    lanes = (lanes & EVERY_32) << 32 | (lanes >> 32) & EVERY_32
    return sha256(
        concat(0x00, convert(convert(lanes & (2**160 - 1), uint160), bytes20), convert(row.holder, bytes20))
    )


@internal
@pure
def _body(batch: Batch) -> Bytes[512]:
    """
    @dev The fact as the journal writes it: keys in order, numbers as decimal text, hashes as lower-case hex.
    """
    return concat(
        b'{"at_us":"',
        convert(uint2str(batch.at_us), Bytes[20]),
        b'","data":{"certificate":"',
        self._hex(convert(batch.id, bytes32)),
        b'","deadline_s":"',
        convert(uint2str(batch.deadline_s), Bytes[20]),
        b'","quantity":"',
        convert(uint2str(batch.quantity), Bytes[20]),
        b'","segment":{"format":"lift/1","root":"',
        self._hex(batch.root),
        b'","rows":"',
        convert(uint2str(batch.rows), Bytes[10]),
        b'","sum":"0"}},"kind":"titles.lifted","v":"1"}',
    )


@internal
@pure
def _hex(word: bytes32) -> Bytes[64]:
    number: uint256 = convert(word, uint256)
    return concat(self._digits(number >> 128), self._digits(number & (2**128 - 1)))


@internal
@pure
def _digits(half: uint256) -> bytes32:
    """
    @dev The 32 hex digits of a 128-bit number: its half-bytes spread to bytes, then all made digits at once.
    """
    x: uint256 = (half << 64 | half) & EVERY_64
    x = (x << 32 | x) & EVERY_32
    x = (x << 16 | x) & EVERY_16
    x = (x << 8 | x) & EVERY_8
    x = (x << 4 | x) & EVERY_4
    above_9: uint256 = ((x + 6 * ONES) >> 4) & ONES
    return convert(x + 48 * ONES + 39 * above_9, bytes32)


# ---------------------------------------------------------------- lower, retire, claim


@external
def lower(id: uint256, amount: uint256, account: String[64]):
    """
    @notice Role: the holder.
            Give units back to the journal, for an account there.
    """
    assert len(account) != 0, "certificate.account"
    number: uint256 = self._burn(msg.sender, id, amount)
    log TransferSingle(operator=msg.sender, sender=msg.sender, receiver=empty(address), id=id, amount=amount)
    log Lowered(number=number, holder=msg.sender, id=id, amount=amount, account=account)


@external
def retire(
    id: uint256, amount: uint256, beneficiary: String[BENEFICIARY_MAX], purpose: String[PURPOSE_MAX]
) -> uint256:
    """
    @notice Role: the holder.
            Use units up for good and for all to see. The number of the badge minted to the holder.
    """
    number: uint256 = self._burn(msg.sender, id, amount)
    log TransferSingle(operator=msg.sender, sender=msg.sender, receiver=empty(address), id=id, amount=amount)
    badge_: uint256 = extcall Badge(badge).mint(msg.sender, amount, beneficiary, purpose)
    log Retired(
        number=number,
        holder=msg.sender,
        id=id,
        amount=amount,
        badge=badge_,
        beneficiary=beneficiary,
        purpose=purpose,
    )
    return badge_


@external
def retire_batch(
    ids: DynArray[uint256, BATCH_MAX],
    amounts: DynArray[uint256, BATCH_MAX],
    beneficiary: String[BENEFICIARY_MAX],
    purpose: String[PURPOSE_MAX],
) -> uint256:
    """
    @notice Role: the holder.
            `retire` of several ids, at most 64, for one badge.
    """
    assert len(ids) == len(amounts) and len(ids) != 0, "certificate.lengths"
    first: uint256 = self.burns
    energy: uint256 = 0
    for i: uint256 in range(len(ids), bound=BATCH_MAX):
        self._burn(msg.sender, ids[i], amounts[i])
        energy += amounts[i]
    log TransferBatch(operator=msg.sender, sender=msg.sender, receiver=empty(address), ids=ids, amounts=amounts)
    badge_: uint256 = extcall Badge(badge).mint(msg.sender, energy, beneficiary, purpose)
    for i: uint256 in range(len(ids), bound=BATCH_MAX):
        log Retired(
            number=first + i,
            holder=msg.sender,
            id=ids[i],
            amount=amounts[i],
            badge=badge_,
            beneficiary=beneficiary,
            purpose=purpose,
        )
    return badge_


@external
def safeTransferAndClaimFrom(
    sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[DATA_MAX], claim_data: Bytes[CLAIM_MAX]
):
    """
    @notice Role: the holder or one it approved.
            ERC-1888: use units up as the receiver's claim. They never arrive there, so no receiver is called.
    """
    self._may_move(sender, receiver)
    number: uint256 = self._burn(sender, id, amount)
    self.claimedBalanceOf[receiver][id] += amount
    log TransferSingle(operator=msg.sender, sender=sender, receiver=empty(address), id=id, amount=amount)
    log ClaimSingle(issuer=sender, subject=receiver, topic=TOPIC, id=id, amount=amount, data=claim_data)
    log Claimed(number=number, holder=sender, id=id, amount=amount, subject=receiver, data=claim_data)


@internal
def _burn(holder: address, id: uint256, amount: uint256) -> uint256:
    assert amount != 0, "certificate.amount"
    self._take(holder, id, amount)
    number: uint256 = self.burns
    self.burns = unsafe_add(number, 1)
    return number


# ---------------------------------------------------------------- what an id says


@external
def describe(properties: certified.Properties) -> uint256:
    """
    @notice Role: anyone.
            Write what an id says into the log, for readers that have only the chain.
    """
    id: uint256 = certified.id_of(properties)
    log Described(id=id, properties=properties)
    return id


@external
@pure
def id_of(properties: certified.Properties) -> uint256:
    """
    @notice The id of certificates with these properties.
    """
    return certified.id_of(properties)


@external
@pure
def body_of(batch: Batch) -> Bytes[512]:
    """
    @notice The journal's fact that `open` looks for; its leaf is sha256(0x00 || fact).
    """
    return self._body(batch)


@external
@view
def lifted(batch: Batch) -> (bool, uint256):
    """
    @notice Whether the batch is open, and the Wh that its words have drawn: no less than is minted.
    """
    mark: uint256 = self.marks[self._key(batch)]
    return mark != 0, mark - min(mark, 1)


@external
@view
def lifted_rows(batch: Batch, first: uint256, count: uint256) -> DynArray[uint256, 1024]:
    """
    @notice Which rows are minted: `count` words of 256 flags, at most 1024, from word `first` on. Row i is bit
            i % 256 of word i // 256.
    """
    key: bytes32 = self._key(batch)
    found: DynArray[uint256, 1024] = []
    for i: uint256 in range(count, bound=1024):
        low: uint256 = 2 * (first + i)
        found.append(self.words[key][low] & FLAGS | self.words[key][low + 1] << 128)
    return found


@external
@view
def word_of(batch: Batch, at: uint256) -> (uint256, uint256):
    """
    @notice Wh minted in a word of 128 rows, and Wh it has drawn for them.
    """
    word: uint256 = self.words[self._key(batch)][at]
    return (word >> 128) & U64, word >> 192


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
    assert len(holders) == len(ids), "certificate.lengths"
    found: DynArray[uint256, BATCH_MAX] = []
    for i: uint256 in range(len(ids), bound=BATCH_MAX):
        found.append(self.balances[ids[i]][holders[i]])
    return found


@external
@view
def claimedBalanceOfBatch(
    holders: DynArray[address, BATCH_MAX], ids: DynArray[uint256, BATCH_MAX]
) -> DynArray[uint256, BATCH_MAX]:
    assert len(holders) == len(ids), "certificate.lengths"
    found: DynArray[uint256, BATCH_MAX] = []
    for i: uint256 in range(len(ids), bound=BATCH_MAX):
        found.append(self.claimedBalanceOf[holders[i]][ids[i]])
    return found


@external
def setApprovalForAll(operator: address, approved: bool):
    """
    @notice Role: the holder.
    """
    self.isApprovedForAll[msg.sender][operator] = approved
    log ApprovalForAll(holder=msg.sender, operator=operator, approved=approved)


@external
def safeTransferFrom(sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[DATA_MAX]):
    """
    @notice Role: the holder or one it approved.
    """
    self._may_move(sender, receiver)
    self._take(sender, id, amount)
    self.balances[id][receiver] += amount
    log TransferSingle(operator=msg.sender, sender=sender, receiver=receiver, id=id, amount=amount)
    self._call_receiver(msg.sender, sender, receiver, id, amount, data)


@external
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
    assert len(ids) == len(amounts), "certificate.lengths"
    self._may_move(sender, receiver)
    for i: uint256 in range(len(ids), bound=BATCH_MAX):
        self._take(sender, ids[i], amounts[i])
        self.balances[ids[i]][receiver] += amounts[i]
    log TransferBatch(operator=msg.sender, sender=sender, receiver=receiver, ids=ids, amounts=amounts)
    if receiver.is_contract:
        answer: bytes4 = extcall Receiver(receiver).onERC1155BatchReceived(msg.sender, sender, ids, amounts, data)
        assert answer == BATCH_RECEIVED, "certificate.receiver"


@internal
@view
def _may_move(sender: address, receiver: address):
    assert receiver != empty(address), "certificate.zero"
    assert msg.sender == sender or self.isApprovedForAll[sender][msg.sender], "certificate.not_approved"


@internal
def _take(sender: address, id: uint256, amount: uint256):
    held: uint256 = self.balances[id][sender]
    assert held >= amount, "certificate.balance"
    self.balances[id][sender] = unsafe_sub(held, amount)


@internal
def _call_receiver(
    operator: address, sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[DATA_MAX]
):
    # Everything is written by now: whatever the receiver calls finds the books as they will stay.
    if receiver.is_contract:
        answer: bytes4 = extcall Receiver(receiver).onERC1155Received(operator, sender, id, amount, data)
        assert answer == RECEIVED, "certificate.receiver"
