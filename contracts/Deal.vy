# pragma version 0.4.3
"""
@title Deal
@license Apache-2.0
@notice One deal: holds its dollars, runs its waterfall each period, owes its payees what they pull.
@dev A register machine. The program (docs/deal-language.md) is data; this code is the same for every deal.

  registers  0 paid out | 1 flags | 2 period | 3 taken in | cash lanes | other lasting lanes | constants | temporaries
             | 224.. machine. All lie in [0, LIMIT]; sums saturate at LIMIT, differences at 0, so that no report and
             no payment can make `close` revert. Cash cannot saturate: lanes add up to `taken in` <= LIMIT.
  storage    `words`: four 64-bit lanes a word, lane i at bits 64 * (i % 4) of word i // 4.
  flags      byte 0 the state; byte k (1-6) of test k: level (low 4 bits), clean periods so far (high 4 bits);
             bit 56: amended or waived.
  program    header | constants, four a word | steps, four a word | opening words of the non-cash lasting lanes
             | where it has a schedule: the code hash of its data contract
  header     bytes 0 version 2 | 1 state words | 2 cash words | 3 constant words | 4 step words | 5 first paid lane
             | 6 payees | 7-8 year | 9 month | 10 day | 11-13 second of the day | 14-17 step [s] | 18 months
             | 19-22 grace [s] | 23 pages of the report | 24 words a row and 25-26 rows of the schedule | 27 how many of
             the first payees may be replaced | 28-31 zero. Period k starts k * months and k * step after the start.
  schedule   rows of lanes, one a period: its end [s] (0: by the header) | its days as 30/360 (0: by the header)
             | at most 11 columns. Beyond the last row its columns stand and the header says the dates.
  step       op | states (bit s: runs in state s) | a | b | c | e | g | l; in vector steps l is
             (items - 1) | 16 a (of PAY: e) advances | 32 b advances | 64 c advances | 128 the op's own flag
"""
from ethereum.ercs import IERC20

event PeriodClosed:
    period: indexed(uint256)
    flags: uint256
    inflow: uint256
    report: uint256
    fresh: bool

event SecondPage:
    period: indexed(uint256)
    report: uint256

event Withdrawn:
    lane: indexed(uint256)
    payee: indexed(address)
    amount: uint256

event Amended:
    program_hash: bytes32
    deal_hash: bytes32
    program: address
    schedule: address

event Waived:
    test: indexed(uint256)
    through_period: uint256

event Replaced:
    lane: indexed(uint256)
    former: indexed(address)
    payee: indexed(address)
    owed_former: uint256

LOW: constant(uint256) = 2**64 - 1
LIMIT: constant(uint256) = 2**62 - 1
TOP_BITS: constant(uint256) = (3 << 62) | (3 << 126) | (3 << 190) | (3 << 254)
ECHO: constant(Bytes[11]) = x"600b380380600b5f395ff3"  # returns everything after itself
SLICE: constant(Bytes[13]) = x"60203580600d5f35015f395ff3"  # answers (offset, size) with that slice of what follows
ADDRESS: constant(uint256) = 2**160 - 1
CHANGED: constant(uint256) = 1 << 120  # bit 56 of the flags, in word 0
BYTES_MAX: constant(uint256) = 4096
WORDS_MAX: constant(uint256) = 56
PAYEES_MAX: constant(uint256) = 64
LANES: constant(uint256) = (65535 << 232) | (65535 << 200) | (255 << 32)  # what an amendment keeps of the header
ROW_WORDS_MAX: constant(uint256) = 4
ROWS_MAX: constant(uint256) = 767  # what a contract of 24,576 bytes holds

COLLECT: constant(uint256) = 4  # the account where all cash arrives
REGISTERS: constant(uint256) = 256
MACHINE: constant(uint256) = 224  # the days of the period as 30/360, then
DAYS: constant(uint256) = 225
SECONDS: constant(uint256) = 226
INFINITE: constant(uint256) = 227
ONE: constant(uint256) = 229  # 228 holds zero
INFLOW: constant(uint256) = 230
STALE: constant(uint256) = 231
NEGATIVE: constant(uint256) = 232  # one for each of the six measures
MEASURE: constant(uint256) = 238
INFINITE_WHEN_STALE: constant(uint256) = 244
COLUMN: constant(uint256) = 245  # eleven columns of the schedule

PAY: constant(uint256) = 1
ACC: constant(uint256) = 2
SPLIT: constant(uint256) = 3
FUND: constant(uint256) = 4
DRAIN: constant(uint256) = 5
TEST: constant(uint256) = 6
CURE: constant(uint256) = 7
STATE: constant(uint256) = 8
ADD: constant(uint256) = 9
SUB: constant(uint256) = 10
MIN: constant(uint256) = 11
MAX: constant(uint256) = 12
MOVE: constant(uint256) = 13

