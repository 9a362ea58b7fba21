"""Published curves of energy per token, beside which a rack's own figure can be read; and what energy is of a price.

Joules per token are a curve over the batch, not a number: interpolate in the table, and never assume that it falls.
Source: ML.ENERGY leaderboard (github.com/ml-energy/leaderboard, public/data/tasks/lm-arena-chat.json), Llama-3.1-8B on
one accelerator, board power, read in 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from penstock.units import MJ_PER_WH

Row = dict[str, Any]
BASIS_POINTS: Final = 10_000
WH_PER_MWH: Final = 1_000_000
CITATION: Final = (
    "ML.ENERGY leaderboard (github.com/ml-energy/leaderboard, public/data/tasks/lm-arena-chat.json): "
    "Llama-3.1-8B, one accelerator, board power"
)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One run: requests in the batch, energy [mJ/token], board power [W], output [tokens/s]."""

    batch: int
    mj_per_token: int
    power_w: int
    tokens_per_s: int


def _curve(*runs: tuple[int, int, int, int]) -> tuple[CurvePoint, ...]:
    return tuple(CurvePoint(*run) for run in runs)


CURVES: Final = {
    "H100": _curve(
        (8, 455, 486, 1_070), (16, 263, 513, 1_954), (32, 165, 560, 3_391), (64, 119, 610, 5_147),
        (128, 95, 669, 7_037), (256, 77, 691, 9_010), (512, 70, 688, 9_806), (768, 71, 685, 9_603),
    ),
    "B200": _curve(
        (8, 391, 639, 1_637), (16, 242, 667, 2_751), (32, 151, 576, 3_810), (64, 110, 617, 5_589),
        (128, 98, 449, 4_570), (256, 70, 540, 7_664), (512, 60, 577, 9_571), (2_048, 47, 691, 14_799),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a kilowatt-hour costs and how much of it does not reach the rack: assumptions, printed as such."""

    usdc_micro_per_mwh: int = 80_000_000
    pue_bp: int = 12_000


ASSUMED: Final = Tariff()
GPU_HOUR: Final[Row] = {
    "board_w": 688,
    "pue_bp": 12_000,
    "energy_usdc_micro_per_mwh": 80_000_000,
    "rent_usdc_micro_per_hour": 2_110_000,
    "energy_usdc_micro_per_hour": 66_048,
    "energy_share_bp": 313,
    "assumptions": "H100 board at 0.688 kW, PUE 1.2, $80/MWh, rent $2.11 an hour; processors, network and storage of "
    "the node are left out; an order of magnitude, not a measurement",
}
"""Energy in the price of an accelerator-hour."""


def energy_in_price(energy_mj_per_1k_tokens: int, price_usdc_micro_per_1k_tokens: int, tariff: Tariff = ASSUMED) -> Row:
    """What a thousand tokens' energy costs at a tariff [nano-dollars, rounded up], and its share of their price."""
    bought = energy_mj_per_1k_tokens * tariff.pue_bp * tariff.usdc_micro_per_mwh * 1_000
    nano = -(-bought // (MJ_PER_WH * WH_PER_MWH * BASIS_POINTS))
    price_nano = price_usdc_micro_per_1k_tokens * 1_000
    return {
        "energy_mj_per_1k_tokens": energy_mj_per_1k_tokens,
        "energy_usdc_nano_per_1k_tokens": nano,
        "price_usdc_micro_per_1k_tokens": price_usdc_micro_per_1k_tokens,
        "energy_share_bp": nano * BASIS_POINTS // price_nano if price_nano else None,
        "assumptions": f"${tariff.usdc_micro_per_mwh / 1e6:g}/MWh, PUE {tariff.pue_bp / BASIS_POINTS:g}",
    }


def curves() -> list[Row]:
    """The published curves as rows."""
    return [
        {
            "accelerator": name,
            "points": [
                {
                    "batch": one.batch,
                    "mj_per_token": one.mj_per_token,
                    "power_w": one.power_w,
                    "tokens_per_s": one.tokens_per_s,
                }
                for one in points
            ],
            "source": CITATION,
        }
        for name, points in CURVES.items()
    ]
