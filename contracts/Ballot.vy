# pragma version 0.4.3
"""
@title  Ballot: holders consent to a change of their deal
@notice The only one whom a deal lets change it. Three kinds of change, each by the classes of holders that the deal's
        text names: 0 an amendment of the terms, 1 a waiver of a test, 2 another payee in place of a servicer.
        Proposed by the sponsor, the trustee or a holder of a twentieth of a class; voted by shares; passed as soon as
        the yes of every class concerned reaches its share of ALL shares of the class; carried out by anyone, once the
        delay is over. Nobody can veto it, nobody can hasten it.
@dev    What is voted on is a hash of the act, of the code it brings and of the terms in force (`deal_hash`), so that a
        vote never carries out another text than the voters saw, nor on top of another.
"""
from parts import roles

initializes: roles
exports: (roles.role_holder, roles.role_offer, roles.offer_role, roles.accept_role)

interface Deal:
    def GOVERNOR() -> address: view
    def deal_hash() -> bytes32: view
    def amend(program: Bytes[BYTES_MAX], schedule: address, deal_hash: bytes32): nonpayable
    def waive(test: uint256, through: uint256): nonpayable
    def replace(lane: uint256, payee: address): nonpayable

interface Tranche:
    def deal() -> address: view
    def lane() -> uint256: view
    def totalSupply() -> uint256: view
    def balanceOf(holder: address) -> uint256: view
    def cast(holder: address, until_s: uint256) -> uint256: nonpayable

struct Rule:
    classes: uint256  # bit i: the i-th tranche; none: no such change is possible
    share_bp: uint256

event DealSet:
    deal: indexed(address)

event Proposed:
    id: indexed(uint256)
    kind: indexed(uint256)
    proposer: indexed(address)
    payload_hash: bytes32
    note_hash: bytes32
    ends_at_s: uint256

event Voted:
    id: indexed(uint256)
    tranche: indexed(uint256)
    holder: indexed(address)
    support: bool
    shares: uint256

event Passed:
    id: indexed(uint256)
    ready_at_s: uint256
    expires_at_s: uint256

event Executed:
    id: indexed(uint256)
    payload_hash: bytes32

SPONSOR: constant(bytes32) = keccak256("sponsor")
TRUSTEE: constant(bytes32) = keccak256("trustee")
AMENDMENT: constant(uint256) = 0
WAIVER: constant(uint256) = 1
REPLACEMENT: constant(uint256) = 2
CLASSES_MAX: constant(uint256) = 16
BYTES_MAX: constant(uint256) = 4096  # of a deal's program
WHOLE_BP: constant(uint256) = 10_000
TWENTIETH: constant(uint256) = 20
DAY_S: constant(uint256) = 86_400
VALID_S: constant(uint256) = 14 * DAY_S
TIME: constant(uint256) = 2**64 - 1

TRANCHES: immutable(DynArray[address, CLASSES_MAX])
RULES: immutable(Rule[3])
VOTE_S: immutable(uint256)
DELAY_S: immutable(uint256)

deal: public(address)
count: public(uint256)
payload_of: HashMap[uint256, bytes32]
state_of: HashMap[uint256, uint256]  # bits 0-63 ends | 64-127 passed | 128-143 classes that said yes | 144 kind | 152 done
voted: HashMap[uint256, HashMap[address, uint256]]  # bit i: in the i-th class
tally: HashMap[uint256, HashMap[uint256, uint256]]  # id, tranche: bits 0-127 yes | 128-255 no
tranche_lanes: uint256  # bit i: lane i of the deal is a tranche's


@deploy
def __init__(
    sponsor: address,
    trustee: address,
    tranches: DynArray[address, CLASSES_MAX],
    rules: Rule[3],
    vote_s: uint256,
    delay_s: uint256,
):
    """
    @param tranches in the order in which the deal's text declares them
    @param rules of amendments, waivers and replacements; a kind without classes can never be proposed
    @param vote_s how long a vote is open [s], a day to thirty
    @param delay_s from a vote that passed to its being carried out [s], two days to thirty
    """
    assert len(tranches) != 0, "ballot.tranches"
    assert vote_s >= DAY_S and vote_s <= 30 * DAY_S, "ballot.vote_time"
    assert delay_s >= 2 * DAY_S and delay_s <= 30 * DAY_S, "ballot.delay_time"
    for i: uint256 in range(len(tranches), bound=CLASSES_MAX):
        assert tranches[i] != empty(address), "ballot.zero"
        for j: uint256 in range(i, bound=CLASSES_MAX):
            assert tranches[i] != tranches[j], "ballot.twice"
    for rule: Rule in rules:
        assert rule.classes >> len(tranches) == 0, "ballot.classes"
        assert rule.share_bp <= WHOLE_BP and (rule.share_bp != 0) == (rule.classes != 0), "ballot.share"
    TRANCHES = tranches
    RULES = rules
    VOTE_S = vote_s
    DELAY_S = delay_s
    roles.__init__()
    roles.grant(SPONSOR, sponsor)
    roles.grant(TRUSTEE, trustee)


