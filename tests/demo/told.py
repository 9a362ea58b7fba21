"""A play of two days as figures, made by hand: what the stages would say, small enough to check by eye."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from penstock.cli.demo.play import Settings, Stage
from penstock.cli.demo.sunshine import OFFSET_US, Sunshine
from penstock.journal.words import LinkKind, Unit
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, Period, iso, parse_iso
from penstock.trace.lineage import Node

START_US = parse_iso("2016-08-22T00:00:00Z") - OFFSET_US
WEEK = Period(START_US, START_US + 2 * DAY_US)
DEAL = Path(__file__).parents[2] / "examples" / "deals" / "mixed_pool.yaml"
COPIED = "it follows a neighbour's reading to the watt-hour"
WHY = "the enrolled key did not sign these bytes (forged or altered)"


def settings(folder: Path) -> Settings:
    """Two days of a triangular sun."""
    start_us = np.arange(WEEK.start_us, WEEK.stop_us, QUARTER_HOUR_US)
    hour = (start_us - WEEK.start_us) % DAY_US / HOUR_US
    power_w = np.clip(4_000 - np.abs(hour - 12) * 700, 0, None)
    return Settings(folder, Sunshine(WEEK, start_us, power_w), bytes(32), DEAL.read_text())


def stages(folder: Path) -> list[Stage]:
    """The stages as performed."""
    return [Stage(name, f"Title of {name}", figures, 0.5) for name, figures in _figures(folder).items()]


def stage(folder: Path, name: str) -> Stage:
    """One of them."""
    return next(one for one in stages(folder) if one.name == name)


def step(source: str, target: str, due: int, paid: int) -> dict[str, Any]:
    """A cash step of a closed period [micro-dollars]."""
    return {
        "source": f"mixed-pool/{source}",
        "target": f"mixed-pool/{target}",
        "due_usdc_micro": due,
        "paid_usdc_micro": paid,
    }


NORMAL = [
    step("collect", "paid/roofs", 80_000_000, 80_000_000),
    step("collect", "paid/A", 400_000_000, 400_000_000),
    step("dsra", "paid/A", 0, 0),
    step("collect", "paid/A", 600_000_000, 600_000_000),
    step("collect", "dsra", 500_000_000, 500_000_000),
    step("trap", "collect", 0, 0),
    step("collect", "paid/E", 420_000_000, 420_000_001),
]
LOCKED = [
    step("collect", "paid/roofs", 30_000_000, 30_000_000),
    step("collect", "paid/A", 400_000_000, 400_000_000),
    step("collect", "paid/A", 600_000_000, 370_000_000),
    step("dsra", "paid/A", 230_000_000, 230_000_000),
    step("collect", "trap", 0, 0),
]


def periods() -> list[dict[str, Any]]:
    """A normal day, then one in lock-up that the reserve helps over."""
    return [
        _period(0, "normal", 2_000_000_001, (1_500_000, 1_131_000), NORMAL),
        _period(1, "lockup", 800_000_000, (770_000, 1_052_000), LOCKED),
    ]


def _period(
    number: int, state: str, inflow: int, ratios: tuple[int, int], steps: list[dict[str, Any]]
) -> dict[str, Any]:
    stop = iso(WEEK.start_us + (number + 1) * DAY_US)
    return {
        "period": number,
        "stop": stop,
        "state": state,
        "inflow_usdc_micro": inflow,
        "measures": [900_000, 1_000_000, 40, 2_000_000, 95_000_000],
        "ratios": dict(zip(("dscr", "cover"), ratios, strict=True)),
        "quorum": 2,
        "attesters": 3,
        "steps": steps,
    }


def back(roof: str = "roof-001") -> Node:
    """An answer's tokens back to two roofs."""
    ends = (
        Node(f"{roof}/export", Unit.WH, 10, 12, 2, LinkKind.ALLOCATE, state="claimed", notes=("metered",)),
        Node("roof-002/export", Unit.WH, 0, 1, 1, LinkKind.ALLOCATE, state="claimed", notes=("metered",)),
    )
    meter = Node("rack-1/import", Unit.WH, 5, 8, 10_000_000, LinkKind.CONVERT, children=ends)
    energy = Node("rack-1/energy", Unit.MJ, 18_000_000, 28_000_000, 50, LinkKind.WORK, children=(meter,))
    time = Node("rack-1/calendar", Unit.MS, 100, 150, 40, LinkKind.SERVE, children=(energy,))
    return Node("rack-1/tokens", Unit.TOKENS, 60, 100, 40, notes=("modelled",), children=(time,))


