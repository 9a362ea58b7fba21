"""Writes the tables of assets of the example deals: `python examples/assets/make.py`. No dice: spread by remainders.

Nobody's data: lines stand for many contracts of one kind, region and term, as a rating agency is given them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).parent
REGIONS = ("US-CA", "US-TX", "US-NY", "US-AZ", "US-FL", "US-NJ", "US-MA", "US-CO")
Row = dict[str, object]


def solar_loans() -> Iterable[Row]:
    """300 million dollars of homeowners' solar loans in 60 lines: 21 to 25 years to go, 5.99 to 8.99 %."""
    lines, left = 60, 300_000_000
    for line in range(lines):
        balance = left if line == lines - 1 else 3_500_000 + 50_000 * (line * 37 % 61)
        left -= balance
        months = 252 + 12 * (line * 7 % 5)
        region = REGIONS[line * 5 % len(REGIONS)]
        yield {
            "asset": f"loans-{line + 1:02}",
            "kind": "loan",
            "contract": f"solar loan {region} {months // 12}y",
            "offtaker": f"homeowners {region}",
            "obligor": f"homeowners {region}",
            "region": region,
            "balance_usdc": balance,
            "rate_percent": f"{5.99 + line * 11 % 7 * 0.5:.2f}",
            "starts": "2025-06-01",
            "ends": f"{2026 + months // 12}-01-01",
            "first_due": "2026-02-01",
            "term_periods": months,
            "technology": "solar_pv",
            "assurance": ("gateway_signed", "meter_signed", "gateway_signed", "declared")[line % 4],
        }


def solar_leases() -> Iterable[Row]:
    """Rooftop leases and power contracts of 22 years in 40 lines, 2.9 % dearer a year, panels that lose 0.5 %."""
    for line in range(40):
        region = REGIONS[line * 3 % len(REGIONS)]
        ppa = line % 3 == 2
        rent = 40_000 + 500 * (line * 17 % 41)
        yield {
            "asset": f"leases-{line + 1:02}",
            "kind": "ppa" if ppa else "lease",
            "contract": f"{'power contract' if ppa else 'lease'} {region} {line + 1}",
            "offtaker": f"households {region}",
            "obligor": f"households {region}",
            "region": region,
            "balance_usdc": 0,
            "rate_percent": 0,
            "starts": "2025-10-01",
            "ends": "2048-01-01",
            "first_due": "2026-02-01",
            "term_periods": 263,
            "payment_usdc": rent,
            "escalation_percent": "2.9",
            "degradation_percent": "0.5" if ppa else 0,
            "value_usdc": rent * 140,
            "technology": "solar_pv",
            "assurance": ("meter_signed", "gateway_signed")[line % 2],
        }


def gpu_contracts() -> Iterable[Row]:
    """Accelerators rented out for four years in 24 lines, to five tenants: 3.6 million dollars a month."""
    tenants = ("frontier laboratory", "cloud", "drug maker", "car maker", "public computer centre")
    for line in range(24):
        tenant = tenants[(0, 0, 1, 2, 1, 3, 4, 0)[line % 8]]
        rent = 150_000 + 2_000 * (2 * (line % 12) - 11)
        yield {
            "asset": f"racks-{line + 1:02}",
            "kind": "gpu_contract",
            "contract": f"reserved capacity {line + 1}",
            "offtaker": tenant,
            "obligor": tenant,
            "region": ("US-TX", "US-VA", "US-OH")[line % 3],
            "balance_usdc": 0,
            "rate_percent": 0,
            "starts": "2026-06-01",
            "ends": "2030-07-01",
            "first_due": "2026-07-15",
            "term_periods": 48,
            "payment_usdc": rent,
            "value_usdc": f"{rent * 1000 // 36}.{rent * 1000 * 10**6 // 36 % 10**6:06}",
            "technology": "accelerator",
            "assurance": ("gateway_signed", "vendor_attested")[line % 2],
        }


def ppa_shares() -> Iterable[Row]:
    """One plant's power contract: a twelfth of 9,200 MWh a month at 52 dollars, 2 % dearer a year, less 0.5 %."""
    yield {
        "asset": "long-noon",
        "kind": "ppa",
        "contract": "power contract of 20 years",
        "offtaker": "water works US-AZ",
        "obligor": "water works US-AZ",
        "region": "US-AZ",
        "balance_usdc": 0,
        "rate_percent": 0,
        "starts": "2026-01-01",
        "ends": "2046-01-01",
        "first_due": "2026-01-31",
        "term_periods": 240,
        "payment_usdc": "39866.67",
        "escalation_percent": 2,
        "degradation_percent": "0.5",
        "value_usdc": 4_600_000,
        "technology": "solar_pv",
        "assurance": "meter_signed",
        "registers": "meter:long-noon",
    }


TABLES: dict[str, Callable[[], Iterable[Row]]] = {
    "ppa_shares": ppa_shares,
    "solar_loan_abs": solar_loans,
    "solar_lease": solar_leases,
    "gpu_notes": gpu_contracts,
}


def write(name: str, rows: Iterable[Row]) -> None:
    """One table, named after its deal."""
    found = list(rows)
    with (HERE / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    for name, rows in TABLES.items():
        write(name, rows())
