"""Each protocol into a workspace: from the device's own library to the watt-hour that counts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from field_kit import Reply, web_server
from ocpp.v16 import call
from ocpp_kit import PASSWORD, plugged, until
from sunspec_kit import Inverter, common, controls, inverter, meter, nameplate, on_the_bus
from typer.testing import CliRunner
from vendor_kit import DAY_US, ROOF, intervals_cloud

from penstock.cli.main import app
from penstock.connect.ports import Command
from penstock.connect.spool import now_us
from penstock.connect.sunspec import Station
from penstock.connect.sunspec_control import SunSpecOutlet
from penstock.errors import Invalid, PenstockError, Refused, Unavailable
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.words import Assurance, Technology
from penstock.keys import KeyKind, SigningKey
from penstock.period import HOUR_US, iso
from penstock.usecases.command import dispatch, record_command
from penstock.usecases.enrol import NewDevice, enrol_device, register_site
from penstock.usecases.field import keep_visiting
from penstock.usecases.workspace import Workspace

GATEWAY = SigningKey(bytes(range(32)))
SERIAL = "SW6-004417"


def enrol(path: Path, *devices: NewDevice) -> None:
    """A workspace in which these devices are enrolled."""
    site = SiteRegistered("site", "US-PSCO", "9xj64", "operator")
    with Workspace(path) as workspace:
        workspace.submit("site", b"", now_us(), lambda world: register_site(world, site))
        for new in devices:
            workspace.submit(f"enrol {new.name}", b"", now_us(), lambda world, new=new: enrol_device(world, new))  # type: ignore[misc]


def device(name: str, technology: Technology, assurance: Assurance, **more: Any) -> NewDevice:
    given: dict[str, Any] = {
        "public_key": GATEWAY.public,
        "commissioned_us": now_us() - DAY_US,
        "capacity_w": 10**8,
    } | more
    return NewDevice(name, "site", technology, assurance=assurance, **given)


def reached_wh(path: Path, register: str) -> int:
    with Workspace(path, read_only=True) as workspace:
        return workspace.read(lambda world: int(world.books.registers.read[world.books.registers.id_of(register)]))


def connect(folder: Path, protocol: str, settings: str, *more: str) -> dict[str, Any]:
    """`penstock connect PROTOCOL --once`, with a gateway's key unless it is a vendor's cloud."""
    (folder / "settings.toml").write_text(settings)
    key = folder / "gateway.key"
    key.write_text(GATEWAY.seed.hex())
    key.chmod(0o600)
    keyed = () if protocol == "vendor" else ("--gateway-key", str(key))
    arguments = [str(folder / "settings.toml"), "-w", str(folder / "here"), "--once", "--json", *keyed, *more]
    done = CliRunner().invoke(app, ["connect", protocol, *arguments])
    if isinstance(done.exception, PenstockError):
        raise done.exception
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_meters_two_registers_reach_the_workspace_through_the_gateway(tmp_path: Path) -> None:
    enrol(
        tmp_path / "here",
        device("roof-1", Technology.WIND, Assurance.GATEWAY_SIGNED, channels=("export", "import")),
    )
    plant = Inverter([common(SERIAL), inverter(5), meter(9_000, 400)])
    with on_the_bus(plant) as port:
        settings = f"""
            [[station]]
            device = "roof-1"
            host = "127.0.0.1"
            port = {port}
            counted = [{{channel = 0, source = "exported"}}, {{channel = 1, source = "imported"}}]
        """
        assert connect(tmp_path, "sunspec", settings) == {"delivered": 2, "wrong": 0}
        plant.models[2] = meter(9_001, 401)
        assert connect(tmp_path, "sunspec", settings) == {"delivered": 2, "wrong": 0}
    assert reached_wh(tmp_path / "here", "roof-1/export") == 9_001
    assert reached_wh(tmp_path / "here", "roof-1/import") == 401


def test_a_rack_reaches_the_workspace_through_the_gateway(tmp_path: Path) -> None:
    enrol(tmp_path / "here", device("rack-7", Technology.RACK, Assurance.GATEWAY_SIGNED, channels=("import",)))
    page = ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION 7200000\n"]
    with web_server(lambda _: Reply(200, page[0].encode())) as url:
        settings = f"""
            [[target]]
            url = "{url}"
            device = "rack-7"
            energy = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
        """
        connect(tmp_path, "prometheus", settings)
        page[0] = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION 3600000\n"  # restarted
        assert connect(tmp_path, "prometheus", settings) == {"delivered": 1, "wrong": 0}
    assert reached_wh(tmp_path / "here", "rack-7/import") == 3


def test_a_vendors_history_reaches_the_workspace_as_vendor_attested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # the dialect's pace is six seconds a request
    since_us = ROOF.since_us
    enrol(
        tmp_path / "here",
        device("roof-1", Technology.WIND, Assurance.VENDOR_ATTESTED, commissioned_us=since_us),
    )
    for name, text in (("client", "cl:ient&secret"), ("refresh", "rt-0001"), ("key", "key-31")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    cloud = intervals_cloud()
    cloud.pages = {(str(now_us() // DAY_US * 86_400 - 86_400), ""): yesterday()}
    with web_server(cloud) as url:
        settings = f"""
            dialect = "intervals"
            account = "home"
            url = "{url}"
            client_id = "client-7"
            client_secret_file = "client"
            refresh_token_file = "refresh"
            api_key_file = "key"
            [[system]]
            id = "4417"
            device = "roof-1"
            since = {iso(now_us() // DAY_US * DAY_US - DAY_US)}
        """
        assert connect(tmp_path, "vendor", settings) == {"delivered": 1, "wrong": 0}
    assert reached_wh(tmp_path / "here", "roof-1/export") == 4 * 250


def yesterday() -> bytes:
    """A recorded page's form, with four intervals of yesterday's first hour."""
    start_s = now_us() // DAY_US * 86_400 - 86_400
    rows = [{"end_at": start_s + 900 * n, "powr": 1_000, "wh_del": 250} for n in range(1, 5)]
    return json.dumps({"intervals": rows, "meta": {"next_cursor": None}}).encode()


def ocmf(key: ec.EllipticCurvePrivateKey, page: int, at_us: int, position_wh: int) -> str:
    """A signed record as a charging meter writes it."""
    reading = {
        "TM": iso(at_us // 1_000_000 * 1_000_000).replace("Z", ",000+0000 S"),
        "TX": "C",
        "RV": position_wh,
        "RI": "1-b:1.8.0",
        "RU": "Wh",
        "ST": "G",
    }
    payload = json.dumps({"FV": "1.0", "GS": "G-1", "MS": "M-881", "PG": f"T{page}", "RD": [reading]})
    signature = key.sign(payload.encode(), ec.ECDSA(hashes.SHA256())).hex()
    return f"OCMF|{payload}|" + json.dumps({"SA": "ECDSA-secp256r1-SHA256", "SD": signature})


def test_a_chargers_signed_records_reach_the_workspace_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    charging = device(
        "M-881",
        Technology.CHARGER,
        Assurance.METER_SIGNED,
        public_key=key.public_key().public_bytes(*form),
        key_kind=KeyKind.P256,
        channels=("import",),
    )
    enrol(tmp_path / "here", charging)
    (tmp_path / "settings.toml").write_text(f"""
        profile = 1
        port = 0
        [[charger]]
        identity = "CP-1"
        password_sha256 = "{hashlib.sha256(PASSWORD.encode()).hexdigest()}"
        devices = {{1 = "M-881"}}
    """)

    async def charge(port: int) -> None:
        async with plugged(port) as point:
            for page, position_wh in ((1, 12_000), (2, 13_304)):
                record = ocmf(key, page, now_us() - HOUR_US + page * 60_000_000, position_wh)
                sample = {"value": record, "format": "SignedData"}
                told = [{"timestamp": iso(now_us() // 1_000_000 * 1_000_000), "sampled_value": [sample]}]
                await point.call(call.MeterValues(1, told), suppress=False)

    command = [sys.executable, "-m", "penstock", "connect", "ocpp", str(tmp_path / "settings.toml"), "--json"]
    with subprocess.Popen([*command, "-w", str(tmp_path / "here")], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            listening = json.loads(process.stdout.readline())["listening"]
            asyncio.run(charge(int(listening.rsplit(":", 1)[1])))
            asyncio.run(until(lambda: reached_wh(tmp_path / "here", "M-881/import") == 13_304))
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        finally:
            process.kill()


def test_a_command_asked_in_the_workspace_reaches_an_inverter(tmp_path: Path) -> None:
    operator = SigningKey(bytes(range(1, 33)))
    enrol(tmp_path / "here", device("roof-1", Technology.WIND, Assurance.GATEWAY_SIGNED))
    from penstock.connect.command import command_text

    plant = Inverter([common(SERIAL), inverter(5), nameplate(600, 1), controls()])
    at_us = now_us()
    unsigned = ("c-1", "roof-1", "set_point", 1_999, at_us, at_us + HOUR_US, at_us + HOUR_US)
    command = Command(*unsigned, signature=operator.sign(command_text(Command(*unsigned, signature=b""))))
    with on_the_bus(plant) as port, Workspace(tmp_path / "here") as workspace:
        outlet = SunSpecOutlet([Station("roof-1", "127.0.0.1", port)], now_us)
        record_command(workspace, command, operator.public, at_us)
        assert dispatch(workspace, lambda name: outlet if name == "roof-1" else None, now_us) == 1
        assert workspace.read(lambda world: world.commands.standing("c-1").state) == "done"
    assert [values[0] for _, values in plant.written] == [333]


def test_visits_go_on_until_they_are_told_to_stop_and_say_what_was_wrong() -> None:
    stop, told, visits = threading.Event(), [], iter(range(4))

    def visit() -> list[PenstockError]:
        match next(visits):
            case 0:
                return [Invalid("connect.value", "No number.")]
            case 1:
                raise Unavailable("connect.full", "Full.")
            case 2:
                return []
        stop.set()
        return []

    keep_visiting(visit, 0.001, lambda error: told.append(error.code), lambda: None, stop)
    assert told == ["connect.value", "connect.full"]
    assert next(visits, None) is None


def test_what_no_patience_mends_ends_the_visits() -> None:
    lost = Refused("connect.refused", "No.")

    def visit() -> list[PenstockError]:
        raise lost

    for visits, failure in ((visit, lambda: None), (list[PenstockError], lambda: lost)):
        with pytest.raises(Refused):
            keep_visiting(visits, 60, lambda _: None, failure, threading.Event())


SUNSPEC = '[[station]]\ndevice = "roof-9"\nhost = "127.0.0.1"\n'
OCPP = '[[charger]]\nidentity = "CP-1"\ndevices = {1 = "m"}\n'
VENDOR = """
dialect = "intervals"
account = "home"
url = "https://cloud.example"
client_id = "c"
refresh_token_env = "HOME"
[[system]]
id = "1"
device = "m"
since = 2026-01-01T00:00:00Z
"""


@pytest.mark.parametrize(
    ("protocol", "settings", "code"),
    [
        ("sunspec", SUNSPEC, "connect.not_enrolled"),
        ("sunspec", "station = 5", "connect.settings"),
        ("sunspec", SUNSPEC + 'unknown = "x"', "connect.settings"),
        ("sunspec", "[[", "connect.settings"),
        ("sunspec", SUNSPEC + "port = 70000", "connect.settings"),
        ("prometheus", '[[target]]\nurl = "http://x"\ndevice = "m"\nenergy = "x"', "connect.metric"),
        ("vendor", VENDOR, "connect.settings"),  # where is the client's secret?
        ("vendor", 'client_secret_env = "NO_SUCH_VARIABLE"' + VENDOR, "connect.no_secret"),
        ("vendor", 'client_secret_env = "HOME"' + VENDOR.replace("https", "http"), "connect.plain"),
        ("vendor", 'client_secret_env = "HOME"' + VENDOR.replace('"intervals"', '"x"'), "connect.dialect"),
        ("vendor", 'client_secret_env = "HOME"' + VENDOR.replace("00Z", "00"), "connect.settings"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_code(protocol: str, settings: str, code: str, tmp_path: Path) -> None:
    enrol(tmp_path / "here")
    with pytest.raises(PenstockError) as caught:
        connect(tmp_path, protocol, settings)
    assert caught.value.code == code
    assert os.environ["HOME"] not in str(caught.value.to_json())


@pytest.mark.parametrize(
    "settings",
    [
        OCPP,  # profile 2 without a certificate
        "profile = 1\n" + OCPP,  # without a password
        'profile = 1\nhost = "0.0.0.0"\n' + OCPP + f'password_sha256 = "{"0" * 64}"',  # in plain text, to everyone
        'profile = 3\ncertificate = "c"\nkey = "k"\n' + OCPP,  # whose certificates?
        "profile = 0\n" + OCPP,
        "profile = 1\n" + OCPP + 'password_sha256 = "secret"',
    ],
)
def test_no_charger_is_served_less_safely_than_its_profile_says(settings: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(settings)
    done = CliRunner().invoke(app, ["connect", "ocpp", str(tmp_path / "settings.toml"), "-w", str(tmp_path)])
    assert isinstance(done.exception, PenstockError)
    assert done.exception.code == "connect.settings"
    assert "secret" not in done.exception.hint.replace("password_sha256", "")


def test_a_gateways_key_is_read_from_its_owners_file_alone(tmp_path: Path) -> None:
    enrol(tmp_path / "here", device("roof-9", Technology.WIND, Assurance.GATEWAY_SIGNED))
    key, settings = tmp_path / "key", tmp_path / "settings.toml"
    settings.write_text(SUNSPEC)
    for text, mode, code in (("00" * 32, 0o644, "connect.secret_open"), ("xyz", 0o600, "connect.gateway_key")):
        key.write_text(text)
        key.chmod(mode)
        given = [str(settings), "-w", str(tmp_path / "here"), "--gateway-key", str(key), "--once"]
        done = CliRunner().invoke(app, ["connect", "sunspec", *given])
        assert isinstance(done.exception, PenstockError)
        assert done.exception.code == code
