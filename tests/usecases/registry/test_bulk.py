"""Bulk from files: all or nothing, or row by row with a reason for each; nothing twice under one key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from small_plant import DAYS, Plant

from penstock.errors import PenstockError
from penstock.journal.laws import breaches
from penstock.journal.words import Right, TitleState
from penstock.period import DAY_US
from penstock.usecases.enrol import open_accounts
from penstock.usecases.registry.bulk import Act, BulkAct, bulk_on, read_table
from penstock.usecases.registry.export_certificates import Export, export
from penstock.usecases.registry.reserve import Reserve, reserve_on
from penstock.usecases.registry.selection import Named, Selection

AT_US = DAYS[1].stop_us
ROOF = "roof-a/export"


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path / "plant").enrolled()
    with made.workspace:
        made.certified(0)
        made.do("more accounts", lambda _: open_accounts(["trader"], []), AT_US)
        yield made


def sheet(folder: Path, *rows: str, head: str = "register,start,stop,target") -> Path:
    path = folder / "sheet.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def held(plant: Plant, account: str, state: TitleState = TitleState.HELD) -> int:
    world = plant.world
    return world.books.titles[Right.ATTRIBUTE].balance(world.books.accounts.id_of(account), state)


TRANSFER = BulkAct(Act.TRANSFER, "roof-a")


def test_each_row_is_done_or_answered(plant: Plant, tmp_path: Path) -> None:
    first = plant.world.books.titles[Right.ATTRIBUTE].at(plant.world.books.registers.id_of(ROOF), 0)
    assert first is not None
    plant.world.participants.whitelists["investor"] = frozenset()
    reserve_on(
        plant.workspace, "r", Reserve("roof-a", Selection((Named(ROOF, 60, 70),)), "buyer", AT_US + DAY_US), AT_US
    )
    file = sheet(
        tmp_path,
        f"{ROOF},0,10,trader",
        f"{ROOF},5,15,trader",
        f"{ROOF},10,20,buyer",
        f"{ROOF},20,20,trader",
        f"{ROOF},30,-5,trader",
        f"{ROOF},30,40,nobody",
        f"{ROOF},30,40,roof-a",
        f"{ROOF},30,40,investor",
        f"{ROOF},80,{first.stop + 1},trader",
        f"{ROOF},99999999,100000000,trader",
        "no such,0,10,trader",
        "roof-b/export,0,10,trader",
        f"{ROOF},60,65,trader",
        f"{ROOF},40,50,trader",
    )
    told = bulk_on(plant.workspace, "bulk", file, TRANSFER, AT_US)
    assert (told["rows"], told["done"], told["quantity_wh"]) == (14, 3, 30)
    reasons = {one["row"]: one["reason"] for one in told["refusals"]}
    assert reasons == {
        1: "other_holder", 3: "malformed", 4: "malformed", 5: "unknown_account", 6: "same_account",
        7: "unwilling_receiver", 8: "crosses_title", 9: "no_title", 10: "unknown_register", 11: "other_holder",
        12: "reserved_for_another",
    }  # fmt: skip
    assert held(plant, "trader") == 20
    assert breaches(plant.world.books) == ()
    size = plant.workspace.store.size()
    again = bulk_on(plant.workspace, "bulk", file, TRANSFER, AT_US)
    assert plant.workspace.store.size() == size
    assert again["done"] == 3


def test_all_or_nothing(plant: Plant, tmp_path: Path) -> None:
    whole = BulkAct(Act.TRANSFER, "roof-a", whole=True)
    size = plant.workspace.store.size()
    for bad, code in ((f"{ROOF},5,15,trader", "titles.other_holder"), (f"{ROOF},30,40,nobody", "bulk.row")):
        with pytest.raises(PenstockError) as caught:
            bulk_on(plant.workspace, "w", sheet(tmp_path, f"{ROOF},0,10,trader", bad), whole, AT_US)
        assert caught.value.code == code
    assert plant.workspace.store.size() == size
    told = bulk_on(plant.workspace, "w", sheet(tmp_path, f"{ROOF},0,10,trader", f"{ROOF},10,15,buyer"), whole, AT_US)
    assert (told["done"], held(plant, "trader"), held(plant, "buyer")) == (2, 10, 5)


def test_every_act_has_its_file(plant: Plant, tmp_path: Path) -> None:
    spans = [f"{ROOF},0,10", f"{ROOF},10,20"]
    file = sheet(tmp_path, *spans, head="register,start,stop")
    kept = BulkAct(Act.RESERVE, "roof-a", beneficiary="buyer", until_us=AT_US + DAY_US)
    assert bulk_on(plant.workspace, "1", file, kept, AT_US)["done"] == 2
    assert held(plant, "roof-a", TitleState.RESERVED) == 20
    assert bulk_on(plant.workspace, "2", file, BulkAct(Act.RELEASE, "roof-a", beneficiary="buyer"), AT_US)["done"] == 2
    cuts = sheet(tmp_path, f"{ROOF},3", f"{ROOF},13", f"{ROOF},16", head="register,position")
    assert bulk_on(plant.workspace, "3", cuts, BulkAct(Act.SPLIT, "roof-a"), AT_US)["done"] == 3
    register = plant.world.books.registers.id_of(ROOF)
    cut = plant.world.books.titles[Right.ATTRIBUTE].within(register, 0, 20)
    assert cut["start"].tolist() == [0, 3, 10, 13, 16]
    file = sheet(tmp_path, f"{ROOF},3,10", f"{ROOF},13,15", head="register,start,stop")
    assert bulk_on(plant.workspace, "4", file, BulkAct(Act.RETIRE, "roof-a", reason="an event"), AT_US)["done"] == 2
    assert held(plant, "roof-a", TitleState.RETIRED) == 9
    file = sheet(tmp_path, f"{ROOF},0,5", f"{ROOF},14,18", head="register,start,stop")
    told = bulk_on(plant.workspace, "5", file, BulkAct(Act.WITHDRAW, "", reason="an error"), AT_US)
    assert told["acts"][0]["owed_wh"] == 2 + 1
    assert held(plant, "roof-a", TitleState.WITHDRAWN) == 3 + 3
    assert breaches(plant.world.books) == ()


def test_names_in_parquet_are_text(tmp_path: Path) -> None:
    bad = pa.array([b"roof-a/\xfc"], pa.binary())
    names = pa.StringArray.from_buffers(1, bad.buffers()[1], bad.buffers()[2])
    path = tmp_path / "rows.parquet"
    pa.parquet.write_table(pa.table({"register": names, "position": [5]}), path)
    with pytest.raises(PenstockError) as caught:
        read_table(path, ("register", "position"))
    assert caught.value.code == "bulk.file"


def test_parquet_is_read_as_csv_is(plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "sheet.parquet"
    columns = {"target": ["trader"], "register": [ROOF], "start": [0], "stop": [10], "note": ["x"]}
    pa.parquet.write_table(pa.table(columns), path)
    assert bulk_on(plant.workspace, "p", path, TRANSFER, AT_US)["done"] == 1


@pytest.mark.parametrize(
    ("asked", "rows", "code"),
    [
        (TRANSFER, ("x,1,2",), "bulk.file"),
        (TRANSFER, (f"{ROOF},1.5,2,trader",), "bulk.file"),
        (TRANSFER, (f"{ROOF},,2,trader",), "bulk.file"),
        (TRANSFER, (f"{ROOF},1,99999999999999999999,trader",), "bulk.file"),
        (BulkAct(Act.RETIRE, "roof-a"), (), "bulk.terms"),
        (BulkAct(Act.WITHDRAW, ""), (), "bulk.terms"),
        (BulkAct(Act.RESERVE, "roof-a"), (), "bulk.terms"),
        (BulkAct(Act.RESERVE, "roof-a", beneficiary="x", until_us=AT_US), (), "bulk.terms"),
        (BulkAct(Act.TRANSFER, "roof-a", until_us=AT_US + 1), (), "bulk.terms"),
        (BulkAct(Act.TRANSFER, "nobody"), (f"{ROOF},0,1,trader",), "account.unknown"),
        (BulkAct(Act.TRANSFER, "roof-a", by="attacker"), (f"{ROOF},0,1,trader",), "account.not_member"),
    ],
)
def test_a_file_is_refused(plant: Plant, tmp_path: Path, asked: BulkAct, rows: tuple[str, ...], code: str) -> None:
    size = plant.workspace.store.size()
    with pytest.raises(PenstockError) as caught:
        bulk_on(plant.workspace, "b", sheet(tmp_path, *rows), asked, AT_US)
    assert caught.value.code == code
    assert plant.workspace.store.size() == size


def test_no_file(plant: Plant, tmp_path: Path) -> None:
    with pytest.raises(PenstockError) as caught:
        bulk_on(plant.workspace, "b", tmp_path / "no.csv", TRANSFER, AT_US)
    assert caught.value.code == "file.missing"


@pytest.mark.parametrize("act", [Act.TRANSFER, Act.RELEASE, Act.RESERVE, Act.RETIRE])
@pytest.mark.parametrize("whole", [False, True])
def test_what_lives_in_another_registry_does_not_come_back_by_bulk(
    plant: Plant, tmp_path: Path, act: Act, whole: bool
) -> None:
    """Its state may become held again, by import alone."""
    plant.world.participants.origin = "here.example"
    away = Export("roof-a", "other.example", Selection((Named(ROOF, 0, 10),)))
    plant.do("export", lambda world: export(world, away, AT_US), AT_US)
    asked = BulkAct(act, "roof-a", whole, beneficiary="trader", reason="x")
    file = sheet(tmp_path, f"{ROOF},0,10,trader")
    if whole:
        with pytest.raises(PenstockError, match="not_active"):
            bulk_on(plant.workspace, "bulk", file, asked, AT_US)
    else:
        assert bulk_on(plant.workspace, "bulk", file, asked, AT_US)["refused"] == {"not_active": 1}
    assert (held(plant, "roof-a", TitleState.EXPORTED), held(plant, "trader")) == (10, 0)
