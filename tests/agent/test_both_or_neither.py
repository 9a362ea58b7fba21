"""Compute and certificates: both or neither, wherever it fails and wherever the process dies."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from penstock.agent.together import GIVEN_BACK, TAKEN, Together
from penstock.errors import Conflict, Corrupt, PenstockError, Refused, Unavailable


class Died(BaseException):
    """The process ends here."""


@dataclass(slots=True)
class Shelf:
    """A leg that keeps what it holds, as another process would; ``fail`` by step, each once."""

    held: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    fail: dict[str, BaseException] = field(default_factory=dict)

    def reserve(self, key: str) -> None:
        self._step("reserve")
        self.held.add(key)
        self._step("reserved")

    def take(self, key: str) -> None:
        self._step("take")
        assert key in self.held | self.taken
        self.held.discard(key)
        self.taken.add(key)
        self._step("taken")

    def give_back(self, key: str) -> None:
        self._step("give back")
        self.held.discard(key)

    def _step(self, name: str) -> None:
        error = self.fail.pop(name, None)
        if error is not None:
            raise error


def test_both_are_bought(tmp_path: Path) -> None:
    compute, certificates = Shelf(), Shelf()
    pair = Together(tmp_path, "one")
    pair.buy(compute, certificates)
    pair.buy(compute, certificates)
    assert (compute.taken, certificates.taken, pair.state) == ({"one"}, {"one"}, TAKEN)


@pytest.mark.parametrize("which", [0, 1])
def test_where_one_cannot_be_had_neither_is(tmp_path: Path, which: int) -> None:
    legs = (Shelf(), Shelf())
    legs[which].fail["reserve"] = Refused("window.sold", "Sold.")
    pair = Together(tmp_path, "one")
    with pytest.raises(Refused):
        pair.buy(*legs)
    assert pair.state == GIVEN_BACK
    assert not any(leg.held or leg.taken for leg in legs)
    with pytest.raises(Conflict) as caught:
        pair.buy(*legs)
    assert caught.value.code == "together.over"


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_half_taken_is_finished(tmp_path: Path, which: int) -> None:
    legs = (Shelf(), Shelf())
    legs[which].fail["take"] = Unavailable("provider.silent", "Later.")
    pair = Together(tmp_path, "one")
    with pytest.raises(Unavailable) as caught:
        pair.buy(*legs)
    assert caught.value.code == "together.half"
    pair.buy(*legs)
    assert all(leg.taken == {"one"} for leg in legs)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("step", ["reserve", "reserved", "take", "taken", "give back"])
def test_wherever_it_dies_it_ends_with_both_or_neither(tmp_path: Path, which: int, step: str) -> None:
    legs = (Shelf(), Shelf())
    legs[which].fail[step] = Died()
    if step == "give back":
        legs[1 - which].fail["reserve"] = Refused("window.sold", "Sold.")
    with pytest.raises((Died, PenstockError)):
        Together(tmp_path, "one").buy(*legs)
    again = Together(tmp_path, "one")
    state = again.settle(*legs)
    assert state in (TAKEN, GIVEN_BACK)
    assert [leg.taken for leg in legs] == [{"one"} if state == TAKEN else set()] * 2
    assert not any(leg.held for leg in legs)
    assert again.settle(*legs) == state


def test_what_is_gone_when_it_is_taken_gives_the_other_back(tmp_path: Path) -> None:
    """A door that holds nothing for anybody may have sold it meanwhile; wherever the process dies, neither is had."""
    compute, certificates = Shelf(), Shelf()
    compute.fail["take"] = Refused("compute.gone", "Sold.")
    certificates.fail["give back"] = Died()
    pair = Together(tmp_path, "one")
    with pytest.raises(Died):
        pair.buy(compute, certificates)
    compute.fail["take"] = AssertionError("what is being given back is not taken again")
    with pytest.raises(Conflict):
        Together(tmp_path, "one").buy(compute, certificates)
    assert not (certificates.held or certificates.taken or compute.taken)
    assert pair.state == GIVEN_BACK


def test_nothing_is_begun_while_the_agent_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "STOP").write_text("")
    compute, certificates = Shelf(), Shelf()
    with pytest.raises(Refused) as caught:
        Together(tmp_path, "one").buy(compute, certificates)
    assert caught.value.code == "agent.stopped"
    assert not (certificates.held or compute.held)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "pair-one.json").write_text("{")
    with pytest.raises(Corrupt) as caught:
        Together(tmp_path, "one").buy(Shelf(), Shelf())
    assert caught.value.code == "together.file"