DOLLAR: public(immutable(address))
ANCHOR: public(immutable(address))
GOVERNOR: public(immutable(address))  # zero: nobody amends, waives or replaces
PROGRAM: immutable(address)
SCHEDULE: immutable(address)
DEAL_HASH: immutable(bytes32)

words: public(uint256[WORDS_MAX])
payees: HashMap[uint256, uint256]  # lane -> address | withdrawn << 160
owed_former: public(HashMap[address, uint256])  # to payees who were replaced
extras: uint256  # once CHANGED: the program's address | six 16-bit numbers of the last period each test is waived in
changed_schedule: address
changed_deal_hash: bytes32


@deploy
def __init__(
    dollar: address,
    anchor: address,
    program: Bytes[BYTES_MAX],
    schedule: address,
    deal_hash: bytes32,
    payees: DynArray[address, PAYEES_MAX],
    governor: address,
):
    """
    @notice Refuses a malformed program, so that none that could create cash, move what was paid, or get stuck ever runs.
    @param schedule the data contract with the program's rows; zero where it has none
    @param payees the owner of each paid lane, in order from the header's first paid lane
    @param governor who may amend, waive and replace; zero for nobody, ever
    """
    assert dollar.is_contract and anchor.is_contract, "deal.no_contract"
    header: uint256 = self._check(program, schedule)
    self._open(program, header, payees)
    DOLLAR = dollar
    ANCHOR = anchor
    GOVERNOR = governor
    SCHEDULE = schedule
    DEAL_HASH = deal_hash
    PROGRAM = self._store(program)


# ---------------------------------------------------------------- acts


