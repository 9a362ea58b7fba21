"""Figures in words: what was emitted is rounded up, what was matched or avoided down; the JSON has every digit."""

from __future__ import annotations


def kwh(wh: int) -> str:
    """Energy, in the unit that suits; cut off."""
    for unit, size in (("GWh", 10**9), ("MWh", 10**6), ("kWh", 10**3)):
        if wh >= 10 * size or (unit == "kWh" and wh >= 1_000):
            return f"{_cut(wh, size)} {unit}"
    return f"{wh:,} Wh"


def _cut(amount: int, size: int) -> str:
    whole, rest = divmod(amount, size)
    return (
        f"{whole:,}"
        if whole >= 1_000
        else f"{whole}.{rest * 100 // size:02}"
        if whole < 100
        else f"{whole}.{rest * 10 // size}"
    )


def tonnes(ug: str | int) -> str:
    """Emissions in kg, or t from a tonne on; rounded up to three decimals."""
    return _mass(-(-int(ug) // (10**6)))


def tonnes_down(ug: str | int) -> str:
    """Avoided emissions: as `tonnes`, rounded down."""
    return _mass(int(ug) // 10**6, up=False)


def _mass(grams: int, up: bool = True) -> str:
    if grams < 1_000_000:
        return f"{grams // 1_000:,}.{grams % 1_000:03} kg"
    kilograms = -(-grams // 1_000) if up else grams // 1_000
    return f"{kilograms // 1_000:,}.{kilograms % 1_000:03} t"


def per_cent(bp: int) -> str:
    """Basis points as per cent, all of them."""
    return f"{bp // 100}.{bp % 100:02} %"


def short(digest: str) -> str:
    """The beginning of a digest."""
    return digest[:16] + "…" if len(digest) > 16 else digest
