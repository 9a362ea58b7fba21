"""Transfer, split, reserve, release, retire: what each does to the books; what is refused leaves them unchanged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from device_kit import hours
from registry_kit import ROOF, Registry, named

from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.words import Right, TitleState
from penstock.usecases.claim import Claim, moved
from penstock.usecases.registry.reserve import Release, Reserve, lapse, release, reserve
from penstock.usecases.registry.retire import Retirement, green_tariff, retire
from penstock.usecases.registry.selection import Named, Selection, select
from penstock.usecases.registry.split import Split, split
from penstock.usecases.registry.transfer import Transfer, transfer
from penstock.usecases.world import World


def transfer_of(selection: Selection, source: str = "owner", target: str = "trader") -> Transfer:
    return Transfer(source, target, selection)


def test_a_transfer_moves_exactly_what_was_asked(registry: Registry) -> None:
    (entry,) = registry.do(transfer, transfer_of(Selection(quantity_wh=1_200)))
    assert isinstance(entry.fact, TitlesMoved)
    assert (entry.fact.quantity, entry.fact.purpose, entry.fact.beneficiary) == (1_200, "transfer", "trader")
    assert registry.owned()[:3] == [
        (0, 1_000, "trader", "held"),
        (1_000, 1_200, "trader", "held"),
        (1_200, 2_500, "owner", "held"),
    ]
    assert (registry.wh("owner"), registry.wh("trader")) == (3_800, 1_200)


def test_what_was_received_is_passed_on_in_parts(registry: Registry) -> None:
    registry.do(transfer, transfer_of(named((0, 1_000))))
    registry.do(transfer, transfer_of(named((250, 750)), "trader", "buyer"))
    assert registry.owned()[:3] == [
        (0, 250, "trader", "held"),
        (250, 750, "buyer", "held"),
        (750, 1_000, "trader", "held"),
    ]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (Transfer("owner", "owner", named((0, 1))), "transfer.same_account"),
        (Transfer("owner", "nobody", named((0, 1))), "account.unknown"),
        (Transfer("nobody", "trader", named((0, 1))), "account.unknown"),
        (Transfer("trader", "buyer", named((0, 1))), "titles.other_holder"),
        (Transfer("owner", "trader", named((0, 1)), by="attacker"), "account.not_member"),
        (Transfer("owner", "trader", Selection(quantity_wh=-5)), "selection.quantity"),
    ],
)
def test_a_transfer_is_refused(registry: Registry, asked: Transfer, code: str) -> None:
    assert registry.refused(transfer, asked) == code


def test_nobody_receives_against_a_whitelist(registry: Registry) -> None:
    registry.world.participants.whitelists["trader"] = frozenset({"buyer"})
    assert registry.refused(transfer, transfer_of(named((0, 1)))) == "account.not_whitelisted"
    registry.do(transfer, transfer_of(named((0, 1)), target="buyer"))
    registry.do(transfer, transfer_of(named((0, 1)), "buyer"))


def split_of(start: int, stop: int, *sizes_wh: int, account: str = "owner") -> Split:
    return Split(account, Named(ROOF, start, stop), sizes_wh)


@pytest.mark.parametrize("sizes", [(433, 867 - 300), (433,), (1, 1, 1), (999,), tuple([1] * 1_000)])
def test_the_parts_of_a_split_are_the_certificate(registry: Registry, sizes: tuple[int, ...]) -> None:
    """The known defect of other registries: a part's range has one unit more or less than its quantity."""
    registry.do(split, split_of(0, 1_000, *sizes))
    parts = [(a, b) for a, b, _, _ in registry.owned() if b <= 1_000]
    assert [b - a for a, b in parts][: len(sizes)] == list(sizes)
    assert parts[0][0] == 0
    assert parts[-1][1] == 1_000
    assert [b for _, b in parts[:-1]] == [a for a, _ in parts[1:]]
    assert registry.wh("owner") == 5_000


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (split_of(0, 1_000), "split.sizes"),
        (split_of(0, 2**64, 1), "selection.span"),
        (split_of(-1, 1_000, 1), "selection.span"),
        (split_of(0, 1_000, 0), "split.sizes"),
        (split_of(0, 1_000, 500, -5), "split.sizes"),
        (split_of(0, 1_000, 1_001), "split.too_large"),
        (split_of(0, 1_000, 999, 2), "split.too_large"),
        (split_of(0, 1_000, 1_000), "split.nothing"),
        (split_of(0, 900, 5), "split.not_whole"),
        (split_of(100, 1_000, 5), "split.not_whole"),
        (split_of(0, 2_500, 5), "split.not_whole"),
        (split_of(0, 1_000, 5, account="trader"), "titles.other_holder"),
    ],
)
def test_a_split_is_refused(registry: Registry, asked: Split, code: str) -> None:
    assert registry.refused(split, asked) == code


def test_what_is_no_longer_held_is_not_split(registry: Registry) -> None:
    registry.do(retire, Retirement("owner", named((0, 1_000)), "buyer", "an event"))
    assert registry.refused(split, split_of(0, 1_000, 5)) == "titles.not_active"


