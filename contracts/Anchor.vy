# pragma version 0.4.3
"""
@title  Anchor: checkpoints of one log, and reports attested from it
@notice Two things live here. (1) Checkpoints of an RFC 9162 sha256 log: each new one is proved, on chain, to
        extend the last (clause 2.1.4.2), so history cannot be told two ways. (2) Reports: one packed word a
        subject (a deal), accepted when m of n attesters sign the same statement about the same checkpoint.
        Word: three signed 64-bit measures (bits 0-63, 64-127, 128-191) | as-of u32 [s] (192-223) | expiry u32 [s]
        (224-255). Signatures are EIP-712 and anyone may relay them.
@dev    An epoch is the life of one attester set. It is signed, so every change of the set voids votes under way.
"""
from parts import signed

initializes: signed

struct Attestation:
    subject: address
    word: uint256
    definition: bytes32  # hash of the measure definition's version
    size: uint64  # of the checkpoint it was computed from
    root: bytes32
    epoch: uint64


struct SetChange:
    added: address  # zero: nobody
    removed: address  # zero: nobody
    quorum: uint256  # from then on
    operator: address  # zero: as before
    nonce: uint256


struct Signature:
    v: uint8
    r: bytes32
    s: bytes32


event Published:
    size: indexed(uint64)
    root: bytes32
    old_size: uint64


event Registered:
    subject: indexed(address)
    sponsor: indexed(address)


event Voted:
    subject: indexed(address)
    attester: indexed(address)
    word: uint256
    definition: bytes32
    size: uint64


event Accepted:
    subject: indexed(address)
    word: uint256
    definition: bytes32
    size: uint64


event Expelled:
    attester: indexed(address)
    subject: indexed(address)
    epoch: uint64


event Proposed:
    nonce: indexed(uint256)
    change: SetChange
    executable_from: uint256


event Executed:
    nonce: indexed(uint256)
    epoch: uint64


SEATS: constant(uint256) = 16
DELAY_S: constant(uint256) = 48 * 3600
U32: constant(uint256) = 2**32 - 1
FROZEN: constant(uint256) = 2**32
VOTE: constant(uint256) = 2**32  # a ballot: bits 1-16 the seats that voted | from bit 32 how many

name: public(constant(String[15])) = "Penstock Anchor"
version: public(constant(String[1])) = "1"

CHECKPOINT_TYPE: constant(bytes32) = keccak256("Checkpoint(uint64 size,bytes32 root)")
ATTESTATION_TYPE: constant(bytes32) = keccak256(
    "Attestation(address subject,uint256 word,bytes32 definition,uint64 size,bytes32 root,uint64 epoch)"
)
CHANGE_TYPE: constant(bytes32) = keccak256(
    "SetChange(address added,address removed,uint256 quorum,address operator,uint256 nonce)"
)

operator: public(address)
size: public(uint64)
root_at: public(HashMap[uint64, bytes32])

epoch: public(uint64)
quorum: public(uint256)
seats_taken: public(uint256)
attester_at: public(address[SEATS + 1])  # seats count from 1: seat 0 means "no attester"
seat_of: public(HashMap[address, uint256])
expelled: public(HashMap[address, bool])

nonce: public(uint256)
pending: public(bytes32)
executable_from: public(uint256)

sponsor_of: public(HashMap[address, address])
report: public(HashMap[address, uint256])  # 0: none yet, or frozen. One slot: a deal reads it every period
frozen: HashMap[address, uint256]  # FROZEN | as-of of the word withdrawn
voted: HashMap[address, HashMap[bytes32, uint256]]  # attester -> (subject, as-of, definition) -> word
ballots: HashMap[bytes32, uint256]  # statement (its epoch included) -> ballot


@deploy
def __init__(operator: address, attesters: DynArray[address, SEATS], quorum: uint256):
    signed.__init__(keccak256(name), keccak256(version))
    assert operator != empty(address), "anchor.operator"
    assert quorum != 0 and quorum <= len(attesters), "anchor.quorum"
    self.operator = operator
    self.quorum = quorum
    for attester: address in attesters:
        self._seat(attester)


