"""A provider with one rack of eight accelerators, four days opened, two buyers with dollars; every act is replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock.compute.capacity_laws import capacity_holds
from penstock.compute.service import MS_PER_HOUR
from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.formats import LINKS
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.capacity import (
    CapacityOpened,
    ConversionPublished,
    Firmness,
    ProviderRegistered,
    SkuPublished,
    WindowOffered,
)
from penstock.journal.kinds.compute import CreditsOffered
from penstock.journal.kinds.energy import SpansLinked
from penstock.journal.kinds.ledger import AccountFunded, AccountOpened, RegisterOpened, Transfer
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns, Segment
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, Unit
from penstock.keys import SigningKey
from penstock.period import HOUR_US, parse_iso
from penstock.usecases.compute.move_collateral import Collateral, move_collateral
from penstock.usecases.compute.open_capacity import open_capacity
from penstock.usecases.compute.publish import publish_conversion, publish_sku
from penstock.usecases.compute.register_provider import register_provider
from penstock.usecases.compute.trade_credits import offer_credits
from penstock.usecases.compute.trade_windows import offer_window, standard
from penstock.usecases.enrol import enrol_rack
from penstock.usecases.world import World

START_US = parse_iso("2016-08-22T00:00:00+00:00")
HOURS, ACCELERATORS, FUNDS = 96, 8, 10**12
SKU = SkuPublished("H100-SXM5-80GB", 1, 81_920, "NVLink-8", "matmul-4096", 900, 300, "a published run")
TOKENS_PER_HOUR = 1_000_000
PROVIDER = ProviderRegistered(
    *("provider", "http://127.0.0.1:9000", SigningKey(b"1" * 32).public, b"2" * 20),
    *("provider/collateral", "provider/revenue"),
)
BUYERS = ("agent", "trader")


def at(hour: float) -> int:
    """An instant so many hours after the rack was commissioned."""
    return START_US + int(hour * HOUR_US)


def conversion(unit: Unit = Unit.TOKENS, per_hour: int = TOKENS_PER_HOUR, **changes: Any) -> ConversionPublished:
    told: dict[str, Any] = {
        "conversion": f"model-{unit}",
        "version": 1,
        "sku": SKU.sku,
        "model": "model",
        "precision": "bf16",
    }
    told |= {"slo": "p99 2 s", "unit": unit, "units_per_accelerator_hour": per_hour, "source": "a published run"}
    return ConversionPublished(**{**told, **changes})


def window(offer: str = "w", start: int = 24, hours: int = 4, accelerators: int = 8, **changes: Any) -> WindowOffered:
    told: dict[str, Any] = {"offer": offer, "window": "", "provider": "provider", "rack": "rack", "sku": SKU.sku}
    told |= {"memory_mib": SKU.memory_mib, "interconnect": SKU.interconnect, "region": "US-PSCO"}
    told |= {"accelerators": accelerators, "start_us": at(start), "hours": hours, "firmness": Firmness.FIRM}
    told |= {"notice_us": 0, "availability_bp": 9_900, "kernel_share_bp": 9_500, "pue_max_bp": 13_000}
    told |= {"energy_claim": "hourly matched", "price_usdc_micro": 64_000_000, "deposit_bp": 10_000}
    told |= {"balance_due_us": 0, "collateral_usdc_micro": 20_000_000, "expires_us": at(start)}
    return standard(WindowOffered(**{**told, **changes}))


def terms(credit_class: str = "tokens", unit: Unit = Unit.TOKENS, **changes: Any) -> CreditsOffered:
    """100 credits of a million tokens: 100 accelerator-hours over two days."""
    told: dict[str, Any] = {"credit_class": credit_class, "provider": "provider", "model": "model", "unit": unit}
    told |= {"register": f"{credit_class}/promised", "units_per_credit": 1_000_000, "price_usdc_micro": 2_000_000}
    told |= {"capacity_credits": 100, "expires_us": at(48), "conversion": f"model-{unit}", "backing_rack": "rack"}
    told |= {"collateral_usdc_micro": 500_000, "grace_us": HOUR_US, "revenue_account": "provider/revenue"}
    return CreditsOffered(**{**told, **changes})


class Market:
    """Acts decided and recorded in memory; after each the laws hold, and a second world comes to the same."""

    def __init__(self, accelerators: int = ACCELERATORS, hours: int = HOURS) -> None:
        self.world, self.replica = World(), World()
        self.hour = 0.0
        key = SigningKey(b"7" * 32).public
        self.tell(enrol_rack("rack", "provider", "US-PSCO", key, accelerators, 10_000, START_US))
        self.tell([Entry(AccountOpened("outside", external=True)), *(Entry(AccountOpened(one)) for one in BUYERS)])
        self.do(lambda world, asked, _: register_provider(world, asked), PROVIDER)
        self.do(lambda world, asked, _: publish_sku(world, asked), SKU)
        for table in (conversion(), conversion(Unit.MS, MS_PER_HOUR), conversion(Unit.REQUESTS, 1_000)):
            self.do(lambda world, asked, _: publish_conversion(world, asked), table)
        self.do(open_capacity, CapacityOpened("rack", "provider", SKU.sku, at(0), at(hours)))
        for account in (*BUYERS, "provider"):
            self.tell([Entry(AccountFunded("a payment", (Transfer("outside", account, FUNDS, "funded"),)))])

    def tell(self, entries: list[Entry]) -> None:
        """Record facts: in this world, and read back in another."""
        for entry in entries:
            seq, columns = self.world.books.size, entry.segment.columns if entry.segment else None
            made = KINDS.record(entry.fact, at(self.hour), seq)
            self.world.apply(made, columns)
            self.replica.apply(KINDS.decode(made.body, seq), columns)

    def do(self, act: Callable[..., list[Entry]], asked: Any, hour: float | None = None) -> list[Entry]:
        """An act at an hour, or when the last one was."""
        self.hour = self.hour if hour is None else hour
        entries = act(self.world, asked, at(self.hour))
        self.tell(entries)
        self.sound()
        return entries

    def refused(self, act: Callable[..., list[Entry]], asked: Any, hour: float | None = None) -> str:
        """The code of a refusal, which changes nothing."""
        before = self.digests()
        with pytest.raises(PenstockError) as caught:
            act(self.world, asked, at(self.hour if hour is None else hour))
        assert self.digests() == before
        return caught.value.code

    def digests(self) -> tuple[bytes, bytes]:
        return self.world.books.digest(), self.world.capacity.digest()

    def sound(self) -> None:
        assert breaches(self.world.books) == ()
        assert capacity_holds(self.world.capacity) == ()
        assert self.digests() == (self.replica.books.digest(), self.replica.capacity.digest())

    def posted(self, usdc_micro: int = 10**9) -> Market:
        self.do(lambda world, asked, _: move_collateral(world, asked), Collateral("provider", usdc_micro))
        return self

    def offered(self, *offers: WindowOffered) -> Market:
        for one in offers:
            self.do(offer_window, one)
        return self

    def classed(self, *classes: CreditsOffered) -> Market:
        for one in classes:
            self.do(offer_credits, one)
        return self

    def dollars(self, account: str) -> int:
        """What an account holds; of a funded one, what it gained."""
        held = self.world.books.ledger.balance(self.world.books.accounts.id_of(account))
        return held - FUNDS if account in (*BUYERS, "provider") else held

    def served(self, tokens: int, ms: int = 0) -> None:
        """The rack works: so many accelerator-ms in its first hours, and so many tokens."""
        registers = self.world.books.registers
        if "energy source" not in registers:
            self.tell([Entry(RegisterOpened("energy source", Unit.MJ, RegisterKind.PROMISED))])
        self._link(LinkKind.WORK, "energy source", "rack/calendar", 1_000, ms or 1_000)
        self._link(LinkKind.SERVE, "rack/calendar", "rack/tokens", ms or 1_000, tokens)

    def _link(self, kind: LinkKind, source: str, target: str, units_in: int, units_out: int) -> None:
        books = self.world.books
        ids = [books.registers.id_of(one) for one in (source, target)]
        start = [books.links[kind].spent(ids[0]), books.links[kind].filled(ids[1])]
        columns: Columns = {
            "source": np.array(ids[:1], dtype=np.int32),
            "source_start": np.array(start[:1], dtype=np.int64),
            "source_stop": np.array([start[0] + units_in], dtype=np.int64),
            "target": np.array(ids[1:], dtype=np.int32),
            "target_start": np.array(start[1:], dtype=np.int64),
            "target_stop": np.array([start[1] + units_out], dtype=np.int64),
        }
        segment = Segment(LINKS, columns)
        self.tell([Entry(SpansLinked(segment.ref(), kind, at(0), at(1), units_in, units_out, 0), segment)])

    def titles(self, register: str = "rack/calendar") -> dict[tuple[str, str], int]:
        """Units by holder and state."""
        books = self.world.books
        rows = books.titles[Right.USE].columns()
        mine = rows["register"] == books.registers.id_of(register)
        told: dict[tuple[str, str], int] = {}
        units = rows["stop"] - rows["start"]
        columns = (rows["holder"][mine].tolist(), rows["state"][mine].tolist(), units[mine].tolist())
        for holder, state, count in zip(*columns, strict=True):
            name = (books.accounts.name(holder), TITLE_STATES[state].value)
            told[name] = told.get(name, 0) + count
        return told


def accelerator_hours(count: int) -> int:
    return count * MS_PER_HOUR
