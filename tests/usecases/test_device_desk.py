"""`penstock device`: a device's whole life from the command line, each act recorded once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from device_kit import key_of
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.errors import PenstockError
from penstock.keys import KeyKind, PointKey, SigningKey
from penstock.usecases.workspace import Workspace

FLEET = "device,technology,public_key,capacity_w,commissioned,rolls_over_wh\n"
START, LATER, LATEST = "2016-08-22T07:00:00Z", "2016-08-23T07:00:00Z", "2016-08-24T07:00:00Z"
OWNER, NEW, THIRD = key_of("owner"), key_of("roof", 1), key_of("roof", 2)
HOMES = {"home-a": "", "home-b": "5"}
Run = Callable[..., dict[str, Any]]


def seed_file(folder: Path, name: str, key: SigningKey) -> str:
    file = folder / name
    file.write_text(key.seed.hex())
    return str(file)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on the test's own workspace and read its JSON; errors are raised as they are."""

    def made(*arguments: str) -> dict[str, Any]:
        given = ["device", *arguments, "--workspace", str(tmp_path / "ws"), "--json"]
        result = CliRunner().invoke(app, given, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    file = tmp_path / "fleet.csv"
    rows = [f"{name},wind,{key_of(name).public.hex()},5000,{START},1000\n" for name in ("roof", "hill")]
    file.write_text(FLEET + "".join(rows))
    options = ("--owner", "owner", "--zone", "XX", "--owner-key", OWNER.public.hex())
    asked = ("enrol", str(file), "--site", "farm", *options, "--channel", "export", "--channel", "import")
    assert made(*asked) == {"site": "farm", "devices": 2, "repeated": False}
    assert made(*asked)["repeated"]
    return made


def test_a_fleet_is_listed_and_shown(run: Run) -> None:
    assert [row["device"] for row in run("list")["devices"]] == ["roof", "hill"]
    shown = run("show", "roof")
    assert (shown["register"], shown["public_key"]) == ("roof/export", key_of("roof").public.hex())
    assert (shown["owner"], shown["key_kind"], shown["assurance"]) == ("owner", "ed25519", "meter_signed")


def test_a_life(run: Run, tmp_path: Path) -> None:
    old, new = seed_file(tmp_path, "old", key_of("roof")), seed_file(tmp_path, "new", NEW)
    owner, third = seed_file(tmp_path, "owner", OWNER), seed_file(tmp_path, "third", THIRD)
    rotated = run("rotate", "roof", "--old-key", old, "--new-key", new, "--from", LATER)
    assert (rotated["act"], rotated["repeated"]) == ("key.rotated", False)
    assert run("rotate", "roof", "--old-key", old, "--new-key", new, "--from", LATER)["repeated"]
    assert run("show", "roof")["public_key"] == NEW.public.hex()
    run("revoke", "roof", "--from", LATEST, "--reason", "stolen")
    assert run("show", "roof")["key_revoked"]
    run("reclaim", "roof", "--owner-key", owner, "--new-key", third, "--from", LATEST)
    assert run("show", "roof")["public_key"] == THIRD.public.hex()
    assert [span["public_key"] for span in run("show", "roof")["former_keys"]] == [
        key_of("roof").public.hex(),
        NEW.public.hex(),
    ]
    run("transfer", "roof", "buyer", "--owner-key", owner, "--from", LATEST)
    run("retire", "roof", "--from", "2016-08-25T07:00:00Z", "--reason", "dismantled")
    shown = run("show", "roof")
    assert (shown["owner"], shown["retired"]) == ("buyer", "2016-08-25T07:00:00Z")


def test_a_meter_is_replaced_and_rolls_over(run: Run, tmp_path: Path) -> None:
    owner, new = seed_file(tmp_path, "owner", OWNER), seed_file(tmp_path, "new", NEW)
    done = run("replace", "roof", "--new-key", new, "--owner-key", owner, "--from", LATER, "--start-wh", "12")
    assert (done["act"], done["facts"]) == ("meter.replaced", 5)
    assert run("show", "roof")["register"] == "roof/export#2"
    run("epoch", "roof", "rolled_over", "--key", new)
    assert [row["register"] for row in run("tree", "farm")["registers"]][:2] == ["roof/export#3", "roof/import#2"]


def test_keys_of_other_kinds_follow_each_other(run: Run, tmp_path: Path) -> None:
    first, owner = seed_file(tmp_path, "first", key_of("roof")), seed_file(tmp_path, "owner", OWNER)
    files, keys = [first], [PointKey(kind, key_of(kind).seed) for kind in (KeyKind.P256, KeyKind.SECP256K1)]
    for key in keys:
        (tmp_path / key.kind).write_text(f"{key.kind}:{key.secret.hex()}\n")
        files.append(str(tmp_path / key.kind))
    run("rotate", "roof", "--old-key", files[0], "--new-key", files[1], "--from", LATER)
    assert run("show", "roof")["key_kind"] == "p-256"
    run("rotate", "roof", "--old-key", files[1], "--new-key", files[2], "--from", LATEST)
    shown = run("show", "roof")
    assert (shown["key_kind"], shown["public_key"]) == ("secp256k1", keys[1].public.hex())
    run("reclaim", "hill", "--owner-key", owner, "--new-key", files[1], "--from", LATER)
    assert run("show", "hill")["public_key"] == keys[0].public.hex()


def test_a_meter_with_a_key_of_another_kind_is_put_in(run: Run, tmp_path: Path) -> None:
    owner, key = seed_file(tmp_path, "owner", OWNER), PointKey(KeyKind.P256, THIRD.seed)
    (tmp_path / "new").write_text(f"p-256:{key.secret.hex()}")
    starts = ("--start-wh", "12", "--start-wh", "34")
    asked = ("replace", "roof", "--new-key", str(tmp_path / "new"), "--owner-key", owner, "--from", LATER)
    with pytest.raises(PenstockError, match=r"epoch\.channel"):
        run(*asked, *starts, "--start-wh", "56")
    run(*asked, *starts)
    shown = run("show", "roof")
    assert (shown["key_kind"], shown["start_counts_wh"]) == ("p-256", [12, 34])
    with pytest.raises(PenstockError, match=r"key\.kind"):
        run("transfer", "roof", "buyer", "--owner-key", str(tmp_path / "new"), "--from", LATEST)


def test_a_device_is_locked_in_one_programme_at_a_time(run: Run) -> None:
    run("lock", "roof", "flexibility", "--from", START, "--until", LATER)
    with pytest.raises(PenstockError, match=r"device\.locked"):
        run("lock", "roof", "other", "--from", START, "--until", LATER)
    with pytest.raises(PenstockError, match=r"device\.programme"):
        run("lock", "roof", " ", "--from", LATER, "--until", LATEST)
    run("lock", "roof", "other", "--from", LATER, "--until", LATEST)
    assert run("show", "roof")["programmes"] == [
        {"programme": "flexibility", "from": START, "until": LATER},
        {"programme": "other", "from": LATER, "until": LATEST},
    ]


def test_a_home_is_enrolled_in_mid_life(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "home.csv"
    rows = [f"{name},solar_pv,{key_of(name).public.hex()},5000,{START},{starts}\n" for name, starts in HOMES.items()]
    file.write_text(FLEET.replace("rolls_over_wh", "start_counts_wh") + "".join(rows))
    channels = ("--channel", "export", "--channel", "import")
    asked = ("enrol", str(file), "--site", "home", *channels, "--personal", "--start-wh", "70000", "--start-wh", "8")
    assert run(*asked)["devices"] == 2
    assert run(*asked)["repeated"]
    shown = [run("show", name) for name in HOMES]
    assert [(one["start_counts_wh"], one["personal"]) for one in shown] == [([70_000, 8], True), ([5, 0], True)]
    assert not run("show", "roof")["personal"]


def test_registers_take_their_place(run: Run) -> None:
    run("place", "roof/import", "--role", "checks", "--direction", "import")
    run("place", "hill/import", "--role", "checks", "--direction", "import", "--under", "roof/import")
    rows = {row["register"]: (row["depth"], row["role"]) for row in run("tree", "farm")["registers"]}
    assert rows["hill/import"] == (1, "checks")
    assert rows["roof/export"] == (0, "issues")


def test_a_signature_may_be_made_elsewhere(run: Run, tmp_path: Path) -> None:
    where = ["--workspace", str(tmp_path / "ws")]
    asked = ["device", "transfer", "hill", "buyer", "--from", LATER]
    said = bytes.fromhex(CliRunner().invoke(app, [*asked, *where, "--statement"]).stdout.strip())
    run(*asked[1:], "--signature", OWNER.sign(said).hex())
    assert run("show", "hill")["owner"] == "buyer"


BAD = {
    "another cause": (("epoch", "roof", "tired"), "epoch.cause"),
    "a channel too many": (("epoch", "roof", "reset", "--channel", "2"), "epoch.channel"),
    "another role": (("place", "roof/export", "--role", "dances"), "point.words"),
    "no hex": (("transfer", "roof", "buyer", "--signature", "zz"), "key.hex"),
    "of a stranger": (("retire", "x"), "device.unknown"),
    "of no site": (("tree", "x"), "site.unknown"),
    "without the owner": (("transfer", "roof", "buyer"), "device.owner_signature"),
}


@pytest.mark.parametrize(("arguments", "code"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_and_changes_nothing(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    with Workspace(tmp_path / "ws", read_only=True) as opened:
        size = opened.store.size()
    with pytest.raises(PenstockError) as caught:
        run(*arguments)
    assert caught.value.code == code
    with Workspace(tmp_path / "ws", read_only=True) as opened:
        assert opened.store.size() == size


def test_a_file_that_is_no_seed_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("seed")
    with pytest.raises(PenstockError, match=r"key\.file"):
        run("rotate", "roof", "--old-key", str(tmp_path / "bad"), "--new-key", str(tmp_path / "bad"))


def test_a_bad_fleet_registers_no_site_either(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "again.csv"
    file.write_text(FLEET + f"roof,wind,{THIRD.public.hex()},5,{START},0\n")
    with pytest.raises(PenstockError, match=r"device\.known"):
        run("enrol", str(file), "--site", "other")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PenstockError, match=r"fleet\.text"):
        run("enrol", str(file), "--site", "other")
    with pytest.raises(PenstockError, match=r"site\.unknown"):
        run("tree", "other")