# ---------------------------------------------------------------- checkpoints


@external
def publish(size: uint64, root: bytes32, old_size: uint64, proof: DynArray[bytes32, 64]):
    """
    @notice Role: the operator.
            Anchor the checkpoint (size, root); `proof` shows that it extends the one of `old_size`, the latest. The
            first has old_size 0 and no proof.
    """
    assert msg.sender == self.operator, "anchor.operator"
    self._publish(size, root, old_size, proof)


@external
def publish_signed(
    size: uint64, root: bytes32, old_size: uint64, proof: DynArray[bytes32, 64], signature: Signature
):
    """
    @notice Role: anyone who brings the operator's signature.
            `publish`, relayed. Sizes only grow, so no signature works twice.
    """
    checkpoint: bytes32 = keccak256(abi_encode(CHECKPOINT_TYPE, size, root))
    signed.check(self.operator, checkpoint, signature.v, signature.r, signature.s)
    self._publish(size, root, old_size, proof)


@external
@view
def latest() -> (uint64, bytes32):
    """
    @notice Size and root of the latest checkpoint; zeros before the first.
    """
    return self.size, self.root_at[self.size]


@external
@view
def verify_inclusion(leaf_hash: bytes32, index: uint64, size: uint64, proof: DynArray[bytes32, 64]) -> bool:
    """
    @notice Whether `leaf_hash`, sha256(0x00 || leaf), stands at `index` of the anchored tree of `size`
            (RFC 9162 clause 2.1.3.2). False, never a revert, for what does not fit.
    """
    if index >= size or self.root_at[size] == empty(bytes32):
        return False
    fn: uint256 = convert(index, uint256)
    sn: uint256 = convert(size, uint256) - 1
    node: bytes32 = leaf_hash
    for sibling: bytes32 in proof:
        if sn == 0:
            return False
        if fn & 1 == 1 or fn == sn:
            node = self._node(sibling, node)
            for _: uint256 in range(64):
                if fn & 1 == 1 or fn == 0:
                    break
                fn >>= 1
                sn >>= 1
        else:
            node = self._node(node, sibling)
        fn >>= 1
        sn >>= 1
    return sn == 0 and node == self.root_at[size]


@internal
def _publish(size: uint64, root: bytes32, old_size: uint64, proof: DynArray[bytes32, 64]):
    assert old_size == self.size, "anchor.old_size"
    assert size > old_size, "anchor.not_growing"
    assert root != empty(bytes32), "anchor.root"
    if old_size == 0:
        assert len(proof) == 0, "anchor.proof"
    else:
        assert self._consistent(old_size, self.root_at[old_size], size, root, proof), "anchor.proof"
    self.size = size
    self.root_at[size] = root
    log Published(size=size, root=root, old_size=old_size)


@internal
@pure
def _consistent(
    old_size: uint64, old_root: bytes32, size: uint64, root: bytes32, proof: DynArray[bytes32, 64]
) -> bool:
    """
    @dev RFC 9162 clause 2.1.4.2, for 0 < old_size < size. `fn`, `sn`, `fr` and `sr` are the clause's names.
    """
    if len(proof) == 0:
        return False
    fn: uint256 = convert(old_size, uint256) - 1
    sn: uint256 = convert(size, uint256) - 1
    for _: uint256 in range(64):
        if fn & 1 == 0:
            break
        fn >>= 1
        sn >>= 1
    # A whole old tree (a power of two) is its own first node; else the proof brings that node.
    whole: bool = old_size & (old_size - 1) == 0
    fr: bytes32 = old_root if whole else proof[0]
    sr: bytes32 = fr
    first: bool = not whole
    for c: bytes32 in proof:
        if first:
            first = False
            continue
        if sn == 0:
            return False
        if fn & 1 == 1 or fn == sn:
            fr = self._node(c, fr)
            sr = self._node(c, sr)
            for _: uint256 in range(64):
                if fn & 1 == 1 or fn == 0:
                    break
                fn >>= 1
                sn >>= 1
        else:
            sr = self._node(sr, c)
        fn >>= 1
        sn >>= 1
    return sn == 0 and fr == old_root and sr == root


