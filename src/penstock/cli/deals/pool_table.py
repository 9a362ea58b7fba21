"""How a checked pool of assets is drawn: averages, its largest names, what is above the deal's caps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from penstock.cli.show import table, usdc

SHOWN: Final = ("offtaker", "region", "kind", "assurance")


def draw_pool(file: Path, pool: dict[str, Any]) -> None:
    """A pool as `check_assets` tells it, in two tables."""
    rows = [
        ("assets", f"{pool['assets']:,}"),
        ("eligible", f"{pool['eligible_assets']:,}"),
        ("outstanding", usdc(pool["balance_usdc_micro"])),
        ("worth", usdc(pool["value_usdc_micro"])),
        ("average rate", f"{pool['average_rate_e8'] / 1e6:.3f} %"),
        ("average months to go", str(pool["average_remaining_months"])),
        ("average age in months", str(pool["average_age_months"])),
        ("paid over the deal's periods", usdc(sum(pool["base_case"]["cash_usdc_micro"]))),
        ("paid later", usdc(pool["base_case"]["later_usdc_micro"])),
    ]
    table(f"the pool in {file.name}", ("what", "value"), rows, right=(1,))
    largest = [(attribute, one, "") for attribute in SHOWN for one in pool["largest"][attribute]]
    above = [(attribute, one, "above its cap") for attribute, ones in pool["over_caps"].items() for one in ones]
    cells = [
        (attribute, one["name"], f"{one['assets']:,}", usdc(one["usdc_micro"]), f"{one['share_bp'] / 100:.2f} %", said)
        for attribute, one, said in (*above, *largest)
    ]
    table("its largest names", ("by", "name", "assets", "weight", "share", ""), cells, right=(2, 3, 4))
