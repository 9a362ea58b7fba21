# pragma version 0.4.3
"""
@title The plain way of `deal_gas.py`: tests/contracts/four_tranches.yaml written by hand
@license Apache-2.0
@notice A storage word for each value, dollars pushed to every payee at each close. Months of thirty days; no
    withdrawals, no check of conservation, no negative measures: what a deal would leave out that is written once.
"""
from ethereum.ercs import IERC20

interface Anchor:
    def report(subject: address) -> uint256: view

MONTH: constant(uint256) = 30 * 86400
USDC: constant(uint256) = 10**6
NORMAL: constant(uint256) = 0
LOCKUP: constant(uint256) = 1
ACCEL: constant(uint256) = 2
RATES: constant(uint256[3]) = [575, 825, 1200]  # basis points a year

struct Covenant:
    level: uint256
    clean: uint256

dollar: immutable(IERC20)
anchor: immutable(Anchor)
payees: address[6]  # opex, servicer, A, B, C, E
ends: public(uint256)
state: public(uint256)
fees: uint256[2]
balance_of: public(uint256[3])
interest: uint256[3]
principal: uint256
dsra: uint256
inverter: uint256
trap: uint256
dscr: Covenant
ltv: Covenant


@deploy
def __init__(_dollar: address, _anchor: address, payees: address[6], ends: uint256):
    dollar = IERC20(_dollar)
    anchor = Anchor(_anchor)
    self.payees = payees
    self.ends = ends
    self.balance_of = [60_000_000 * USDC, 8_000_000 * USDC, 4_000_000 * USDC]


@external
def close():
    """
    @notice Close the period and push what each payee is due.
    """
    assert block.timestamp >= self.ends
    report: uint256 = staticcall anchor.report(self)
    fresh: bool = (report >> 192) & (2**32 - 1) == self.ends and (report >> 224) > block.timestamp
    self.ends += MONTH
    cash: uint256 = staticcall dollar.balanceOf(self) - self.dsra - self.inverter - self.trap
    self.fees[0] += 90_000 * USDC
    self.fees[1] += 25_000 * USDC
    scheduled: uint256 = min(500_000 * USDC, self.balance_of[0])
    due: uint256 = scheduled + self.balance_of[0] * RATES[0] * 30 // (10_000 * 360)
    for i: uint256 in range(3):
        self.interest[i] += self.balance_of[i] * RATES[i] * 30 // (10_000 * 360)
    self.principal = min(self.principal + scheduled, self.balance_of[0])
    self._test(report & (2**64 - 1), (report >> 64) & (2**64 - 1), due, fresh)
    self._distribute(cash)


@internal
def _test(cfads: uint256, worth: uint256, due: uint256, fresh: bool):
    cover: uint256 = LOCKUP
    lend: uint256 = LOCKUP
    if fresh:
        cover = NORMAL
        if cfads < due:
            cover = ACCEL
        elif cfads * 5 < due * 6:
            cover = LOCKUP
        lend = NORMAL
        if worth * 9 < (self.balance_of[0] + self.balance_of[1] + self.balance_of[2]) * 10:
            lend = LOCKUP
    if cover >= self.dscr.level or (self.dscr.clean >= 1 and self.dscr.level < ACCEL):
        self.dscr = Covenant(level=cover, clean=0)
    elif self.dscr.level < ACCEL:
        self.dscr.clean += 1
    if lend >= self.ltv.level or self.ltv.clean >= 1:
        self.ltv = Covenant(level=lend, clean=0)
    else:
        self.ltv.clean += 1
    self.state = max(self.dscr.level, self.ltv.level)


@internal
def _distribute(held: uint256):
    cash: uint256 = held
    paid: uint256[6] = empty(uint256[6])
    for i: uint256 in range(2):
        paid[i] = min(cash, self.fees[i])
        self.fees[i] -= paid[i]
        cash -= paid[i]
    if self.state == ACCEL:
        cash += self.trap
        self.trap = 0
        for i: uint256 in range(3):
            x: uint256 = min(cash, self.interest[i])
            self.interest[i] -= x
            y: uint256 = min(cash - x, self.balance_of[i])
            self.balance_of[i] -= y
            paid[2 + i] = x + y
            cash -= x + y
        paid[5] = cash
    else:
        x: uint256 = min(cash, self.interest[0])
        cash -= x
        help: uint256 = min(self.dsra, self.interest[0] - x)
        self.interest[0] -= x + help
        y: uint256 = min(cash, min(self.principal, self.balance_of[0]))
        cash -= y
        more: uint256 = min(self.dsra - help, self.principal - y)
        self.dsra -= help + more
        self.principal -= y + more
        self.balance_of[0] -= y + more
        paid[2] = x + help + y + more
        fill: uint256 = min(cash, 1_700_000 * USDC - min(self.dsra, 1_700_000 * USDC))
        self.dsra += fill
        cash -= fill
        fill = min(cash, 250_000 * USDC - min(self.inverter, 250_000 * USDC))
        self.inverter += fill
        cash -= fill
        for i: uint256 in range(1, 3):
            z: uint256 = min(cash, self.interest[i])
            self.interest[i] -= z
            paid[2 + i] = z
            cash -= z
        if self.state == LOCKUP:
            self.trap += cash
        else:
            paid[5] = cash + self.trap
            self.trap = 0
    for i: uint256 in range(6):
        if paid[i] > 0:
            assert extcall dollar.transfer(self.payees[i], paid[i])
