"""EnergyTag's storage paths: charge records, discharge records, and certificates for what was discharged."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx

sys.path += [str(Path(__file__).resolve().parents[1] / place) for place in ("usecases", "usecases/registry")]
DEVICES: Any = import_module("device_kit")
STORAGE: Any = import_module("test_storage_command")

from penstock.api.app import make_app  # noqa: E402
from penstock.api.running import serve_in_thread  # noqa: E402
from penstock.connect.spool import now_us  # noqa: E402
from penstock.journal.kinds.account import AccountAssigned, MemberPlaced, OrganisationRegistered, Role  # noqa: E402
from penstock.period import DAY_US  # noqa: E402
from penstock.usecases.api_keys import OPERATE, READ, WRITE, create_key  # noqa: E402
from penstock.usecases.registry.account import say_on  # noqa: E402
from penstock.usecases.registry.storage import NewStorage  # noqa: E402
from penstock.usecases.registry.storage_desk import Efficiency, register_on, state_on  # noqa: E402
from penstock.usecases.workspace import Workspace  # noqa: E402

folder = STORAGE.folder
ET = "/energytag/storage"


def asker(workspace: Workspace, url: str, *scopes: str) -> tuple[str, httpx.Client]:
    name, key = create_key(workspace.path, "tests", frozenset(scopes), now_us(), now_us() + DAY_US)
    return name, httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def registered(workspace: Workspace) -> None:
    hours = DEVICES.hours
    new = NewStorage("cell", "owner", "battery/charge", "battery/discharge")
    register_on(workspace, "cell", new, hours(3.1))
    stated = Efficiency("cell", hours(0), hours(2_000), hours(0), hours(3), "own meters")
    state_on(workspace, "stated", stated, hours(3.1))
    say_on(workspace, OrganisationRegistered("batteries"), hours(3.1))
    say_on(workspace, AccountAssigned("owner", "batteries"), hours(3.1))


def test_a_batterys_day_in_energytags_words(folder: Path) -> None:
    with Workspace(folder) as workspace, serve_in_thread(make_app(workspace)) as running:
        registered(workspace)
        member, trader = asker(workspace, running.url, READ, WRITE)
        _, stranger = asker(workspace, running.url, READ, WRITE)
        _, operator = asker(workspace, running.url, OPERATE)
        say_on(workspace, MemberPlaced("batteries", member, (Role.TRADER,)), now_us())
        asked = {"storage": "cell"}
        assert stranger.post(f"{ET}/create_scr", json=asked).json()["code"] == "account.not_member"
        assert stranger.get(f"{ET}/query_scr?storage=cell").json()["code"] == "account.not_member"
        named = {"Idempotency-Key": "scr"}
        charged = trader.post(f"{ET}/create_scr", json=asked, headers=named)
        assert charged.status_code == 201, charged.text
        assert trader.post(f"{ET}/create_scr", json=asked, headers=named).json() == charged.json()
        assert [one["charging_energy_source"] for one in charged.json()["records"]] == ["Solar", "Solar", None]
        given = trader.post(f"{ET}/create_sdr", json=asked).json()["records"]
        ranges = [(one["range_start"], one["range_end"], one["scr_allocation_id"]) for one in given]
        assert ranges == [(0, 349, 0), (350, 629, 1), (630, 699, 2)]
        assert all(one["energy"] == one["range_end"] - one["range_start"] + 1 for one in given)
        assert trader.post(f"{ET}/issue_sdgc", json=asked).status_code == 201
        stored = trader.get("/certificates?register=battery/discharge").json()["certificates"]
        assert stored and all(
            one["stored"] and one["technology"] == "solar_pv" for one in stored if one["state"] == "held"
        )
        assert trader.get(f"{ET}/query_sdr?storage=cell&limit=2").json()["next_after"] == 2
        late = {"storage": "cell", "first": 2, "reason": "late"}
        assert trader.post(f"{ET}/withdraw_sdr", json=late).json()["code"] == "api.key_scope"
        assert operator.post(f"{ET}/withdraw_sdr", json=late).json()["code"] == "storage.built_on"
        life = trader.get("/certificates/battery/discharge@340-360").json()
        assert {one["register"] for one in life["came_from"]} == {"battery/charge"}
        assert trader.get("/health").json()["law_breaches"] == 0
