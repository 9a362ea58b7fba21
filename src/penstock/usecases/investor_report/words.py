"""Figures in words: dollars and ratios are cut off towards zero; the JSON has every digit."""

from __future__ import annotations

from typing import Any, Final

MILLION: Final = 10**6
UNITS: Final = {"USDC": "usdc", "Wh": "Wh", "tokens": "tokens", "count": "", "rate": "rate"}
RATE_DIGITS: Final = 10**6
"""A rate is counted in hundred-millionths: so many make one per cent."""
LIMITS: Final = {
    "cash": "cash ran out",
    "due": "paid in full",
    "cap": "its cap",
    "target": "target met",
    "share": "its share",
    "rest": "all that was left",
    "nothing": "nothing was due",
}


def usdc(micro: int) -> str:
    """Micro-dollars with two decimals."""
    sign, whole = ("−" if micro < 0 else ""), abs(micro)
    return f"{sign}{whole // MILLION:,}.{whole % MILLION // 10_000:02d}"


def short_usdc(micro: int) -> str:
    """Micro-dollars in the unit that suits, for the edge of a picture."""
    for unit, size in (("bn", 10**15), ("m", 10**12), ("k", 10**9)):
        if micro >= size:
            return f"{micro // size}.{micro % size * 10 // size}{unit}".replace(".0", "")
    return f"{micro // MILLION:,}"


def ratio(millionths: int | None) -> str:
    """A ratio with three decimals; a dash where there is none."""
    if millionths is None:
        return "–"
    return f"{millionths // MILLION:,}.{millionths % MILLION // 1_000:03d}"


def bound(millionths: int) -> str:
    """A level's bound, with as many decimals as it has and two at least."""
    digits = f"{millionths % MILLION:06d}".rstrip("0")
    return f"{millionths // MILLION}.{digits.ljust(2, '0')}"


def per_cent(bp: int) -> str:
    """Basis points as per cent."""
    return f"{bp // 100}.{bp % 100:02} %"


def measured(value: int | None, unit: str) -> str:
    """A measure in its unit."""
    if value is None:
        return "not attested"
    if unit == "USDC":
        return f"{usdc(value)} USDC"
    if unit == "rate":
        sign, whole = ("−" if value < 0 else ""), abs(value)
        return sign + f"{whole // RATE_DIGITS}.{whole % RATE_DIGITS:06d}".rstrip("0").rstrip(".") + " %"
    return f"{value:,} {UNITS.get(unit, unit)}".strip()


def bound_by(step: dict[str, Any]) -> str:
    """What limited a step."""
    if step["what"] in ("rest", "held") and step["limit"] == "cash":
        return LIMITS["rest"]
    if not step["due_usdc_micro"]:
        return LIMITS["nothing"]
    limit = str(step["limit"])
    return LIMITS.get(limit, limit)


def day(instant: str) -> str:
    """An instant without its seconds, for people."""
    return instant.replace("T", " ").removesuffix("Z").removesuffix(":00")