def test_retired_is_final(registry: Registry) -> None:
    asked = Retirement("owner", named((0, 400)), "buyer", "an event", "for all to see", hours(0), hours(1))
    (entry,) = registry.do(retire, asked)
    assert isinstance(entry.fact, TitlesMoved)
    told = (entry.fact.purpose, entry.fact.beneficiary, entry.fact.statement, entry.fact.start_us, entry.fact.stop_us)
    assert told == ("an event", "buyer", "for all to see", hours(0), hours(1))
    for again in (retire, transfer, reserve):
        made = {
            retire: asked,
            transfer: transfer_of(named((0, 1))),
            reserve: Reserve("owner", named((0, 1)), "buyer", hours(9)),
        }[again]
        assert registry.refused(again, made) == "titles.not_active"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reason": " "}, "retire.reason"),
        ({"reason": "x" * 1_001}, "retire.text"),
        ({"statement": "a\x00b"}, "retire.text"),
        ({"start_us": 5, "stop_us": 5}, "period.empty"),
        ({"selection": Selection(quantity_wh=5_001)}, "selection.short"),
    ],
)
def test_a_retirement_is_refused(registry: Registry, change: dict[str, object], code: str) -> None:
    asked = Retirement("owner", named((0, 400)), "buyer", "an event")
    assert registry.refused(retire, replace(asked, **change)) == code  # type: ignore[arg-type]


def test_a_green_tariff_uses_up_the_same_attribute(registry: Registry) -> None:
    registry.do(retire, Retirement("owner", named((0, 400)), "customers", green_tariff("sun for all")))
    assert registry.wh("owner", "retired") == 400
    assert registry.refused(transfer, transfer_of(named((399, 400)))) == "titles.not_active"
    with pytest.raises(Invalid, match="has a name"):
        green_tariff(" ")


def reserve_for(beneficiary: str, start: int = 0, stop: int = 1_000, until: float = 9) -> Reserve:
    return Reserve("owner", named((start, stop)), beneficiary, hours(until))


def test_reserved_is_kept_for_whom_it_is_reserved(registry: Registry) -> None:
    registry.do(reserve, reserve_for("buyer"))
    assert registry.wh("owner", "reserved") == 1_000
    other = transfer_of(named((0, 1_000)))
    assert registry.refused(transfer, other) == "reserve.for_another"
    assert registry.refused(retire, Retirement("owner", named((0, 1)), "trader", "x")) == "reserve.for_another"
    assert registry.refused(reserve, reserve_for("trader")) == "titles.not_active"
    assert registry.refused(release, Release("owner", named((0, 1_000)), "trader")) == "reserve.for_another"
    assert registry.refused(transfer, transfer_of(Selection(quantity_wh=4_001))) == "selection.short"
    registry.do(transfer, transfer_of(named((0, 600)), target="buyer"))
    registry.do(retire, Retirement("owner", named((600, 700)), "buyer", "x"))
    registry.do(release, Release("owner", named((800, 900)), "buyer"))
    assert registry.owned()[:5] == [
        (0, 600, "buyer", "held"),
        (600, 700, "owner", "retired"),
        (700, 800, "owner", "reserved"),
        (800, 900, "owner", "held"),
        (900, 1_000, "owner", "reserved"),
    ]
    assert registry.refused(transfer, transfer_of(named((950, 960)))) == "reserve.for_another"
    registry.do(transfer, transfer_of(named((850, 860))))


def test_a_reservation_lapses_and_can_be_made_again(registry: Registry) -> None:
    registry.do(reserve, reserve_for("buyer", until=9))
    registry.do(reserve, reserve_for("buyer", 1_000, 1_500, until=10))
    assert registry.refused(lambda world, _asked, at_us: lapse(world, at_us), None, 8.99) == "reserve.none_lapsed"
    registry.do(lambda world, _asked, at_us: lapse(world, at_us), None, 9)
    assert registry.wh("owner", "reserved") == 500
    registry.do(reserve, reserve_for("trader", 500, 800, until=20), 9)
    assert registry.refused(transfer, transfer_of(named((600, 700)), target="buyer"), 10) == "reserve.for_another"
    registry.do(release, Release("owner", named((1_000, 1_500))), 10)
    assert registry.refused(release, Release("owner", named((500, 800))), 10) == "reserve.for_another"


def test_a_reservation_is_refused(registry: Registry) -> None:
    assert registry.refused(reserve, reserve_for(" ")) == "reserve.beneficiary"
    assert registry.refused(reserve, reserve_for("buyer", until=5), 5) == "reserve.until"
    assert registry.refused(reserve, reserve_for("buyer", 0, 5_001)) == "titles.none"


def test_a_fact_that_takes_what_is_reserved_does_not_apply(registry: Registry) -> None:
    """A forged record is refused where it is replayed, not only where it is decided."""
    registry.do(reserve, reserve_for("buyer"))
    parts = select(registry.world, "owner", named((0, 10)), (TitleState.RESERVED,))
    forged: list[Entry] = [
        moved(registry.world, Right.ATTRIBUTE, parts, TitleState.RETIRED, Claim("attacker", "x", None))
    ]
    with pytest.raises(Refused, match="reserved for somebody else"):
        registry.tell(forged, hours(5))


def test_a_replay_keeps_the_same_reservations(registry: Registry) -> None:
    registry.do(reserve, reserve_for("buyer"))
    registry.do(release, Release("owner", named((200, 300)), "buyer"))
    before = registry.world.reservations.digest()
    again = Registry().with_hours()
    again.do(reserve, reserve_for("buyer"))
    again.do(release, Release("owner", named((200, 300)), "buyer"))
    assert again.world.reservations.digest() == before
    assert World().reservations.digest() != before