@internal
@pure
def _node(left: bytes32, right: bytes32) -> bytes32:
    return sha256(concat(0x01, left, right))


# ---------------------------------------------------------------- reports


@external
def register(subject: address, sponsor: address):
    """
    @notice Role: the subject itself or the operator.
            Make `subject` reportable and fix, for good, whose votes on it are refused.
    """
    assert msg.sender == subject or msg.sender == self.operator, "anchor.operator"
    assert subject != empty(address) and sponsor != empty(address), "anchor.zero"
    assert self.sponsor_of[subject] == empty(address), "anchor.registered"
    self.sponsor_of[subject] = sponsor
    log Registered(subject=subject, sponsor=sponsor)


@external
def attest(attestation: Attestation, signature: Signature):
    """
    @notice Role: anyone who brings an attester's signature.
            Count one attester's vote; the m-th for the same statement makes its word the report. A second word by
            the same attester for one (subject, as-of, definition) counts for nothing and expels it instead.
    """
    subject: address = attestation.subject
    word: uint256 = attestation.word
    statement: bytes32 = self._statement(attestation)
    attester: address = self._attester(statement, signature, subject)
    assert attestation.epoch == self.epoch, "anchor.epoch"
    as_of: uint256 = self._as_of(word)
    measure: bytes32 = keccak256(abi_encode(subject, as_of, attestation.definition))
    earlier: uint256 = self.voted[attester][measure]
    if earlier != 0 and earlier != word:
        self._expel(attester, subject)
        return
    assert word >> 224 > block.timestamp, "anchor.expired"
    assert as_of <= block.timestamp, "anchor.future"
    assert attestation.root != empty(bytes32) and self.root_at[attestation.size] == attestation.root, "anchor.root"
    assert self._is_later(subject, as_of), "anchor.late"
    ballot: uint256 = self.ballots[statement]
    seat: uint256 = 1 << self.seat_of[attester]
    assert ballot & seat == 0, "anchor.voted"
    ballot = (ballot | seat) + VOTE
    self.voted[attester][measure] = word
    self.ballots[statement] = ballot
    log Voted(
        subject=subject, attester=attester, word=word, definition=attestation.definition, size=attestation.size
    )
    if ballot // VOTE >= self.quorum:
        if self.report[subject] == 0:
            self.frozen[subject] = 0
        self.report[subject] = word
        log Accepted(subject=subject, word=word, definition=attestation.definition, size=attestation.size)


@external
def expose(one: Attestation, signature_one: Signature, two: Attestation, signature_two: Signature):
    """
    @notice Role: anyone who brings both signatures.
            Expel an attester that signed two words for one (subject, as-of, definition), relayed or not, in any
            epoch.
    """
    subject: address = one.subject
    attester: address = self._attester(self._statement(one), signature_one, subject)
    assert self._signer(self._statement(two), signature_two) == attester, "anchor.attester"
    assert two.subject == subject and two.definition == one.definition, "anchor.measure"
    assert self._as_of(two.word) == self._as_of(one.word), "anchor.measure"
    assert two.word != one.word, "anchor.same"
    self._expel(attester, subject)


@external
@view
def is_frozen(subject: address) -> bool:
    """
    @notice Whether the report was withdrawn after an expulsion; the next quorum's word brings it back.
    """
    return self.frozen[subject] != 0


@internal
@view
def _is_later(subject: address, as_of: uint256) -> bool:
    held: uint256 = self.report[subject]
    if held != 0:
        return as_of > self._as_of(held)
    # The word withdrawn no longer stands, so the quorum may speak again about its own instant.
    return as_of >= self.frozen[subject] & U32


@internal
def _expel(attester: address, subject: address):
    if self.frozen[subject] == 0:
        self.frozen[subject] = FROZEN | self._as_of(self.report[subject])
        self.report[subject] = 0
    self.expelled[attester] = True
    self._unseat(attester)
    self.pending = empty(bytes32)
    self.epoch += 1
    log Expelled(attester=attester, subject=subject, epoch=self.epoch)