@external
@nonreentrant
def close() -> uint256:
    """
    @notice Close the period: take in what arrived, read the report, run the waterfall. Anyone, once the period has ended.
        Without a fresh report it waits for the deal's grace; after it, it runs with measures of 0 and the stale bit set.
    @return the flags after the close
    """
    first: uint256 = self.words[0]
    program_at: address = PROGRAM
    waived: uint256 = 0
    if first & CHANGED != 0:
        extras: uint256 = self.extras
        program_at = convert(extras & ADDRESS, address)
        waived = extras >> 160
    program: Bytes[BYTES_MAX] = raw_call(program_at, b"", max_outsize=BYTES_MAX, is_static_call=True)
    header: uint256 = extract32(program, 0, output_type=uint256)
    state_words: uint256 = (header >> 240) & 255
    r: uint256[REGISTERS] = empty(uint256[REGISTERS])
    old: uint256[WORDS_MAX] = empty(uint256[WORDS_MAX])

    # lasting lanes and constants enter their registers
    old[0] = first
    r[0] = first & LOW
    r[1] = (first >> 64) & LOW
    r[2] = (first >> 128) & LOW
    r[3] = first >> 192
    at: uint256 = 4
    for s: uint256 in range(1, state_words, bound=WORDS_MAX):
        word: uint256 = self.words[s]
        old[s] = word
        r[at] = word & LOW
        r[at + 1] = (word >> 64) & LOW
        r[at + 2] = (word >> 128) & LOW
        r[at + 3] = word >> 192
        at = unsafe_add(at, 4)
    here: uint256 = 32
    for s: uint256 in range((header >> 224) & 255, bound=WORDS_MAX):
        word: uint256 = extract32(program, here, output_type=uint256)
        r[at] = word & LOW
        r[at + 1] = (word >> 64) & LOW
        r[at + 2] = (word >> 128) & LOW
        r[at + 3] = word >> 192
        at = unsafe_add(at, 4)
        here = unsafe_add(here, 32)

    # the period's dates, the report, the cash
    period: uint256 = r[2]
    rows: uint256 = (header >> 40) & 65535
    schedule: address = empty(address)
    start: uint256 = 0
    end: uint256 = 0
    if rows == 0:
        start = self._starts(header, period)
        end = self._starts(header, unsafe_add(period, 1))
    else:
        schedule = self._schedule()
        start = self._start(header, schedule, period)
        end = self._start(header, schedule, unsafe_add(period, 1))
    assert block.timestamp >= end, "deal.period_open"
    pages: uint256 = (header >> 64) & 255
    report: uint256 = self._report(self)
    fresh: bool = (report >> 192) & (2**32 - 1) == end and (report >> 224) > block.timestamp
    second: uint256 = 0
    if pages == 2:
        second = self._report(convert(convert(self, uint160) ^ 1, address))
        fresh = fresh and (second >> 192) & (2**32 - 1) == end and (second >> 224) > block.timestamp
        log SecondPage(period=period, report=second)
    if fresh:
        measures: uint256 = report
        for i: uint256 in range(unsafe_mul(3, pages), bound=6):
            if i == 3:
                measures = second
            measure: uint256 = measures & LOW
            if measure >> 63 == 1:
                r[NEGATIVE + i] = 1
            else:
                r[MEASURE + i] = min(measure, LIMIT)
            measures = measures >> 64
    else:
        assert block.timestamp >= end + ((header >> 72) & (2**32 - 1)), "deal.report_awaited"
        r[STALE] = 1
        r[INFINITE_WHEN_STALE] = LIMIT
    # cash above LIMIT stays outside; a dollar that took cash back (balance below what is owed) brings no inflow
    cash: uint256 = min(staticcall IERC20(DOLLAR).balanceOf(self), LIMIT) + r[0]
    inflow: uint256 = min(cash - min(cash, r[3]), LIMIT - r[3])
    r[3] = unsafe_add(r[3], inflow)
    r[COLLECT] = unsafe_add(r[COLLECT], inflow)
    r[MACHINE] = 30 * ((header >> 104) & 255)
    if rows != 0:
        row: uint256[ROW_WORDS_MAX] = self._row(schedule, (header >> 56) & 255, min(period, rows - 1))
        days: uint256 = (row[0] >> 64) & LOW
        if days != 0 and period < rows:
            r[MACHINE] = days
        r[COLUMN] = (row[0] >> 128) & LOW
        r[COLUMN + 1] = row[0] >> 192
        for i: uint256 in range(2):
            word: uint256 = row[i + 1]
            r[COLUMN + 2 + 4 * i] = word & LOW
            r[COLUMN + 3 + 4 * i] = (word >> 64) & LOW
            r[COLUMN + 4 + 4 * i] = (word >> 128) & LOW
            r[COLUMN + 5 + 4 * i] = word >> 192
        r[COLUMN + 10] = row[3] & LOW
    r[DAYS] = unsafe_div(end - start, 86400)
    r[SECONDS] = end - start
    r[INFINITE] = LIMIT
    r[ONE] = 1
    r[INFLOW] = inflow

    # the steps
    state: uint256 = r[1] & 255
    for w: uint256 in range((header >> 216) & 255, bound=60):
        four: uint256 = extract32(program, here, output_type=uint256)
        here = unsafe_add(here, 32)
        for j: uint256 in range(4):
            step: uint256 = four >> 192
            four = four << 64
            if (step >> unsafe_add(48, state)) & 1 == 0:
                continue
            op: uint256 = step >> 56
            a: uint256 = (step >> 40) & 255
            value: uint256 = r[a]
            if op == PAY and value == 0:
                continue
            b: uint256 = (step >> 32) & 255
            c: uint256 = (step >> 24) & 255
            e: uint256 = (step >> 16) & 255

            if op == PAY:  # least of what is left, due b and cap e, from a to c; own: junior first
                left: uint256 = value
                items: uint256 = unsafe_add(step & 15, 1)
                step_e: uint256 = (step >> 4) & 1
                step_b: uint256 = (step >> 5) & 1
                step_c: uint256 = (step >> 6) & 1
                own: uint256 = (step >> 7) & 1
                if own == 1:
                    b = unsafe_add(b, unsafe_mul(step_b, unsafe_sub(items, 1)))
                    c = unsafe_add(c, unsafe_mul(step_c, unsafe_sub(items, 1)))
                    e = unsafe_add(e, unsafe_mul(step_e, unsafe_sub(items, 1)))
                for i: uint256 in range(items, bound=16):
                    x: uint256 = left
                    if b != 0:
                        x = min(x, r[b])
                    if e != 0:
                        x = min(x, r[e])
                        r[e] = unsafe_sub(r[e], x)
                    if b != 0:
                        r[b] = unsafe_sub(r[b], x)
                    if c != 0:
                        r[c] = min(unsafe_add(r[c], x), LIMIT)
                    left = unsafe_sub(left, x)
                    if own == 1:
                        b = unsafe_sub(b, step_b)
                        c = unsafe_sub(c, step_c)
                        e = unsafe_sub(e, step_e)
                    else:
                        b = unsafe_add(b, step_b)
                        c = unsafe_add(c, step_c)
                        e = unsafe_add(e, step_e)
                r[a] = left
            elif op == ACC:  # c = a * b * e // g; own: added to c. Three factors < 2**62 fit 186 bits
                factor: uint256 = r[e]
                divisor: uint256 = r[(step >> 8) & 255]
                step_a: uint256 = (step >> 4) & 1
                step_b: uint256 = (step >> 5) & 1
                step_c: uint256 = (step >> 6) & 1
                for i: uint256 in range(unsafe_add(step & 15, 1), bound=16):
                    x: uint256 = unsafe_div(unsafe_mul(unsafe_mul(r[a], r[b]), factor), divisor)
                    if (step >> 7) & 1 == 1:
                        x = unsafe_add(x, r[c])
                    r[c] = min(x, LIMIT)
                    a = unsafe_add(a, step_a)
                    b = unsafe_add(b, step_b)
                    c = unsafe_add(c, step_c)
            elif op < TEST:
                if op == SPLIT:  # b from a to c by weights e; own: weights are dues, paid down (and g with them)
                    g: uint256 = (step >> 8) & 255
                    items: uint256 = unsafe_add(step & 15, 1)
                    step_c: uint256 = (step >> 6) & 1
                    own: uint256 = (step >> 7) & 1
                    amount: uint256 = value
                    if b != 0:
                        amount = min(amount, r[b])
                    total: uint256 = 0
                    for i: uint256 in range(items, bound=16):
                        total = unsafe_add(total, r[e + i])
                    if own == 1:
                        amount = min(amount, total)
                    if amount == 0 or total == 0:
                        continue
                    left: uint256 = amount
                    for i: uint256 in range(items, bound=16):
                        weight: uint256 = r[e + i]
                        x: uint256 = unsafe_div(unsafe_mul(amount, weight), total)
                        if unsafe_add(i, 1) == items:
                            x = left
                        if own == 1:
                            x = min(x, weight)
                            r[e + i] = unsafe_sub(weight, x)
                            if g != 0:
                                r[g + i] = unsafe_sub(r[g + i], min(x, r[g + i]))
                        r[c] = unsafe_add(r[c], x)
                        left = unsafe_sub(left, x)
                        c = unsafe_add(c, step_c)
                    r[a] = unsafe_sub(value, unsafe_sub(amount, left))
                else:
                    x: uint256 = 0
                    if op == FUND:  # from a, fill c up to target b
                        x = min(value, unsafe_sub(max(r[b], r[c]), r[c]))
                    else:  # DRAIN: what a holds above target b, to c
                        x = unsafe_sub(max(value, r[b]), r[b])
                    r[a] = unsafe_sub(value, x)
                    r[c] = unsafe_add(r[c], x)
            elif op < ADD:
                if op == TEST:  # where a * b < c * e, g is at least level l
                    if unsafe_mul(value, r[b]) < unsafe_mul(r[c], r[e]):
                        g: uint256 = (step >> 8) & 255
                        r[g] = max(r[g], step & 15)
                elif op == CURE:  # worse at once; better after e clean periods, none without its report; never from level g up (0: always)
                    g: uint256 = (step >> 8) & 255
                    place: uint256 = unsafe_mul(8, a)
                    level: uint256 = (r[1] >> place) & 15
                    clean: uint256 = (r[1] >> unsafe_add(place, 4)) & 15
                    found: uint256 = min(r[c], 15)
                    if waived != 0 and (waived >> unsafe_mul(16, unsafe_sub(a, 1))) & 65535 > period:
                        level = 0
                        clean = 0
                    elif found >= level:
                        level = found
                        clean = 0
                    elif r[STALE] == 0 and (g == 0 or level < g):
                        if clean >= e:
                            level = found
                            clean = 0
                        else:
                            clean = unsafe_add(clean, 1)
                    r[1] = (r[1] & ~(255 << place)) | (unsafe_add(level, unsafe_mul(16, clean)) << place)
                    r[b] = max(r[b], level)
                else:  # STATE: from the next step on
                    state = min(value, 7)
                    r[1] = (r[1] & ~convert(255, uint256)) | state
            elif op == ADD:  # the sum of the items from a on, and of b
                x: uint256 = 0
                if b != 0:
                    x = r[b]
                for i: uint256 in range(unsafe_add(step & 15, 1), bound=16):
                    x = unsafe_add(x, r[a + i])
                r[c] = min(x, LIMIT)
            else:
                step_a: uint256 = (step >> 4) & 1
                step_b: uint256 = (step >> 5) & 1
                step_c: uint256 = (step >> 6) & 1
                for i: uint256 in range(unsafe_add(step & 15, 1), bound=16):
                    if op == SUB:
                        r[c] = unsafe_sub(max(r[a], r[b]), r[b])
                    elif op == MIN:
                        r[c] = min(r[a], r[b])
                    elif op == MAX:
                        r[c] = max(r[a], r[b])
                    else:  # MOVE: all of a onto c
                        r[c] = min(unsafe_add(r[c], r[a]), LIMIT)
                        r[a] = 0
                    a = unsafe_add(a, step_a)
                    b = unsafe_add(b, step_b)
                    c = unsafe_add(c, step_c)

    # pack, write what changed, and check that the cash lanes hold all that was ever taken in
    r[2] = unsafe_add(period, 1)
    total: uint256 = 0
    at = 0
    for s: uint256 in range(state_words, bound=WORDS_MAX):
        word: uint256 = r[at] | (r[at + 1] << 64) | (r[at + 2] << 128) | (r[at + 3] << 192)
        if s != 0 and s <= (header >> 232) & 255:
            total = unsafe_add(total, word % LOW)  # modulo 2**64 - 1 a word is the sum of its lanes
        if word != old[s]:
            self.words[s] = word
        at = unsafe_add(at, 4)
    assert total == r[3], "deal.cash_lost"
    log PeriodClosed(period=period, flags=r[1], inflow=inflow, report=report, fresh=fresh)
    return r[1]


