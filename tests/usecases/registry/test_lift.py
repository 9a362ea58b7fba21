"""Certificates leave for the chain and come back: the journal's side, without a chain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_plant import DAYS, Plant

from penstock.energy.certificate_id import Properties, month_of, word
from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.kinds.lift import ReturnCause, TitlesLifted
from penstock.journal.laws import breaches
from penstock.journal.segment import Segment
from penstock.journal.titles import Verdict
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState
from penstock.period import HOUR_US, SECOND_US, parse_iso
from penstock.usecases.registry.lift import ON_CHAIN, UNCLAIMED, Lifting, batches, lift, lift_on
from penstock.usecases.registry.lower import Burn, lapsed, returned
from penstock.usecases.registry.selection import Named, Selection, select
from penstock.usecases.world import World

AT_US = DAYS[-1].stop_us
HOLDER = bytes(range(20))
DEADLINE_S = AT_US // SECOND_US + 3_600


@pytest.fixture
def up(plant: Plant) -> Plant:
    """Two days of certificates, none used; the vault's accounts are open."""
    plant.certified(0)
    plant.certified(1)
    plant.do("vault", lambda _: [Entry(AccountOpened(name)) for name in (ON_CHAIN, UNCLAIMED)])
    return plant


def asked(deadline_s: int = DEADLINE_S) -> Lifting:
    return Lifting("roof-a", HOLDER, deadline_s)


def lifted(up: Plant, key: str, selection: Selection) -> list[dict[str, object]]:
    return lift_on(up.workspace, asked(), selection, AT_US, key)


def burn_of(up: Plant, batch: dict[str, object], quantity: int, cause: ReturnCause, number: int = 0) -> Burn:
    certificate = bytes.fromhex(str(batch["certificate"]))
    return Burn(cause, number, certificate, quantity, HOLDER, account="investor", badge=4, purpose="a climate action")


def state_wh(up: Plant, account: str, state: TitleState) -> int:
    books = up.world.books
    return books.titles[Right.ATTRIBUTE].balance(books.accounts.id_of(account), state)


def hour_of(up: Plant) -> dict[str, int]:
    """The first hour of roof-a with a title."""
    titles = up.world.books.titles[Right.ATTRIBUTE].columns()
    row = int(np.flatnonzero(titles["register"] == up.world.books.registers.id_of("roof-a/export"))[0])
    return {name: int(titles[name][row]) for name in ("start", "stop", "interval_us")}


def test_an_hour_is_lifted_under_the_id_of_all_that_moves_its_price(up: Plant) -> None:
    hour = hour_of(up)
    (batch,) = lifted(up, "lift", Selection(spans=(Named("roof-a/export", hour["start"], hour["stop"]),)))
    expected = Properties(
        word("US-PSCO"), hour["interval_us"] // SECOND_US, 3_600, word("solar_pv"), 0, month_of(DAYS[0].start_us), 0,
        word(""), False,
    )  # fmt: skip
    assert batch["certificate"] == expected.certificate().hex()
    assert batch["quantity_wh"] == state_wh(up, ON_CHAIN, TitleState.LIFTED) == hour["stop"] - hour["start"]
    assert breaches(up.world.books) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"zone": word("US-PSCX")}, {"interval_start_s": 1}, {"interval_s": 900}, {"technology": word("wind")},
        {"assurance": 1}, {"commissioned_month": 201609}, {"carbon_mg_per_kwh": 1}, {"support": word("tariff")},
        {"stored": True},
    ],
)  # fmt: skip
def test_whatever_moves_the_price_changes_the_id(change: dict[str, object]) -> None:
    one = Properties(word("US-PSCO"), 0, 3_600, word("solar_pv"), 0, 201608, 0, word(""), False)
    assert replace(one, **change).certificate() != one.certificate()  # type: ignore[arg-type]


def test_months_and_words() -> None:
    assert [month_of(parse_iso(f"{at}T00:00:00Z")) for at in ("2016-12-31", "2017-01-01")] == [201612, 201701]
    assert month_of(0) == 0
    for bad in ("a" * 33, "ö"):
        with pytest.raises(PenstockError) as refused:
            word(bad)
        assert refused.value.code == "lift.word"


