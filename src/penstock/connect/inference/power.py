"""Where the figure of energy comes from: processors' own counters, accelerators' own counters, or a stated model.

Every source is a counter in microjoules that only goes up while it runs, with its name and its figures, which every
receipt repeats. What is stated is never called measured.

Sources: Linux power capping framework (``Documentation/power/powercap``); NVML, nvmlDeviceGetTotalEnergyConsumption.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from penstock.errors import Invalid, Unavailable

RAPL_ROOT: Final = Path("/sys/class/powercap")
_UJ_PER_MJ: Final = 1_000


class Power(Protocol):
    """One source."""

    @property
    def source(self) -> str:
        """Its name: ``rapl``, ``nvml``, ``model:...``."""

    @property
    def parameters(self) -> Mapping[str, int | str]:
        """Its figures."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What holds only if one believes it, in sentences."""

    def read_uj(self) -> int:
        """Energy since some instant in the past [uJ]; falls only where a counter restarted.

        Raises:
            Unavailable: ``power.unreadable``.
        """


class Rapl:
    """Processor packages by Intel's and AMD's running average power limit counters; 32-bit wraps are undone.

    Raises:
        Unavailable: ``power.no_rapl`` where there is no package counter that this process may read.
    """

    source = "rapl"
    assumptions = ("Processor packages alone: memory, disks, network, fans and conversion are not in it.",)

    def __init__(self, root: Path = RAPL_ROOT) -> None:
        self._packages = [zone for zone in sorted(root.glob("intel-rapl:*")) if _is_package(zone)]
        if not self._packages:
            hint = "Read it as root, or state a model of power."
            raise Unavailable("power.no_rapl", "No processor energy counter is readable here.", hint=hint)
        self._ranges = [int((zone / "max_energy_range_uj").read_text()) + 1 for zone in self._packages]
        self._last = [self._raw(zone) for zone in self._packages]
        self._sum = 0

    @property
    def parameters(self) -> Mapping[str, int | str]:
        """How many packages."""
        return {"packages": len(self._packages)}

    def read_uj(self) -> int:
        """All packages together since this object was made."""
        raw = [self._raw(zone) for zone in self._packages]
        self._sum += sum((now - before) % span for now, before, span in zip(raw, self._last, self._ranges, strict=True))
        self._last = raw
        return self._sum

    @staticmethod
    def _raw(zone: Path) -> int:
        try:
            return int((zone / "energy_uj").read_text())
        except (OSError, ValueError) as error:
            raise Unavailable("power.unreadable", "A processor's energy counter cannot be read.") from error


def _is_package(zone: Path) -> bool:
    """A readable package: not a part of one (two colons), and not the platform, which would count packages twice."""
    try:
        name = (zone / "name").read_text().strip()
        int((zone / "energy_uj").read_text())
        return zone.name.count(":") == 1 and name.startswith("package")
    except (OSError, ValueError):
        return False


class Nvml:
    """NVIDIA boards by NVML's own energy counters (Volta and later).

    Raises:
        Unavailable: ``power.no_nvml`` without the driver, its Python package, or a board that counts energy.
    """

    source = "nvml"
    assumptions = ("Accelerator boards alone: host, network, fans of the chassis and conversion are not in it.",)

    def __init__(self, nvml: Any = None) -> None:
        try:
            self._nvml = nvml or _load_nvml()
            self._nvml.nvmlInit()
            count = self._nvml.nvmlDeviceGetCount()
            self._boards = [self._nvml.nvmlDeviceGetHandleByIndex(place) for place in range(count)]
            self._model = str(self._nvml.nvmlDeviceGetName(self._boards[0])) if count else ""
            self.read_uj()
        except Exception as error:  # the binding raises its own tree, and an import error where it is not installed
            raise Unavailable("power.no_nvml", "No accelerator here counts its energy.") from error
        if not self._boards:
            raise Unavailable("power.no_nvml", "There is no accelerator here.")

    @property
    def parameters(self) -> Mapping[str, int | str]:
        """How many boards, of what kind."""
        return {"boards": len(self._boards), "board": self._model}

    def read_uj(self) -> int:
        """All boards together since their drivers were loaded."""
        read = self._nvml.nvmlDeviceGetTotalEnergyConsumption
        try:
            return sum(int(read(board)) for board in self._boards) * _UJ_PER_MJ
        except Exception as error:  # as above
            raise Unavailable("power.unreadable", "An accelerator's energy counter cannot be read.") from error


def _load_nvml() -> Any:
    import pynvml  # type: ignore[import-untyped]

    return pynvml


class StatedModel:
    """Energy by a stated model: an idle draw all the time, and so much more for every busy processor core.

    The time and the processor time of this process are measured; the two figures of draw [mW] are stated.

    Raises:
        Invalid: ``power.stated`` for figures below 0.
    """

    def __init__(
        self,
        idle_mw: int,
        busy_core_mw: int,
        elapsed_ns: Callable[[], int] = time.monotonic_ns,
        busy_ns: Callable[[], int] = time.process_time_ns,
    ) -> None:
        if min(idle_mw, busy_core_mw) < 0:
            raise Invalid("power.stated", "A draw is not negative.")
        self.source = "model:cpu-time/1"
        self.parameters: Mapping[str, int | str] = {"idle_mw": idle_mw, "busy_core_mw": busy_core_mw}
        self.assumptions: tuple[str, ...] = (
            f"Power is a stated model, nothing is metered: {idle_mw} mW idle, {busy_core_mw} mW more a busy core.",
            "Processor time of this process is measured; other processes on the machine are not in it.",
        )
        self._idle_mw, self._busy_core_mw = idle_mw, busy_core_mw
        self._elapsed_ns, self._busy_ns = elapsed_ns, busy_ns
        self._start = (elapsed_ns(), busy_ns())

    def read_uj(self) -> int:
        """Since this object was made; rounded down."""
        elapsed, busy = self._elapsed_ns() - self._start[0], self._busy_ns() - self._start[1]
        return (self._idle_mw * elapsed + self._busy_core_mw * busy) // 1_000_000


class Together:
    """Several sources that do not overlap, as one."""

    def __init__(self, parts: Sequence[Power]) -> None:
        self._parts = tuple(parts)
        self.source = "+".join(part.source for part in parts)
        self.parameters: Mapping[str, int | str] = {
            f"{part.source}.{name}": value for part in parts for name, value in part.parameters.items()
        }
        self.assumptions = tuple(sentence for part in parts for sentence in part.assumptions)

    def read_uj(self) -> int:
        """All of them."""
        return sum(part.read_uj() for part in self._parts)


def find_power(idle_mw: int, busy_core_mw: int, rapl_root: Path = RAPL_ROOT) -> Power:
    """The best there is on this machine: counters of processors, of accelerators or of both; else the stated model."""
    found: list[Power] = []
    for kind in (lambda: Rapl(rapl_root), Nvml):
        try:
            found.append(kind())
        except Unavailable:
            continue
    if not found:
        return StatedModel(idle_mw, busy_core_mw)
    return found[0] if len(found) == 1 else Together(found)