def back_by_night(roof: str = "roof-001") -> Node:
    """An answer's tokens back through the battery to a roof."""
    end = Node(f"{roof}/export", Unit.WH, 20, 23, 3, LinkKind.ALLOCATE, state="claimed", notes=("metered",))
    charge = Node("battery-1/charge", Unit.WH, 4, 7, 3, LinkKind.STORE, children=(end,))
    given = Node("battery-1/discharge", Unit.WH, 3, 6, 3, LinkKind.ALLOCATE, state="claimed", children=(charge,))
    meter = Node("rack-1/import", Unit.WH, 8, 11, 10_000_000, LinkKind.CONVERT, children=(given,))
    energy = Node("rack-1/energy", Unit.MJ, 28_000_000, 38_000_000, 50, LinkKind.WORK, children=(meter,))
    time = Node("rack-1/calendar", Unit.MS, 150, 200, 40, LinkKind.SERVE, children=(energy,))
    return Node("rack-1/tokens", Unit.TOKENS, 100, 140, 40, notes=("modelled",), children=(time,))


def hour(number: int) -> dict[str, Any]:
    """An hour's energy: at noon the battery takes 20 of 100 Wh, at 20 o'clock it gives 18 back, 16 of them claimed."""
    of_day = number % 24
    if of_day == 20:
        return _uses(number, certified_wh=0, returned_wh=18, evening_wh=16, drawn_wh=16)
    if of_day == 12:
        return _uses(number, certified_wh=100, claimed_wh=70, stored_wh=20, retired_wh=3, forward_wh=2, drawn_wh=70)
    return _uses(number, certified_wh=100, claimed_wh=90, drawn_wh=90)


def _uses(number: int, **energy_wh: int) -> dict[str, Any]:
    names = ("certified", "claimed", "stored", "retired", "forward", "returned", "evening", "drawn")
    nothing = {f"{name}_wh": 0 for name in names}
    return {"hour": iso(WEEK.start_us + number * HOUR_US), **nothing, **energy_wh}


def forward() -> Node:
    """An answer's tokens forward to tranche A."""
    paid = Node("mixed-pool/paid/A", Unit.USDC_MICRO, 7, 111, 104, LinkKind.PAY, notes=("paid",))
    collect = Node("mixed-pool/collect", Unit.USDC_MICRO, 156, 260, 104, LinkKind.PAY, children=(paid,))
    billed = Node("answers/billed", Unit.USDC_MICRO, 156, 260, 40, LinkKind.BILL, children=(collect,))
    return Node("rack-1/tokens", Unit.TOKENS, 60, 100, 40, children=(billed,))