@external
@nonreentrant
def withdraw(lane: uint256) -> uint256:
    """
    @notice Pay the lane's payee, and no one else, all that the lane owes it.
    @return the amount paid [micro-dollars]; 0 where nothing is owed
    """
    payee: uint256 = self.payees[lane]
    assert payee & ADDRESS == convert(msg.sender, uint256), "deal.not_a_payee"
    paid: uint256 = self._lane(lane)
    amount: uint256 = paid - (payee >> 160)
    if amount == 0:
        return 0
    self.payees[lane] = (payee & ADDRESS) | (paid << 160)
    self.words[0] += amount  # lane 0: paid out, never above taken in
    assert extcall IERC20(DOLLAR).transfer(msg.sender, amount, default_return_value=True), "deal.dollar_refused"
    log Withdrawn(lane=lane, payee=msg.sender, amount=amount)
    return amount


@external
@nonreentrant
def withdraw_former() -> uint256:
    """
    @notice Pay a payee who was replaced what its lane owed it until then.
    @return the amount paid [micro-dollars]; 0 where nothing is owed
    """
    amount: uint256 = self.owed_former[msg.sender]
    if amount == 0:
        return 0
    self.owed_former[msg.sender] = 0
    self.words[0] += amount
    assert extcall IERC20(DOLLAR).transfer(msg.sender, amount, default_return_value=True), "deal.dollar_refused"
    log Withdrawn(lane=0, payee=msg.sender, amount=amount)
    return amount