def test_each_hour_is_its_own_batch(up: Plant) -> None:
    found = lifted(up, "lift", Selection(share_basis_points=10_000))
    titles = up.world.books.titles[Right.ATTRIBUTE].columns()
    mine = titles["register"] == up.world.books.registers.id_of("roof-a/export")
    assert len(found) == len(np.unique(titles["interval_us"][mine])) > 20
    assert lifted(up, "lift", Selection(share_basis_points=10_000)) == found  # the same key: the same answer
    assert breaches(up.world.books) == ()


def test_lowered_to_whom_the_holder_named(up: Plant) -> None:
    (batch,) = lifted(up, "lift", Selection(quantity_wh=10))
    up.do("burn", lambda world: returned(world, burn_of(up, batch, 4, ReturnCause.LOWERED)))
    up.do("again", lambda world: returned(world, burn_of(up, batch, 6, ReturnCause.RETIRED, 1)))
    assert (state_wh(up, "investor", TitleState.HELD), state_wh(up, ON_CHAIN, TitleState.RETIRED)) == (4, 6)
    assert batches(up.workspace)[0]["on_chain_wh"] == 0
    assert breaches(up.world.books) == ()


def test_lowered_to_nobody_waits(up: Plant) -> None:
    (batch,) = lifted(up, "lift", Selection(quantity_wh=10))
    burn = replace(burn_of(up, batch, 10, ReturnCause.LOWERED), account="somebody unknown")
    up.do("burn", lambda world: returned(world, burn))
    assert state_wh(up, UNCLAIMED, TitleState.HELD) == 10


def test_what_nobody_minted_goes_back_to_whom_it_was(up: Plant) -> None:
    hour = hour_of(up)
    middle = (hour["start"] + hour["stop"]) // 2
    up.do("sold", lambda world: [move(world, hour["start"], middle, "roof-a", "investor")])
    named = Selection(spans=(Named("roof-a/export", hour["start"], hour["stop"]),))
    up.do("lift", lambda world: lift(world, select(world, None, named), asked(), AT_US))
    (batch,) = batches(up.workspace)
    assert batch["rows"] == 2
    minted = np.array([False, True])
    up.do("lapse", lambda world: lapsed(world, int(batch["batch"]), minted))
    assert state_wh(up, ON_CHAIN, TitleState.LIFTED) == hour["stop"] - middle
    assert state_wh(up, "investor", TitleState.HELD) == middle - hour["start"]
    assert breaches(up.world.books) == ()
    with pytest.raises(PenstockError) as twice:
        up.do("lapse again", lambda world: lapsed(world, int(batch["batch"]), minted))
    assert twice.value.code == "vault.lapse"


def move(world: object, start: int, stop: int, source: str, target: str, state: TitleState = TitleState.HELD) -> Entry:
    books = world.books  # type: ignore[attr-defined]
    columns = {
        "register": np.array([books.registers.id_of("roof-a/export")], dtype=np.int32),
        "start": np.array([start]), "stop": np.array([stop]),
        "source": np.array([books.accounts.id_of(source)], dtype=np.int32),
        "target": np.array([books.accounts.id_of(target)], dtype=np.int32),
        "state": np.array([TITLE_STATES.index(state)], dtype=np.uint8),
    }  # fmt: skip
    segment = Segment(MOVES, columns)
    return Entry(TitlesMoved(segment.ref(), Right.ATTRIBUTE, state, "a test", "", stop - start), segment)


@pytest.mark.parametrize("state", [TitleState.HELD, TitleState.RETIRED, TitleState.CLAIMED])
def test_a_lifted_title_cannot_be_used_here(up: Plant, state: TitleState) -> None:
    hour = hour_of(up)
    lifted(up, "lift", Selection(spans=(Named("roof-a/export", hour["start"], hour["stop"]),)))
    before = up.workspace.store.size()
    with pytest.raises(PenstockError) as refused:
        up.do("theft", lambda world: [move(world, hour["start"], hour["stop"], ON_CHAIN, "investor", state)])
    assert refused.value.code in ("vault.other_move", "state.does_not_apply")
    assert up.workspace.store.size() == before
    segment = move(up.world, hour["start"], hour["stop"], ON_CHAIN, "investor", state).segment
    assert segment is not None
    assert up.world.books.judge_moves(Right.ATTRIBUTE, segment.columns).tolist() == [Verdict.NOT_ACTIVE]
    with pytest.raises(PenstockError) as again:
        lifted(up, "twice", Selection(spans=(Named("roof-a/export", hour["start"], hour["stop"]),)))
    assert again.value.code in ("titles.other_holder", "titles.not_active")


