"""A deal checked against its table of assets: what the pool is, what it pays if all goes as agreed, what stands out."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from penstock.capital.asset_review import Review, Share, review
from penstock.capital.asset_table import AssetTable, read_assets
from penstock.capital.deal import Deal
from penstock.errors import Invalid

BYTES_MAX: Final = 512 * 1024 * 1024
LARGEST: Final = 5
"""Names shown of each attribute."""


def check_assets(deal: Deal, file: Path) -> dict[str, Any]:
    """The pool in ``file`` (CSV or Parquet) against ``deal``, as one JSON object of whole numbers.

    Raises:
        Invalid: ``assets.unread``; as `read_assets` and `review`.
        Refused: ``assets.past_legal_final``.
    """
    assets = load_assets(file)
    return told(assets, review(deal, assets))


def load_assets(file: Path) -> AssetTable:
    """The assets of a CSV or Parquet file. Raises Invalid ``assets.unread`` and as `read_assets`."""
    return read_assets(read_table(file))


def read_table(file: Path) -> pa.Table:
    """The file's columns; those of a CSV file as text, so that no number passes through a float."""
    try:
        if file.stat().st_size > BYTES_MAX:
            raise Invalid("assets.unread", "The file has more than 512 MiB.", hint="Split it.", file=file)
        return pa_parquet.read_table(file) if file.suffix == ".parquet" else _csv(file)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        hint = "Write a CSV file in UTF-8 with a header line, or a Parquet file."
        raise Invalid("assets.unread", f"The assets cannot be read: {error}.", hint=hint, file=file) from None


def _csv(file: Path) -> pa.Table:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        header = next(csv.reader(lines), [])
    types = {name: pa.string() for name in header}
    return pa_csv.read_csv(file, convert_options=pa_csv.ConvertOptions(column_types=types, strings_can_be_null=False))


def told(assets: AssetTable, found: Review) -> dict[str, Any]:
    """A review as one JSON object; shares in basis points, rounded down."""
    return {
        "assets": len(assets),
        "eligible_assets": int(found.eligible.sum()),
        "balance_usdc_micro": found.averages.balance_usdc_micro,
        "value_usdc_micro": found.averages.value_usdc_micro,
        "average_rate_e8": found.averages.rate_e8,
        "average_remaining_months": found.averages.remaining_months,
        "average_age_months": found.averages.age_months,
        "largest": {
            attribute: [_share(one) for one in shares[:LARGEST]] for attribute, shares in found.concentrations.items()
        },
        "over_caps": {attribute: [_share(one) for one in shares] for attribute, shares in found.over_caps.items()},
        "base_case": {
            "cash_usdc_micro": found.base_case.cash.tolist(),
            "balance_usdc_micro": found.base_case.balance.tolist(),
            "later_usdc_micro": sum(found.base_case.later),
        },
    }


def _share(one: Share) -> dict[str, Any]:
    bp = one.usdc_micro and one.share.numerator * 10_000 // one.share.denominator
    return {"name": one.name, "assets": one.assets, "usdc_micro": one.usdc_micro, "share_bp": bp}