# ---------------------------------------------------------------- acts of the governor


@external
@nonreentrant
def amend(program: Bytes[BYTES_MAX], schedule: address, deal_hash: bytes32):
    """
    @notice Role: the governor.
            Another program (and schedule) runs from the next close on. It passes the same checker, keeps every lane
            where it is and the open period's dates; balances, cash and flags stay, waivers end.
    """
    assert msg.sender == GOVERNOR, "deal.governor"
    header: uint256 = self._check(program, schedule)
    before: uint256 = self._header()
    old_schedule: address = self._schedule()
    period: uint256 = self._lane(2)
    assert (header ^ before) & LANES == 0, "deal.layout"
    for k: uint256 in range(2):
        old: uint256 = self._start(before, old_schedule, period + k)
        assert self._start(header, schedule, period + k) == old, "deal.dates"
    made: address = self._store(program)
    self.words[0] |= CHANGED
    self.extras = convert(made, uint256)
    self.changed_schedule = schedule
    self.changed_deal_hash = deal_hash
    log Amended(program_hash=keccak256(program), deal_hash=deal_hash, program=made, schedule=schedule)


@external
@nonreentrant
def waive(test: uint256, through_period: uint256):
    """
    @notice Role: the governor.
            Test `test` (1-6) finds nothing in all periods up to number `through_period`, counting from 1; 0 ends it.
    """
    assert msg.sender == GOVERNOR, "deal.governor"
    assert test != 0 and test <= 6 and through_period < 2**16, "deal.waiver"
    place: uint256 = 144 + 16 * test
    extras: uint256 = self._extras()
    self.changed_schedule = self._schedule()
    self.extras = (extras & ~(65535 << place)) | (through_period << place)
    self.words[0] |= CHANGED
    log Waived(test=test, through_period=through_period)


@external
@nonreentrant
def replace(lane: uint256, payee: address):
    """
    @notice Role: the governor.
            Hand a fee's lane to another payee. What it owes until now stays owed to whom it was (`withdraw_former`).
    """
    assert msg.sender == GOVERNOR, "deal.governor"
    header: uint256 = self._header()
    first: uint256 = (header >> 208) & 255
    assert lane >= first and lane < first + ((header >> 32) & 255) and payee != empty(address), "deal.not_replaceable"
    old: uint256 = self.payees[lane]
    paid: uint256 = self._lane(lane)
    former: address = convert(old & ADDRESS, address)
    owed: uint256 = paid - (old >> 160)
    self.owed_former[former] += owed
    self.payees[lane] = convert(payee, uint256) | (paid << 160)
    log Replaced(lane=lane, former=former, payee=payee, owed_former=owed)


# ---------------------------------------------------------------- views


@external
@view
def program() -> Bytes[BYTES_MAX]:
    """
    @notice The bytes that run.
    """
    return self._program()


@external
@view
def program_at() -> address:
    """
    @notice The data contract that holds the bytes.
    """
    return convert(self._extras() & ADDRESS, address)


@external
@view
def schedule() -> address:
    """
    @notice The data contract of the schedule in force; zero where the program has none.
    """
    return self._schedule()


@external
@view
def program_hash() -> bytes32:
    """
    @notice keccak256 of the bytes that run.
    """
    return keccak256(self._program())


@external
@view
def deal_hash() -> bytes32:
    """
    @notice keccak256 of the canonical text of the deal in force.
    """
    if self.changed_deal_hash != empty(bytes32):
        return self.changed_deal_hash
    return DEAL_HASH


@external
@view
def waived_through(test: uint256) -> uint256:
    """
    @notice The number, from 1, of the last period in which test 1-6 is waived; 0 for none.
    """
    assert test != 0 and test <= 6, "deal.waiver"
    return (self._extras() >> (144 + 16 * test)) & 65535


