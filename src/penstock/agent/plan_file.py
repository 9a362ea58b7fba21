"""Problems and plans as JSON: what `penstock agent plan` reads and writes."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

from penstock.agent.plan import NO_LIMIT, Ints, Plan, Problem
from penstock.errors import Invalid, PenstockError
from penstock.keys.nesting import deeper_than

FILE_BYTES_MAX: Final = 64 * 2**20
DEPTH_MAX: Final = 8
CELLS_MAX: Final = 4_000_000
_SCALARS: Final = {
    "demand_tokens": None,
    "deadline_hours": None,
    "share_max_bp": 10_000,
    "hour_usdc_micro": NO_LIMIT,
    "total_usdc_micro": NO_LIMIT,
    "carbon_max_ug": NO_LIMIT,
    "matched_min_bp": 0,
}
_COLUMNS: Final = {"energy_mj_per_1k": 1, "zone": 1, "lot_tokens": 1, "arrived_bp": 1}
_TABLES: Final = {
    "price_usdc_micro_per_1k": 2,
    "capacity_tokens": 2,
    "carbon_mg_per_kwh": 2,
    "certificate_usdc_micro_per_mwh": 2,
    "certificate_wh": 2,
}


def read_problem(raw: bytes) -> Problem:
    """The problem in a JSON object with the fields of `Problem`; limits may be left out.

    Raises:
        Invalid: ``plan.file``, and as `Problem`.
    """
    fields = _object(raw)
    known = {**_SCALARS, **_COLUMNS, **_TABLES}
    if strange := sorted(fields.keys() - known.keys()):
        raise Invalid("plan.file", f"{', '.join(strange)} is unknown.", hint=f"There are {', '.join(sorted(known))}.")
    try:
        scalars = {
            name: _whole(fields[name] if default is None else fields.get(name, default))
            for name, default in _SCALARS.items()
        }
        arrays = {name: _array(fields[name], depth) for name, depth in {**_COLUMNS, **_TABLES}.items()}
        return Problem(**scalars, **arrays)  # type: ignore[arg-type]  # names and kinds are checked above
    except PenstockError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Invalid("plan.file", f"A field is missing, or is no table of whole numbers: {error}.") from None


def plan_rows(plan: Plan) -> dict[str, Any]:
    """The plan, with what is bought as rows: provider or zone, hour, how much."""
    return {
        "compute_usdc_micro": plan.compute_usdc_micro,
        "certificates_usdc_micro": plan.certificates_usdc_micro,
        "cost_usdc_micro": plan.cost_usdc_micro,
        "bound_usdc_micro": plan.bound_usdc_micro,
        "energy_mj": plan.energy_mj,
        "carbon_ug": plan.carbon_ug,
        "tokens": _rows(plan.tokens, "provider", "tokens"),
        "certificates": _rows(plan.certificates_wh, "zone", "wh"),
    }


def _rows(table: Ints, who: str, what: str) -> list[dict[str, int]]:
    places = np.argwhere(table)
    return [{who: int(row), "hour": int(hour), what: int(table[row, hour])} for row, hour in places]


def _object(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode()
        if len(raw) > FILE_BYTES_MAX or deeper_than(text, DEPTH_MAX):
            raise ValueError("too long or too deep")
        found = json.loads(text)
    except ValueError as error:
        raise Invalid("plan.file", f"The problem is no JSON: {str(error)[:100]}.") from None
    if not isinstance(found, dict):
        raise Invalid("plan.file", "The problem is no JSON object.")
    return found


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value <= NO_LIMIT:
        raise ValueError(f"{value!r} is no whole number of 0 or more")
    return value


def _array(value: object, depth: int) -> Ints:
    found = np.array(value)
    if found.dtype.kind != "i" or found.ndim != depth or not 0 < found.size <= CELLS_MAX:
        raise ValueError(f"{depth} levels of whole numbers are asked for")
    return found.astype(np.int64)
