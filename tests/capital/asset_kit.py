"""Tables of assets as an arranger would hand them in, for the tests of assets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from penstock.capital.asset_fields import COUNTS, REPAYMENTS
from penstock.capital.asset_flows import Flows
from penstock.capital.asset_table import AssetTable, read_assets
from penstock.capital.loan import Loan, Payment, payments
from penstock.period import DAY_US
from penstock.rates.calendar import add_months

EPOCH: Final = date(1970, 1, 1)
ROW: Final = {
    "asset": "roof 1",
    "kind": "loan",
    "contract": "C-1",
    "offtaker": "household 1",
    "obligor": "household 1",
    "region": "AZ",
    "balance_usdc": "20,000.00",
    "rate_percent": "5.99",
    "starts": "2025-06-01",
    "ends": "2056-01-01",
    "first_due": "2026-02-01",
    "term_periods": "240",
}


def rows_of(*changes: Mapping[str, str]) -> pa.Table:
    """`ROW` once for each of the changes; names of assets follow their place."""
    rows = [{**ROW, "asset": f"roof {at}", **change} for at, change in enumerate(changes, 1)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name, "") for row in rows] for name in names})


def assets_of(*changes: Mapping[str, str]) -> AssetTable:
    """`rows_of`, read."""
    return read_assets(rows_of(*changes))


def day(at_us: int) -> date:
    """The date of a midnight [us since 1970]."""
    return EPOCH + timedelta(days=at_us // DAY_US)


def twin_payments(assets: AssetTable, row: int) -> list[Payment]:
    """The payments of one asset by the readable twin."""
    every = int(assets.every_months[row])
    loan = Loan(
        int(assets.balance_usdc_micro[row]),
        int(assets.rate_e8[row]),
        REPAYMENTS[assets.repays[row]],
        COUNTS[assets.count[row]],
        every,
        int(assets.payment_usdc_micro[row]),
    )
    first = day(int(assets.first_due_us[row]))
    dues = [add_months(first, every * k) for k in range(int(assets.term_periods[row]))]
    return payments(loan, add_months(first, -every), dues)


def assert_equals_twin(assets: AssetTable, flows: Flows, row: int) -> None:
    """An asset's columns are the twin's payments, and nothing after them."""
    expected = twin_payments(assets, row)
    many = len(expected)
    assert flows.interest[:many, row].tolist() == [one.interest for one in expected]
    assert flows.principal[:many, row].tolist() == [one.principal for one in expected]
    assert [EPOCH + timedelta(days=int(at)) for at in flows.due_days[:many, row]] == [one.due for one in expected]
    assert not np.any(flows.interest[many:, row]) and not np.any(flows.principal[many:, row])