@external
def set_deal(deal: address):
    """
    @notice Role: sponsor, once. The deal obeys this ballot, and all tranches are its own.
    """
    roles.only(SPONSOR)
    assert self.deal == empty(address), "ballot.deal_set"
    assert staticcall Deal(deal).GOVERNOR() == self, "ballot.deal"
    lanes: uint256 = 0
    for tranche: address in TRANCHES:
        assert staticcall Tranche(tranche).deal() == deal, "ballot.tranche"
        lane: uint256 = staticcall Tranche(tranche).lane()
        assert lane < 256, "ballot.lane"
        lanes |= 1 << lane
    self.deal = deal
    self.tranche_lanes = lanes
    log DealSet(deal=deal)


# ------------------------------------------------------------------- reading


@external
@view
def tranches() -> DynArray[address, CLASSES_MAX]:
    return TRANCHES


@external
@view
def rule(kind: uint256) -> Rule:
    return RULES[kind]


@external
@view
def vote_s() -> uint256:
    return VOTE_S


@external
@view
def delay_s() -> uint256:
    return DELAY_S


@external
@view
def proposal(id: uint256) -> (uint256, bytes32, uint256, uint256, uint256, bool):
    """
    @notice Kind, payload's hash, end of the vote [s], when it passed [s, 0: not yet], classes that said yes (bits), done.
    """
    state: uint256 = self.state_of[id]
    assert state != 0, "ballot.unknown"
    passed: uint256 = (state >> 64) & TIME
    return (
        (state >> 144) & 255,
        self.payload_of[id],
        state & TIME,
        passed,
        (state >> 128) & 65535,
        state >> 152 != 0,
    )


@external
@view
def votes(id: uint256, tranche: uint256) -> (uint256, uint256):
    """
    @notice Shares of a class for, and against.
    """
    packed: uint256 = self.tally[id][tranche]
    return packed & (2**128 - 1), packed >> 128


@external
@view
def has_voted(id: uint256, tranche: uint256, holder: address) -> bool:
    return (self.voted[id][holder] >> tranche) & 1 == 1


@internal
@view
def _amendment(program_hash: bytes32, schedule: address, deal_hash: bytes32) -> bytes32:
    """
    @dev The schedule's code is in the hash: an address that is empty today can hold anything tomorrow.
    """
    base: bytes32 = staticcall Deal(self.deal).deal_hash()
    code: bytes32 = empty(bytes32)
    if schedule != empty(address):
        code = schedule.codehash
    return keccak256(abi_encode(AMENDMENT, base, program_hash, schedule, code, deal_hash))


@internal
@view
def _waiver(test: uint256, through: uint256) -> bytes32:
    return keccak256(abi_encode(WAIVER, staticcall Deal(self.deal).deal_hash(), test, through))


@internal
@view
def _replacement(lane: uint256, payee: address) -> bytes32:
    return keccak256(abi_encode(REPLACEMENT, staticcall Deal(self.deal).deal_hash(), lane, payee))


@external
@view
def amendment_hash(program_hash: bytes32, schedule: address, deal_hash: bytes32) -> bytes32:
    """
    @notice What to propose, so that `execute_amendment` with the program of this keccak256 carries it out.
    """
    return self._amendment(program_hash, schedule, deal_hash)


@external
@view
def waiver_hash(test: uint256, through: uint256) -> bytes32:
    return self._waiver(test, through)


@external
@view
def replacement_hash(lane: uint256, payee: address) -> bytes32:
    return self._replacement(lane, payee)


# ------------------------------------------------------------ propose and vote


@internal
@view
def _may_propose(who: address, classes: uint256) -> bool:
    if who in [roles.role_holder[SPONSOR], roles.role_holder[TRUSTEE]]:
        return True
    for i: uint256 in range(len(TRANCHES), bound=CLASSES_MAX):
        if (classes >> i) & 1 == 1:
            held: uint256 = staticcall Tranche(TRANCHES[i]).balanceOf(who)
            if held * TWENTIETH >= staticcall Tranche(TRANCHES[i]).totalSupply():
                return True
    return False