@internal
@view
def _attester(statement: bytes32, signature: Signature, subject: address) -> address:
    signer: address = self._signer(statement, signature)
    assert self.seat_of[signer] != 0, "anchor.attester"
    sponsor: address = self.sponsor_of[subject]
    assert sponsor != empty(address), "anchor.subject"
    assert signer != sponsor, "anchor.sponsor"
    return signer


@internal
@pure
def _statement(a: Attestation) -> bytes32:
    return keccak256(
        abi_encode(ATTESTATION_TYPE, a.subject, a.word, a.definition, a.size, a.root, a.epoch)
    )


@internal
@pure
def _as_of(word: uint256) -> uint256:
    return (word >> 192) & U32


# ---------------------------------------------------------------- the attester set


@external
def propose(change: SetChange, signatures: DynArray[Signature, SEATS]):
    """
    @notice Role: anyone who brings m attesters' signatures.
            Announce a change; it may be executed after 48 h. It takes the place of the one pending, so a change of
            nothing is a cancellation.
    """
    assert change.nonce == self.nonce, "anchor.nonce"
    self._check(change)
    change_hash: bytes32 = self._change_hash(change)
    seen: uint256 = 0
    for signature: Signature in signatures:
        seat: uint256 = self.seat_of[self._signer(change_hash, signature)]
        assert seat != 0, "anchor.attester"
        assert seen & (1 << seat) == 0, "anchor.voted"
        seen |= 1 << seat
    assert len(signatures) >= self.quorum, "anchor.quorum"
    self.nonce += 1
    self.pending = change_hash
    self.executable_from = block.timestamp + DELAY_S
    log Proposed(nonce=change.nonce, change=change, executable_from=self.executable_from)


@external
def execute(change: SetChange):
    """
    @notice Role: anyone.
            Carry out the pending change.
    """
    assert self.pending == self._change_hash(change), "anchor.pending"
    assert block.timestamp >= self.executable_from, "anchor.delay"
    self.pending = empty(bytes32)
    if change.removed != empty(address):
        self._unseat(change.removed)
    if change.added != empty(address):
        self._seat(change.added)
    if change.operator != empty(address):
        self.operator = change.operator
    self.quorum = change.quorum
    self.epoch += 1
    log Executed(nonce=change.nonce, epoch=self.epoch)


@external
@view
def eip712Domain() -> (bytes1, String[15], String[1], uint256, address, bytes32, DynArray[uint256, 1]):
    extensions: DynArray[uint256, 1] = []
    return 0x0f, name, version, chain.id, self, empty(bytes32), extensions


@internal
@view
def _check(change: SetChange):
    seats_taken: uint256 = self.seats_taken
    if change.removed != empty(address):
        assert self.seat_of[change.removed] != 0, "anchor.removed"
        seats_taken -= 1
    if change.added != empty(address):
        assert self.seat_of[change.added] == 0 and not self.expelled[change.added], "anchor.added"
        assert seats_taken < SEATS, "anchor.seats"
        seats_taken += 1
    assert change.quorum != 0 and change.quorum <= seats_taken, "anchor.quorum"


@internal
def _seat(attester: address):
    assert attester != empty(address) and self.seat_of[attester] == 0, "anchor.added"
    for seat: uint256 in range(1, SEATS + 1):
        if self.attester_at[seat] == empty(address):
            self.attester_at[seat] = attester
            self.seat_of[attester] = seat
            self.seats_taken += 1
            return


@internal
def _unseat(attester: address):
    self.attester_at[self.seat_of[attester]] = empty(address)
    self.seat_of[attester] = 0
    self.seats_taken -= 1


@internal
@pure
def _change_hash(c: SetChange) -> bytes32:
    return keccak256(abi_encode(CHANGE_TYPE, c.added, c.removed, c.quorum, c.operator, c.nonce))


@internal
@view
def _signer(struct_hash: bytes32, signature: Signature) -> address:
    return ecrecover(signed.digest(struct_hash), signature.v, signature.r, signature.s)