def test_a_title_is_not_lifted_beside_the_vault(up: Plant) -> None:
    hour = hour_of(up)
    with pytest.raises(PenstockError):
        up.do("m", lambda w: [move(w, hour["start"], hour["stop"], "roof-a", ON_CHAIN, TitleState.LIFTED)])
    assert breaches(up.world.books) == ()
    segment = move(up.world, hour["start"], hour["stop"], "roof-a", ON_CHAIN, TitleState.LIFTED).segment
    assert segment is not None
    assert up.world.books.judge_moves(Right.ATTRIBUTE, segment.columns).tolist() == [Verdict.NOT_ACTIVE]


def test_only_what_is_held_and_valid_is_lifted(up: Plant) -> None:
    parts = up.workspace.read(lambda w: select(w, "roof-a", Selection(quantity_wh=5)))
    parts["state"] = np.full_like(parts["state"], TITLE_STATES.index(TitleState.CLAIMED))
    with pytest.raises(PenstockError) as refused:
        lift(up.world, parts, asked(), AT_US)
    assert refused.value.code == "titles.not_active"


def test_a_lift_without_its_move_is_a_breach(up: Plant) -> None:
    entries = up.workspace.read(lambda w: lift(w, select(w, "roof-a", Selection(quantity_wh=5)), asked(), AT_US))
    assert isinstance(entries[0].fact, TitlesLifted)
    up.do("half", lambda _: entries[:1])
    assert {one.code for one in breaches(up.world.books)} == {"law2.vault"}


def test_a_deadline_lies_ahead(up: Plant) -> None:
    with pytest.raises(PenstockError) as refused:
        lift_on(up.workspace, asked(AT_US // SECOND_US), Selection(quantity_wh=5), AT_US, "late")
    assert refused.value.code == "lift.deadline"
    assert HOUR_US


@pytest.mark.parametrize("state", [TitleState.HELD, TitleState.RETIRED])
def test_between_a_lift_and_its_move_no_other_certificate_moves(up: Plant, state: TitleState) -> None:
    """Sold or used in between, they would be minted and be somebody's here."""
    size = up.workspace.store.size()

    def torn(world: World) -> list[Entry]:
        entries = lift(world, select(world, "roof-a", Selection(quantity_wh=5)), asked(), AT_US)
        part = select(world, "roof-a", Selection(quantity_wh=5))
        start, stop = int(part["start"][0]), int(part["stop"][0])
        return [entries[0], move(world, start, stop, "roof-a", "investor", state), *entries[1:]]

    with pytest.raises(PenstockError):
        up.do("torn", torn)
    assert up.workspace.store.size() == size


@pytest.mark.parametrize("cause", [ReturnCause.CLAIMED, ReturnCause.RETIRED, None])
def test_what_was_used_on_chain_or_is_there_supplies_nothing_here(up: Plant, cause: ReturnCause | None) -> None:
    (batch,) = lifted(up, "lift", Selection(quantity_wh=10))
    titles = up.world.books.titles[Right.ATTRIBUTE].columns()
    row = int(np.flatnonzero(titles["state"] == TITLE_STATES.index(TitleState.LIFTED))[0])
    register, start = int(titles["register"][row]), int(titles["start"][row])
    if cause:
        up.do("burn", lambda world: returned(world, burn_of(up, batch, 10, cause)))
    links = {
        "source": np.array([register]), "source_start": np.array([start]), "source_stop": np.array([start + 10]),
        "target": np.array([register]), "target_start": np.array([0]), "target_stop": np.array([10]),
    }  # fmt: skip
    with pytest.raises(PenstockError) as refused:
        up.world.books.check_links(LinkKind.CLAIM, links)
    assert refused.value.code == "links.used"
