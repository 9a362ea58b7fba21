"""A report whose figures go round 64 bits is none, whatever they come to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from penstock.compute.work import DIGESTS, SALE_BYTES, WHOLE, Metered, WorkReport, check_report
from penstock.errors import Invalid
from penstock.journal.segment import Columns
from penstock.period import Period


def four_answers() -> WorkReport:
    flat: Columns = {
        **{name: np.full(4, 5, dtype=np.int64) for name in WHOLE},
        "number": np.arange(4, dtype=np.int64),
    }
    packed: Columns = {name: np.zeros((4, width), dtype=np.uint8) for name, width in DIGESTS.items()}
    packed["payment"][:, 0] = np.arange(4)
    sales: Columns = {"scheme": np.zeros(4, dtype=np.int64), "paid_usdc_micro": np.full(4, 7, dtype=np.int64)}
    sales = {**sales, **{name: np.zeros((4, width), dtype=np.uint8) for name, width in SALE_BYTES.items()}}
    metered = Metered(0, 20, (0, 0, 0), "stated", "rule", "{}")
    return WorkReport("provider", "rack", "model", Period(0, 10), {**flat, **packed}, sales, metered)


@pytest.mark.parametrize("name", ["paid_usdc_micro", "prompt_tokens", "output_tokens", "time_ms", "energy_mj"])
def test_sums_do_not_go_round(name: str) -> None:
    honest = four_answers()
    check_report(honest)
    huge: Columns = {name: np.full(4, 2**62, dtype=np.int64)}
    huge[name][3] += 20  # together 2^64 + 20: as 64 bits, 20
    in_sales = name in honest.sales
    forged = replace(
        honest,
        sales={**honest.sales, **(huge if in_sales else {})},
        rows={**honest.rows, **({} if in_sales else huge)},
    )
    with pytest.raises(Invalid, match=r"work\.rows"):
        check_report(forged)
