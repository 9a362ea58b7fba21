"""Sources of power: package counters that wrap, boards, the stated model; and the meter that makes one register."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from penstock.connect.inference.meter import Meter
from penstock.connect.inference.power import Nvml, Rapl, StatedModel, Together, find_power
from penstock.connect.inference.workbook import Workbook
from penstock.errors import Invalid, Unavailable


def package(root: Path, name: str, energy_uj: int, label: str = "package-0") -> Path:
    zone = root / name
    zone.mkdir(parents=True)
    (zone / "name").write_text(f"{label}\n")
    (zone / "energy_uj").write_text(f"{energy_uj}\n")
    (zone / "max_energy_range_uj").write_text("999\n")
    return zone


@dataclass
class Boards:
    """NVML as its binding shows it, with two boards."""

    energy_mj: list[int] = field(default_factory=lambda: [1_000, 2_000])

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return len(self.energy_mj)

    def nvmlDeviceGetHandleByIndex(self, place: int) -> int:
        return place

    def nvmlDeviceGetName(self, board: int) -> str:
        return "a board"

    def nvmlDeviceGetTotalEnergyConsumption(self, board: int) -> int:
        return self.energy_mj[board]


@dataclass
class Counter:
    """A source that shows what it is told to."""

    now_uj: int = 0
    broken: bool = False
    source: str = "test"
    parameters: dict[str, int | str] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()

    def read_uj(self) -> int:
        if self.broken:
            raise Unavailable("power.unreadable", "It is broken.")
        return self.now_uj


def test_packages_are_summed_and_wraps_undone(tmp_path: Path) -> None:
    one, two = package(tmp_path, "intel-rapl:0", 900), package(tmp_path, "intel-rapl:1", 10)
    package(tmp_path, "intel-rapl:0:0", 5, "core")  # a part of a package
    package(tmp_path, "intel-rapl:2", 5, "psys")  # the platform counts packages again
    power = Rapl(tmp_path)
    assert power.parameters == {"packages": 2}
    assert power.read_uj() == 0
    (one / "energy_uj").write_text("100\n")  # wrapped at 1,000
    (two / "energy_uj").write_text("30\n")
    assert power.read_uj() == 220
    (one / "energy_uj").unlink()
    with pytest.raises(Unavailable, match=r"power\.unreadable"):
        power.read_uj()


def test_boards_are_summed() -> None:
    boards = Boards()
    power = Nvml(boards)
    assert power.read_uj() == 3_000_000
    assert power.parameters == {"boards": 2, "board": "a board"}
    with pytest.raises(Unavailable, match=r"power\.no_nvml"):
        Nvml(Boards([]))


def test_the_stated_model_says_what_it_states() -> None:
    elapsed, busy = iter([0, 10**9]), iter([0, 5 * 10**8])
    power = StatedModel(20_000, 15_000, lambda: next(elapsed), lambda: next(busy))
    assert power.read_uj() == 20_000_000 + 7_500_000  # a second at 20 W, half a second at 15 W
    assert "stated" in power.assumptions[0]
    with pytest.raises(Invalid, match=r"power\.stated"):
        StatedModel(-1, 0)


def test_the_best_source_there_is(tmp_path: Path) -> None:
    assert find_power(1, 1, tmp_path).source.startswith(("model:", "nvml"))
    package(tmp_path, "intel-rapl:0", 1)
    assert "rapl" in find_power(1, 1, tmp_path).source
    both = Together([Rapl(tmp_path), Nvml(Boards())])
    assert (both.source, both.read_uj()) == ("rapl+nvml", 3_000_000)


def test_the_meter_never_goes_back(tmp_path: Path) -> None:
    clock, power = iter([10, 20, 15, 40, 50, 60]), Counter(5_000)
    with Workbook(tmp_path) as workbook:
        meter = Meter(power, workbook, lambda: next(clock))
        power.now_uj = 8_500
        assert tuple(meter.look()) == (10, 3, True)
        power.now_uj = 9_000
        assert tuple(meter.look()) == (20, 4, True)
        power.now_uj = 2_000  # restarted, and has counted 2 mJ since
        assert tuple(meter.look()) == (21, 6, False)
        power.broken = True
        assert tuple(meter.look()) == (40, 6, False)
        assert meter.failure is not None
        power.broken, power.now_uj = False, 3_000
        assert tuple(meter.look()) == (50, 7, True)
        meter.keep()
        assert workbook.samples(0, 100)["position_mj"].tolist() == [3, 4, 6, 6, 7]


def test_a_meter_goes_on_over_restarts(tmp_path: Path) -> None:
    clock = iter([10, 20])
    with Workbook(tmp_path) as workbook:
        first = Meter(Counter(), workbook, lambda: next(clock))
        first.power.now_uj = 4_000  # type: ignore[attr-defined]
        first.look()
        first.keep()
        again = Meter(Counter(1_000_000), workbook, lambda: next(clock))
        assert tuple(again.look()) == (20, 4, False)  # nobody looked in between: nothing is counted, and it is said


def test_one_process_has_the_workbook(tmp_path: Path) -> None:
    with Workbook(tmp_path), pytest.raises(Unavailable, match=r"workbook\.in_use"):
        Workbook(tmp_path)
