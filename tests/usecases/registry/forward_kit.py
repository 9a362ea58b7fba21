"""A roof and a turbine of one owner whose output is sold forward; dollars come from a bank outside."""

from __future__ import annotations

from typing import Any

import numpy as np
from device_kit import hours, key_of, new_device
from registry_kit import Registry

from penstock.energy.verdict import ReadingVerdict
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns
from penstock.journal.words import TITLE_STATES, Right, Technology
from penstock.period import HOUR_US
from penstock.usecases.certify import Terms, certify
from penstock.usecases.enrol import enrol_device
from penstock.usecases.ingest import ingest
from penstock.usecases.registry.forward import Offer, Sell, deliver, offer, sell, settle
from penstock.usecases.registry.fund import Fund, fund

NAME, ROOF, TURBINE, PROMISE = "spring", "roof/export", "turbine/export", "spring/promised"
MWH = 1_000_000
DOLLARS = 10 * MWH


def terms(**changes: Any) -> Offer:
    """Hours 1 to 4 of the roof: 3,500 Wh of a P50 of 4,000, at 80 and 60 dollars a MWh."""
    told: dict[str, Any] = {
        "forward": NAME,
        "seller": "owner",
        "registers": (ROOF,),
        "start_us": hours(1),
        "stop_us": hours(5),
        "prices_usdc_micro_per_mwh": (80 * MWH, 60 * MWH),
        "quantity_wh": 3_500,
        "p50_wh": 4_000,
        "p90_wh": 3_000,
        "method": "site study",
        "basis": "three years of wind and sun",
        "cash_usdc_micro_per_mwh": 90 * MWH,
        "grace_us": HOUR_US,
    }
    return Offer(**{**told, **changes})


def share(basis_points: int = 5_000, **changes: Any) -> Offer:
    return terms(quantity_wh=0, share_basis_points=basis_points, **changes)


def shape(*energy_wh: int, **changes: Any) -> Offer:
    """So much in each hour from hour 1 on."""
    rows = tuple((hours(hour), hours(hour + 1), wh) for hour, wh in enumerate(energy_wh, 1))
    return terms(quantity_wh=0, shape=rows, **changes)


class Forwarded(Registry):
    """Acts on forwards, decided and recorded; the laws hold after each, and every dollar and Wh is somewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tell(enrol_device(self.world, new_device("turbine", technology=Technology.WIND)))
        self.counts = {"roof": 0, "turbine": 0}
        self.taken_in: list[Columns] = []
        self.last_hour = 0.0
        for account in ("owner", "trader", "buyer"):
            self.tell(fund(self.world, Fund(account, DOLLARS, "a payment")))

    def sold(self, offered: Offer, *sales: Sell) -> Forwarded:
        self.do(offer, offered, 0)
        for one in sales:
            self.do(sell, one, 0)
        return self

    def meter(self, hour: float, **gains_wh: int) -> None:
        """Both meters at an hour, each so much above its last reading."""
        self.last_hour = hour
        for device in self.counts:
            self.counts[device] += gains_wh.get(device, 0)
            raw = self.next_packet(key_of(device), [(hour, self.counts[device])], device)
            entries = ingest(self.world, [raw], hours(hour + 0.001))
            self.tell(entries, hours(hour + 0.001))
            (columns,) = [e.segment.columns for e in entries if e.segment and isinstance(e.fact, ReadingsVerified)]
            assert ReadingVerdict(int(columns["verdict"][0])) is ReadingVerdict.ACCEPTED
            self.taken_in.append(columns)

    def certify(self, hour: float) -> None:
        self.tell(certify(self.world, self.taken_in, "XX", Terms()), hours(hour))
        assert breaches(self.world.books) == ()

    def counted_hours(self, *roof_wh: int, first: int = 1) -> None:
        """Hour by hour from ``first`` on the roof counts so much, and is certified."""
        if self.last_hour < first:
            self.meter(first)
        for hour, wh in enumerate(roof_wh, first + 1):
            self.meter(hour, roof=wh)
        self.certify(first + 1 + len(roof_wh))

    def deliver(self, hour: float = 6, name: str = NAME) -> list[Entry]:
        return self.do(lambda world, one, at_us: deliver(world, one, at_us), name, hour)

    def settle(self, hour: float = 9, name: str = NAME) -> list[Entry]:
        return self.do(lambda world, one, at_us: settle(world, one, at_us), name, hour)

    def no_delivery(self, hour: float = 6, name: str = NAME) -> str:
        return self.refused(lambda world, one, at_us: deliver(world, one, at_us), name, hour)

    def no_settlement(self, hour: float = 9, name: str = NAME) -> str:
        return self.refused(lambda world, one, at_us: settle(world, one, at_us), name, hour)

    def dollars(self, account: str) -> int:
        """What an account has more than it began with [micro-dollars]."""
        held = self.world.books.ledger.balance(self.world.books.accounts.id_of(account))
        return held - DOLLARS * (account in ("owner", "trader", "buyer"))

    def got(self, right: Right = Right.ATTRIBUTE, urn: str = ROOF) -> list[tuple[int, int, str, str]]:
        """Start, stop, holder and state of titles to a register."""
        rows = self.world.books.titles[right].columns()
        at = np.flatnonzero(rows["register"] == self.world.books.registers.id_of(urn))
        names = [self.world.books.accounts.name(one) for one in rows["holder"][at].tolist()]
        states = [TITLE_STATES[code].value for code in rows["state"][at].tolist()]
        return list(zip(rows["start"][at].tolist(), rows["stop"][at].tolist(), names, states, strict=True))

    def got_wh(self, account: str, right: Right = Right.ATTRIBUTE) -> int:
        return sum(stop - start for start, stop, holder, _ in self.got(right) if holder == account)

    def by_hour(self, account: str) -> list[int]:
        """What an account holds of the roof's certificates, hour by hour from hour 1 on."""
        rows = self.world.books.titles[Right.ATTRIBUTE].columns()
        mine = rows["holder"] == self.world.books.accounts.id_of(account)
        mine &= rows["register"] == self.world.books.registers.id_of(ROOF)
        hour = (rows["interval_us"][mine] - hours(1)) // HOUR_US
        found = np.zeros(int(hour.max(initial=-1)) + 1, dtype=np.int64)
        np.add.at(found, hour, (rows["stop"] - rows["start"])[mine])
        return [int(one) for one in found]
