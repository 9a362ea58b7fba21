"""A public auto loan deal: one servicer's month to the cent, and the years after it.

Source: SEC EDGAR 1623837/000119312515252997, exhibit 99.1, collection period June 2015.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from example_life import USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.amortise import level
from penstock.capital.run import Run, Series

CARMAX = example("carmax_2014_4")
NOTES = ("A2a", "A2b", "A3", "A4", "B", "C", "D")
LIBOR = 186_500  # 0.1865 %: an assumption; the report's own figures above do not depend on it
CENT = USDC // 100


def cents(dollars: str) -> int:
    return int(Fraction(dollars.replace(",", "")) * 100)


def rounded(usdc_micro: int) -> int:
    return (usdc_micro + CENT // 2) // CENT


def months(defaults: Fraction, yields: Fraction = Fraction(8, 100), periods: int = 60) -> dict[str, list[int]]:
    """June 2015 as reported, then level loans of 54 months; so much of them defaults a month, for nothing."""
    pool = [cents("931,722,791.78") * CENT]
    principal, losses = [cents("28,659,171.33") * CENT], [cents("1,257,706.59") * CENT]
    opening = [cents("961,639,669.70") * CENT]
    parts = level(10**9, Fraction(8, 1200), 54)
    for month in range(1, periods):
        left = sum(parts[month - 1 :])
        lost = int(pool[-1] * defaults)
        paid = (pool[-1] - lost) * parts[month - 1] // left if left else 0
        opening.append(pool[-1])
        principal.append(paid)
        losses.append(lost)
        pool.append(pool[-1] - paid - lost)
    cash = [part + int(before * yields / 12) for part, before in zip(principal, opening, strict=True)]
    return {"cash": cash, "pool": pool, "principal": principal, "losses": losses, "libor": [LIBOR] * periods}


def along(columns: dict[str, list[int]], missing: tuple[int, ...] = ()) -> Series:
    return path(columns["cash"], missing, **{name: values for name, values in columns.items() if name != "cash"})


def called() -> tuple[Series, int]:
    """The servicer buys the last tenth as soon as it may; the month's place."""
    usual = months(Fraction(1, 1000))
    before, tenth = live(CARMAX, along(usual)), cents("116,500,000.56") * CENT
    month = next(place for place, left in enumerate(usual["pool"]) if left < tenth)
    usual["cash"][month] += sum(int(before.balance(name)[month - 1]) for name in NOTES) * 101 // 100
    for column in ("cash", "pool", "principal", "losses"):
        usual[column][month + 1 :] = [0] * (59 - month)
    return along(usual), month


def notes(run: Run, place: int) -> int:
    return sum(int(run.balance(name)[place]) for name in NOTES)


def test_june_2015_is_the_servicers_month_to_the_cent() -> None:
    run = live(CARMAX, along(months(Fraction(1, 1000))))
    assert rounded(int(run.balance("A2a")[0])) == cents("230,208,035.14")
    assert rounded(int(run.balance("A2b")[0])) == cents("97,689,756.61")
    assert rounded(notes(run, 0)) == cents("925,897,791.75")
    kept = cents("931,722,791.78") - rounded(notes(run, 0))
    assert kept == cents("5,825,000.03")
    assert [int(run.balance(name)[0]) // USDC for name in NOTES[2:]] == [
        406_000_000, 116_900_000, 29_100_000, 27_400_000, 18_600_000,
    ]  # fmt: skip


def test_interest_and_the_servicers_fee_of_june_follow_from_the_coupons() -> None:
    """30/360: a twelfth of a year; A2b by its 30 days of act/360. The fee is 1 % a year of the opening pool."""
    run = live(CARMAX, along(months(Fraction(1, 1000))))
    interest = {"A3": "422,916.67", "A4": "176,324.17", "B": "53,350.00", "C": "55,713.33", "D": "47,120.00"}
    assert {name: rounded(int(run.paid(name)[0])) for name in interest} == {
        name: cents(value) for name, value in interest.items()
    }
    a2a = int(run.paid("A2a")[0]) - (cents("251,211,853.58") * CENT - int(run.balance("A2a")[0]))
    assert rounded(a2a) == cents("140,259.95")
    assert rounded(int(run.paid("servicer")[0])) == cents("801,366.39")


def test_usual_years_repay_every_class_in_order() -> None:
    run = live(CARMAX, along(months(Fraction(1, 1000))))
    assert changes(run) == [(55, "called")]  # nothing is owed any more: the right costs nothing
    assert notes(run, -1) == 0
    assert run.matured > 0
    assert run.held("reserve")[-1] == cents("2,912,500.01") * CENT + 4_150
    for senior, junior in zip(("A2a", "A3", "B", "C"), ("B", "B", "C", "D"), strict=True):
        in_order(run, senior, junior)
    for first, later in pairwise(NOTES[1:]):
        moved = np.diff(run.balance(later), prepend=run.balance(later)[0]) < 0
        assert not (moved & (run.balance(first) > 0)).any(), later


def test_every_state_is_reached_and_cures() -> None:
    usual, late = months(Fraction(1, 1000)), along(months(Fraction(1, 1000)), (5, 6))
    bad, (call, month) = months(Fraction(4, 100), Fraction(1, 100)), called()
    runs = [live(CARMAX, along(usual)), live(CARMAX, late), live(CARMAX, along(bad)), live(CARMAX, call)]
    everything_reached(CARMAX, runs)
    assert changes(runs[1])[:2] == [(5, "held"), (8, "normal")]
    assert not runs[1].paid("E")[4:7].any()
    assert "accel" in runs[2].states
    after = [place for place, state in enumerate(runs[2].states) if state == "accel"]
    assert runs[2].balance("D")[-1] == 18_600_000 * USDC
    in_order(runs[2], "A3", "B", ("accel",))
    assert not runs[2].paid("E")[after].any()
    assert runs[3].states[month] == "called"
    assert notes(runs[3], month) == 0


def test_two_years_close_on_chain() -> None:
    assert on_chain(CARMAX, along(months(Fraction(4, 100), Fraction(1, 100)), (5,)), 24)