@external
@view
def period() -> uint256:
    """
    @notice How many periods are closed; the next to close counts from 0.
    """
    return self._lane(2)


@external
@view
def flags() -> uint256:
    """
    @notice Byte 0 the state, byte k the level (low 4 bits) and the clean periods of test k, bit 56: amended or waived.
    """
    return self._lane(1)


@external
@view
def lane(number: uint256) -> uint256:
    """
    @notice The value of a lasting lane.
    """
    return self._lane(number)


@external
@view
def payee(lane: uint256) -> address:
    """
    @notice Who may withdraw the lane; zero where none.
    """
    return convert(self.payees[lane] & ADDRESS, address)


@external
@view
def unpaid(lane: uint256) -> uint256:
    """
    @notice What the lane's payee may withdraw now [micro-dollars].
    """
    if self.payees[lane] == 0:
        return 0
    return self._lane(lane) - (self.payees[lane] >> 160)


@external
@view
def period_end() -> uint256:
    """
    @notice When the open period ends [s since 1970]: from then on `close` may be called, and its report is as of then.
    """
    return self._start(self._header(), self._schedule(), self._lane(2) + 1)


@internal
@view
def _lane(number: uint256) -> uint256:
    return (self.words[number // 4] >> (64 * (number % 4))) & LOW


@internal
@view
def _extras() -> uint256:
    return self.extras if self.words[0] & CHANGED != 0 else convert(PROGRAM, uint256)


@internal
@view
def _schedule() -> address:
    return self.changed_schedule if self.words[0] & CHANGED != 0 else SCHEDULE


@internal
@view
def _program() -> Bytes[BYTES_MAX]:
    at: address = convert(self._extras() & ADDRESS, address)
    return raw_call(at, b"", max_outsize=BYTES_MAX, is_static_call=True)


@internal
@view
def _header() -> uint256:
    return extract32(self._program(), 0, output_type=uint256)


@internal
@view
def _row(schedule: address, words: uint256, number: uint256) -> uint256[ROW_WORDS_MAX]:
    """
    A row of the schedule; words it does not have are zero.
    """
    asked: Bytes[64] = abi_encode(32 * words * number, 32 * words)
    raw: Bytes[128] = raw_call(schedule, asked, max_outsize=128, is_static_call=True)
    row: uint256[ROW_WORDS_MAX] = empty(uint256[ROW_WORDS_MAX])
    for i: uint256 in range(words, bound=ROW_WORDS_MAX):
        row[i] = extract32(raw, 32 * i, output_type=uint256)
    return row


@internal
@view
def _start(header: uint256, schedule: address, period: uint256) -> uint256:
    """
    When a period starts [s since 1970]: the end of the row before it, or as the header says.
    """
    if period != 0 and period <= (header >> 40) & 65535:
        end: uint256 = self._row(schedule, (header >> 56) & 255, period - 1)[0] & LOW
        if end != 0:
            return end
    return self._starts(header, period)


@internal
@view
def _report(subject: address) -> uint256:
    """
    An anchor that fails or answers short gives 0, which is stale. Starving it of gas is no way to get there: the 1/64
    left over would have to pay for the rest of `close`.
    """
    done: bool = False
    answer: Bytes[32] = b""
    done, answer = raw_call(
        ANCHOR,
        abi_encode(subject, method_id=method_id("report(address)")),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not done or len(answer) != 32:
        return 0
    return convert(answer, uint256)


@internal
@pure
def _starts(header: uint256, period: uint256) -> uint256:
    """
    When a period starts [s since 1970]; days by the proleptic Gregorian calendar, years counted from March.
    """
    months: uint256 = ((header >> 176) & 255) + ((header >> 104) & 255) * period + 9  # March is 0 modulo 12
    year: uint256 = ((header >> 184) & 65535) + unsafe_div(months, 12) - 1
    of_year: uint256 = unsafe_div(153 * (months % 12) + 2, 5) + ((header >> 168) & 255)
    days: uint256 = 365 * year + unsafe_div(year, 4) - unsafe_div(year, 100) + unsafe_div(year, 400) + of_year - 719469
    return days * 86400 + ((header >> 144) & (2**24 - 1)) + ((header >> 112) & (2**32 - 1)) * period


# ---------------------------------------------------------------- the checker


@internal
def _store(program: Bytes[BYTES_MAX]) -> address:
    """
    A contract that is nothing but the program: whatever is asked of it, it answers with what follows its first bytes.
    """
    return raw_create(concat(ECHO, ECHO, program))


@internal
def _open(program: Bytes[BYTES_MAX], header: uint256, payees: DynArray[address, PAYEES_MAX]):
    """
    Payees and the opening state, of a program that was checked.
    """
    first: uint256 = 1 + ((header >> 232) & 255)
    here: uint256 = 32 * (1 + ((header >> 224) & 255) + ((header >> 216) & 255))
    for s: uint256 in range(first, (header >> 240) & 255, bound=WORDS_MAX):
        self.words[s] = extract32(program, here, output_type=uint256)
        here += 32
    assert len(payees) == (header >> 200) & 255, "program.payees"
    lane: uint256 = (header >> 208) & 255
    for payee: address in payees:
        assert payee != empty(address), "program.payees"
        self.payees[lane] = convert(payee, uint256)
        lane += 1


@internal
@view
def _check(program: Bytes[BYTES_MAX], schedule: address) -> uint256:
    """
    Header, constants, steps, opening words and schedule; returns the header.
    """
    assert len(program) >= 32, "program.length"
    header: uint256 = extract32(program, 0, output_type=uint256)
    state_words: uint256 = (header >> 240) & 255
    cash_words: uint256 = (header >> 232) & 255
    constant_words: uint256 = (header >> 224) & 255
    step_words: uint256 = (header >> 216) & 255
    paid: uint256 = (header >> 208) & 255
    payee_count: uint256 = (header >> 200) & 255
    month: uint256 = (header >> 176) & 255
    day: uint256 = (header >> 168) & 255
    months: uint256 = (header >> 104) & 255
    pages: uint256 = (header >> 64) & 255
    row_words: uint256 = (header >> 56) & 255
    rows: uint256 = (header >> 40) & 65535
    assert header >> 248 == 2 and header & (2**32 - 1) == 0 and (pages == 1 or pages == 2), "program.header"
    assert cash_words != 0 and cash_words < state_words and state_words + constant_words <= WORDS_MAX, "program.header"
    assert step_words != 0 and step_words <= 60, "program.header"
    assert paid > COLLECT and payee_count != 0 and paid + payee_count <= 4 + 4 * cash_words, "program.header"
    assert payee_count <= PAYEES_MAX and (header >> 32) & 255 <= payee_count, "program.header"
    assert (rows == 0) == (row_words == 0) and row_words <= ROW_WORDS_MAX and rows * row_words <= ROWS_MAX, "program.header"
    assert (header >> 184) & 65535 >= 1970 and month != 0 and month <= 12 and day != 0 and day <= 28, "program.dates"
    assert (header >> 144) & (2**24 - 1) < 86400 and months <= 12, "program.dates"
    assert (months == 0) != ((header >> 112) & (2**32 - 1) == 0), "program.dates"  # months or a step, not both
    length: uint256 = 32 * (constant_words + step_words + state_words - cash_words)
    assert len(program) == length + (32 if rows != 0 else 0), "program.length"

    r: uint256[REGISTERS] = empty(uint256[REGISTERS])
    r[ONE] = 1
    here: uint256 = 32
    for s: uint256 in range(constant_words, bound=WORDS_MAX):
        word: uint256 = extract32(program, here, output_type=uint256)
        assert word & TOP_BITS == 0, "program.constant"
        for i: uint256 in range(4):
            r[4 * (state_words + s) + i] = (word >> (64 * i)) & LOW
        here += 32
    for w: uint256 in range(step_words, bound=60):
        four: uint256 = extract32(program, here, output_type=uint256)
        for j: uint256 in range(4):
            step: uint256 = (four >> (192 - 64 * j)) & LOW
            if step != 0:
                self._check_step(
                    step,
                    4 + 4 * cash_words,
                    4 * state_words,
                    4 * (state_words + constant_words),
                    paid,
                    payee_count,
                    r[(step >> 8) & 255],
                )
        here += 32
    for s: uint256 in range(1 + cash_words, state_words, bound=WORDS_MAX):
        assert extract32(program, here, output_type=uint256) & TOP_BITS == 0, "program.opening"
        here += 32
    if rows == 0:
        assert schedule == empty(address), "schedule.code"
    else:
        self._check_schedule(header, schedule, extract32(program, here, output_type=bytes32))
    return header


@internal
@view
def _check_schedule(header: uint256, schedule: address, code_hash: bytes32):
    """
    The contract is the data that the program names, each lane fits, and each period ends after it starts.
    """
    row_words: uint256 = (header >> 56) & 255
    rows: uint256 = (header >> 40) & 65535
    assert schedule.codehash == code_hash and schedule.codesize == 13 + 32 * row_words * rows, "schedule.code"
    assert slice(schedule.code, 0, 13) == SLICE, "schedule.code"
    start: uint256 = self._starts(header, 0)
    for k: uint256 in range(rows, bound=ROWS_MAX):
        row: uint256[ROW_WORDS_MAX] = self._row(schedule, row_words, k)
        assert (row[0] | row[1] | row[2] | row[3]) & TOP_BITS == 0 and row[3] >> 64 == 0, "schedule.lane"
        end: uint256 = row[0] & LOW
        if end == 0:
            end = self._starts(header, k + 1)
        assert end > start, "schedule.ends"
        start = end
    assert self._starts(header, rows + 1) > start, "schedule.ends"


@internal
@pure
def _check_step(
    step: uint256,
    cash_end: uint256,
    lasting_end: uint256,
    temporary: uint256,
    paid: uint256,
    payee_count: uint256,
    divisor: uint256,
):
    """
    Cash moves only from accounts to accounts and paid lanes, by PAY, SPLIT, FUND and DRAIN; the rest writes ledgers and
    temporaries; what one step changes in two roles lies apart.
    """
    op: uint256 = step >> 56
    a: uint256 = (step >> 40) & 255
    b: uint256 = (step >> 32) & 255
    c: uint256 = (step >> 24) & 255
    e: uint256 = (step >> 16) & 255
    g: uint256 = (step >> 8) & 255
    l: uint256 = step & 255
    items: uint256 = (l & 15) + 1
    of_a: uint256 = 1 + (l & 15) * ((l >> 4) & 1)
    of_b: uint256 = 1 + (l & 15) * ((l >> 5) & 1)
    of_c: uint256 = 1 + (l & 15) * ((l >> 6) & 1)
    own: bool = l >= 128
    from_account: bool = COLLECT <= a and a < paid
    to_ledger: bool = self._ledger(c, of_c, cash_end, lasting_end, temporary)
    assert (step >> 48) & 255 != 0, "program.states"

    if op == PAY:
        to_cash: bool = COLLECT <= c and c + of_c <= paid + payee_count
        from_ledger: bool = self._ledger(a, 1, cash_end, lasting_end, temporary)
        assert (from_account and to_cash) or (from_ledger and (to_ledger or (c == 0 and of_c == 1))), "program.pay"
        assert (b == 0 and of_b == 1) or self._ledger(b, of_b, cash_end, lasting_end, temporary), "program.pay"
        assert (e == 0 and of_a == 1) or self._ledger(e, of_a, cash_end, lasting_end, temporary), "program.pay"
        assert self._apart(a, 1, b, of_b) and self._apart(a, 1, c, of_c) and self._apart(a, 1, e, of_a), "program.pay"
        assert self._apart(b, of_b, c, of_c) and self._apart(b, of_b, e, of_a) and self._apart(c, of_c, e, of_a), "program.pay"
    elif op == ACC:
        assert self._readable(a, of_a) and self._readable(b, of_b) and self._readable(e, 1), "program.acc"
        assert divisor != 0 and to_ledger, "program.acc"
    elif op == SPLIT:
        assert from_account and COLLECT <= c and c + of_c <= paid + payee_count and self._apart(a, 1, c, of_c), "program.split"
        assert (b == 0 or self._readable(b, 1)) and e >= cash_end and self._readable(e, items), "program.split"
        assert not own or self._ledger(e, items, cash_end, lasting_end, temporary), "program.split"
        assert g == 0 or (own and self._ledger(g, items, cash_end, lasting_end, temporary)), "program.split"
        assert self._apart(e, items, g, items), "program.split"
    elif op == FUND or op == DRAIN:
        assert from_account and COLLECT <= c and c < paid and a != c and self._readable(b, 1), "program.reserve"
    elif op == TEST:
        assert self._readable(a, 1) and self._readable(b, 1) and self._readable(c, 1) and self._readable(e, 1), "program.test"
        assert temporary <= g and g < MACHINE and l != 0 and l <= 15, "program.test"
    elif op == CURE:
        assert a != 0 and a <= 6 and temporary <= b and b < MACHINE and self._readable(c, 1) and e <= 15 and g <= 15, "program.cure"
    elif op == STATE:
        assert self._readable(a, 1), "program.state"
    elif op == ADD:
        assert self._readable(a, items) and (b == 0 or self._readable(b, 1)), "program.add"
        assert self._ledger(c, 1, cash_end, lasting_end, temporary), "program.add"
    elif op == MOVE:
        assert self._ledger(a, of_a, cash_end, lasting_end, temporary) and to_ledger and self._apart(a, of_a, c, of_c), "program.move"
    else:
        assert op == SUB or op == MIN or op == MAX, "program.op"
        assert self._readable(a, of_a) and self._readable(b, of_b) and to_ledger, "program.op"


@internal
@pure
def _readable(first: uint256, count: uint256) -> bool:
    return (first == 2 and count == 1) or (COLLECT <= first and first + count <= REGISTERS)


@internal
@pure
def _ledger(first: uint256, count: uint256, cash_end: uint256, lasting_end: uint256, temporary: uint256) -> bool:
    """
    Whether all `count` registers from `first` on are lasting lanes without cash, or all temporaries.
    """
    return (cash_end <= first and first + count <= lasting_end) or (temporary <= first and first + count <= MACHINE)


@internal
@pure
def _apart(x: uint256, of_x: uint256, y: uint256, of_y: uint256) -> bool:
    """
    Whether the two ranges share no register; 0 stands for none.
    """
    return x == 0 or y == 0 or x + of_x <= y or y + of_y <= x