@external
def propose(kind: uint256, payload_hash: bytes32, note_hash: bytes32) -> uint256:
    """
    @notice Role: sponsor, trustee, or a holder of a twentieth of a class concerned. Opens a vote; returns its id.
    @param note_hash digest of the document that says what it is for
    """
    assert self.deal != empty(address), "ballot.no_deal"
    assert kind < 3, "ballot.kind"
    classes: uint256 = RULES[kind].classes
    assert classes != 0, "ballot.kind"
    assert payload_hash != empty(bytes32) and note_hash != empty(bytes32), "ballot.no_hash"
    assert self._may_propose(msg.sender, classes), "ballot.not_a_proposer"
    id: uint256 = self.count + 1
    ends_at_s: uint256 = block.timestamp + VOTE_S
    self.count = id
    self.payload_of[id] = payload_hash
    self.state_of[id] = ends_at_s | (kind << 144)
    log Proposed(
        id=id, kind=kind, proposer=msg.sender, payload_hash=payload_hash, note_hash=note_hash, ends_at_s=ends_at_s
    )
    return id


@external
@nonreentrant
def vote(id: uint256, tranche: uint256, support: bool):
    """
    @notice Role: a holder, once a proposal and class, with all its shares of the class; they stay put until the vote
            is over. A yes that reaches the share in the last class makes it pass there and then.
    """
    state: uint256 = self.state_of[id]
    assert state != 0, "ballot.unknown"
    assert (state >> 64) & TIME == 0, "ballot.passed"
    assert block.timestamp < state & TIME, "ballot.over"
    rule: Rule = RULES[(state >> 144) & 255]
    assert tranche < CLASSES_MAX and (rule.classes >> tranche) & 1 == 1, "ballot.class"
    before: uint256 = self.voted[id][msg.sender]
    assert (before >> tranche) & 1 == 0, "ballot.voted"
    self.voted[id][msg.sender] = before | (1 << tranche)
    shares: uint256 = extcall Tranche(TRANCHES[tranche]).cast(msg.sender, state & TIME)
    assert shares != 0, "ballot.no_shares"
    log Voted(id=id, tranche=tranche, holder=msg.sender, support=support, shares=shares)
    if support:
        self._yes(id, tranche, shares, state, rule)
    else:
        self.tally[id][tranche] += shares << 128


@internal
def _yes(id: uint256, tranche: uint256, shares: uint256, state: uint256, rule: Rule):
    tally: uint256 = self.tally[id][tranche] + shares
    self.tally[id][tranche] = tally
    all_shares: uint256 = staticcall Tranche(TRANCHES[tranche]).totalSupply()
    if (tally & (2**128 - 1)) * WHOLE_BP < all_shares * rule.share_bp:
        return
    now: uint256 = state | (1 << (128 + tranche))
    if (now >> 128) & 65535 == rule.classes:
        now |= block.timestamp << 64
        ready_at_s: uint256 = block.timestamp + DELAY_S
        log Passed(id=id, ready_at_s=ready_at_s, expires_at_s=ready_at_s + VALID_S)
    self.state_of[id] = now


# -------------------------------------------------------------------- execute


@internal
def _done(id: uint256, kind: uint256, payload_hash: bytes32):
    """
    @dev Passed, due, not stale, and this very act on these very terms; and never again.
    """
    state: uint256 = self.state_of[id]
    assert state != 0, "ballot.unknown"
    assert (state >> 144) & 255 == kind, "ballot.kind"
    assert state >> 152 == 0, "ballot.done"
    passed_at_s: uint256 = (state >> 64) & TIME
    assert passed_at_s != 0, "ballot.not_passed"
    assert block.timestamp >= passed_at_s + DELAY_S, "ballot.delay"
    assert block.timestamp < passed_at_s + DELAY_S + VALID_S, "ballot.expired"
    assert self.payload_of[id] == payload_hash, "ballot.payload"
    self.state_of[id] = state | (1 << 152)
    log Executed(id=id, payload_hash=payload_hash)


@external
@nonreentrant
def execute_amendment(id: uint256, program: Bytes[BYTES_MAX], schedule: address, deal_hash: bytes32):
    """
    @notice Role: anyone, on what passed. The deal's own checks still apply; where they refuse, nothing has happened.
    """
    self._done(id, AMENDMENT, self._amendment(keccak256(program), schedule, deal_hash))
    extcall Deal(self.deal).amend(program, schedule, deal_hash)


@external
@nonreentrant
def execute_waiver(id: uint256, test: uint256, through: uint256):
    """
    @notice Role: anyone, on what passed.
    """
    self._done(id, WAIVER, self._waiver(test, through))
    extcall Deal(self.deal).waive(test, through)


@external
@nonreentrant
def execute_replacement(id: uint256, lane: uint256, payee: address):
    """
    @notice Role: anyone, on what passed. Never a tranche's lane: what holders earn is theirs, however others vote.
    """
    assert lane < 256 and (self.tranche_lanes >> lane) & 1 == 0, "ballot.lane"
    self._done(id, REPLACEMENT, self._replacement(lane, payee))
    extcall Deal(self.deal).replace(lane, payee)