def _part(name: str, assets: int, micro: int) -> dict[str, Any]:
    return {"name": name, "assets": assets, "usdc_micro": micro, "part_usdc_micro": micro // 2_400}


def _figures(folder: Path) -> dict[str, dict[str, Any]]:
    noon = iso(WEEK.start_us + 12 * HOUR_US)
    day = {"tokens": 30, "energy_wh": 650_000, "refused_energy": 7, "refused_capacity": 1}
    night = iso(WEEK.start_us + 20 * HOUR_US)
    hours = [hour(number) for number in range(48)]
    work = {"link": LinkKind.WORK, "is_loss": False, "quantity_in": 3_600_000 * 4_000}
    idle = {"link": LinkKind.WORK, "is_loss": True, "quantity_in": 3_600_000 * 320}
    refusal = {"at": noon, "device": "roof-001", "sequence": 12, "verdict": "bad_signature", "why": WHY}
    verified = {
        "roofs": 2,
        "checked": {"facts in the log": 39},
        "keys": ["meter roof-001: aa"],
        "assumptions": ["The rack is modelled."],
    }
    return {
        "chain": {"chain_id": 743100, "genesis": "5b" * 32, "contracts": {"Anchor": "0x" + "ab" * 20}},
        "connect": {
            "rooftops": 2,
            "capacity_w": 4_000,
            "smallest_w": 1_500,
            "largest_w": 2_500,
            "battery_w": 80_000,
            "rack_w": 132_000,
            "accelerators": 72,
            "holders": 150,
            "credit_class": "answers",
        },
        "meter": {
            "packets": {"accepted": 96, "bad_signature": 1},
            "readings": {"accepted": 384},
            "counted_wh": 4_800,
            "planted": 1,
            "refusals": [refusal],
            "liars": [{"device": "roof-003", "readings": 1_234, "verdict": "copied", "why": COPIED}],
        },
        "forward": {
            "forward": "roof-001-week",
            "seller": "roof-001",
            "buyer": "offtaker",
            "share_basis_points": 2_500,
            "promised_wh": 1_500,
            "p50_wh": 6_000,
            "p90_wh": 3_000,
            "price_usdc_micro_per_mwh": 60_000_000,
            "cost_usdc_micro": 90_000,
            "collateral_usdc_micro": 9_000,
            "modelled": True,
        },
        "certify": {
            "titles": 46,
            "issued_wh": 4_600,
            "forward": {
                "deliveries": 2,
                "delivered_wh": 1_150,
                "earned_usdc_micro": 69_000,
                "missing_wh": 0,
                "price_back_usdc_micro": 21_000,
                "collateral_back_usdc_micro": 9_000,
            },
        },
        "store": {
            "charged_wh": 40,
            "discharged_wh": 36,
            "loss_wh": 4,
            "efficiency": "9/10",
            "evening_hours": 1,
            "modelled": True,
        },
        "serve": {
            "answers": 20,
            "tokens": 60,
            "energy_wh": 4_320,
            "turned_away": 16,
            "idle_mj": 3_600_000 * 320,
            "days": [{"day": iso(one.start_us), "answers": 10, **day} for one in WEEK.steps(DAY_US)],
        },
        "launch": {
            "deal": "Sunlit Compute",
            "address": "0x" + "cd" * 20,
            "deal_hash": "c8" * 32,
            "program_hash": "2d" * 32,
            "program_bytes": 416,
            "tranches": {"A": 2_000_000_000_000, "E": 0},
            "holders": {"A": 150, "E": 2},
            "pool": {
                "assets": 3,
                "balance_usdc_micro": 2_411_000_000_000,
                "value_usdc_micro": 2_612_100_000_000,
                "rack_usdc_micro": 2_400_000_000_000,
                "doubted": ["roof-003"],
                "servicer": "servicer",
                "modelled": True,
            },
        },
        "days": {"days": 1, "attesters": {f"attester-{n}": 7_000_000 + n for n in (1, 2, 3)}, "quorum": 2},
        "agent": {
            "lines": 12,
            "done": 4,
            "end": "hour",
            "why": "$0.09 is more than the $0.01 left of this hour.",
            "calls": [["sun-desk", 50_000], ["sun-desk", 50_000], ["grid-desk", 55_000], ["sun-desk", 90_000]],
            "by_mcp": 1,
            "paid_usdc_micro": 245_000,
            "budget_usdc_micro": 255_000,
            "prices_usdc_micro": {"sun-desk": 50_000, "grid-desk": 55_000, "dearer": 90_000},
            "carbon_g": {"most": 400, "dirtier": 600},
            "spender": "0x" + "5b" * 20,
            "refused": {"client": "mandate.per_hour", "chain": "The chain says no: spender.per_hour."},
            "model": "all-MiniLM-L6-v2",
            "power": "model:cpu-time/1",
            "sold": {"sun-desk": {"rack": "micro-1"}, "grid-desk": {"rack": "micro-2"}},
            "receipts": {
                name: {"checked": checked, "energy_mj": 9_100, "file": f"receipt-{name}.json", "key": "0c" * 32}
                for name, checked in (("sun-desk", 3), ("grid-desk", 1))
            },
        },
        "challenge": {
            "provider": "copy-desk",
            "layers": 4,
            "answers": 24,
            "drawn": 6,
            "failed": 6,
            "tenth": 0.9913,
            "credits": 40,
            "refunded_usdc_micro": 5_000_000,
            "collateral_usdc_micro": 3_000_000,
            "class": "1d" * 32,
            "evidence": "market/copy-desk/evidence.json",
        },
        "pay": {
            "periods": periods(),
            "attesters": {f"attester-{n}": 7_000_000 + n for n in (1, 2, 3)},
            "quorum": 2,
            "collect": "collect",
            "senior": "A",
            "floors": {"dscr": (1.2, "lockup"), "cover": (1.0, "sweep")},
            "collected": [
                {"mark_e8": 95_000_000, "payments": 3, "usdc_micro": 300_000_000},
                {"mark_e8": 62_500_000, "payments": 1, "usdc_micro": 180_000_000},
            ],
        },
        "income": {
            "holders": {"A": 150, "E": 2},
            "withdrawn_usdc_micro": {"A": 2_000_000_000, "E": 420_000_001},
            "coupons_usdc_micro": {
                "A": sorted(range(1_000_000, 151_000_000, 1_000_000)),
                "E": [20_000_000, 400_000_001],
            },
            "servicers_paid": {"servicer": 40_000_000, "backup-servicer": 41_000_000},
            "roofs_paid": 2,
            "tariff_usdc_micro": 110_000_000,
            "largest_tariff": ("roof-001", 80_000_000),
        },
        "badge": {
            "contracts": {"Badge": "0x" + "ba" * 20, "Certificate": "0x" + "ce" * 20},
            "certificate": "42" * 32,
            "titles": 2,
            "lifted_wh": 11,
            "badge": 1,
            "retired_wh": 6,
            "purpose": "the first answers of rack-1",
            "left_on_chain_wh": 0,
        },
        "vote": {
            "ballot": "0x" + "ba" * 20,
            "proposal": 1,
            "class": "A",
            "voters": 47,
            "holders": 150,
            "yes_shares": 1_010_000_000_000,
            "supply_shares": 2_000_000_000_000,
            "needed_bp": 5_000,
            "delay_hours": 48,
            "state": "done",
            "payee": "servicer",
            "successor": "backup-servicer",
            "account": "0x" + "5e" * 20,
            "note": "Another servicer.",
        },
        "report": {
            "drawn_wh": 4_212,
            "matched_wh": 4_212,
            "matched_share_bp": 10_000,
            "carbon_free_share_bp": 9_876,
            "location_ug": "1234567001",
            "market_annual_ug": "0",
            "market_hourly_ug": "52000000",
            "avoided_ug": "1979640999",
            "missing": [{"what": "unknown_hours", "count": 2, "sentence": "register-hours without readings"}],
            "factors": "modelled grid demo-1",
            "facts_proven": 29,
            "anchored": True,
            "page": str(folder / "report247.html"),
            "data": str(folder / "report247.json"),
            "modelled": True,
        },
        "investor": {
            "number": 2,
            "state": "lockup",
            "tests": [
                {"name": "dscr", "ratio_millionths": 770_000, "state": "lockup"},
                {"name": "cover", "ratio_millionths": None, "state": "normal"},
            ],
            "files": 8,
            "page": str(folder / "investor-report" / "report.html"),
            "data": str(folder / "investor-report" / "report.json"),
            "facts_proven": 21,
            "holding": {
                "holder": "holder-0001",
                "tranches": ["A", "E"],
                "claim_usdc_micro": 1_000_000_000,
                "part_usdc_micro": 999_999_999,
                "assets": 3,
                "by": {
                    "kind": [_part("loan", 2, 11_000_000_000), _part("gpu_contract", 1, 2_400_000_000_000)],
                    "region": [_part("9xj4n", 3, 2_411_000_000_000)],
                    "assurance": [_part("meter_signed", 3, 2_411_000_000_000)],
                },
                "largest": [
                    {"asset": "rack-1", "contract": "standby-rack-1", "region": "9xj4n", "assurance": "meter_signed"}
                    | {"usdc_micro": 2_400_000_000_000, "part_usdc_micro": 999_000_000}
                ],
                "readings": [{"register": "roof-001/export", "start": 10, "stop": 2_010, "unit": "Wh", "part": 3}],
                "readings_total": 3,
                "readings_part_wh": 5,
                "file": str(folder / "look-through.json"),
                "facts_proven": 17,
            },
        },
        "prove": {
            "answer": 7,
            "back": back(),
            "forward": forward(),
            "answer_hours": [noon],
            "evening": {
                "answer": 9,
                "back": back_by_night(),
                "forward": forward(),
                "bundle": {
                    "file": str(folder / "bundle-evening.json"),
                    "bytes": 88_111,
                    "verified": {**verified, "checked": {"facts in the log": 41}},
                },
                "answer_hours": [noon],
                "used_hours": [night],
            },
            "sold": {
                "rack": "micro-1",
                "answer": 2,
                "back": back(),
                "forward": forward(),
                "bundle": {"file": str(folder / "bundle-sold.json"), "bytes": 66_011, "verified": verified},
            },
            "reading": {"register": "roof-001/export", "start": 10, "stop": 12},
            "reading_forward": Node("roof-001/export", Unit.WH, 10, 12, 2, state="claimed"),
            "bundle": {"file": str(folder / "bundle.json"), "bytes": 77_431, "verified": verified},
            "audit": {"clean": True, "checked": {"facts": 1_851}, "findings": []},
            "anchored": 1_849,
            "balances_usdc_micro": {"collect": 0, "dsra": 270_000_000, "trap": 0},
            "facts": 1_851,
            "root": "53" * 32,
            "log_key": "2a" * 32,
            "hours": hours,
            "planted_at": [{"hour": noon, "device": "roof-001", "kind": "forged"}],
            "flows": [work, idle],
        },
    }
