"""What the demo's two providers are and what becomes of their work: enrolled, reported, recorded, checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from penstock.api.inference.papers import provider_app
from penstock.api.running import serve_in_thread
from penstock.cli.demo.fleet import ZONE
from penstock.cli.demo.market_process import replay_clock
from penstock.cli.demo.play import DEAL, Stagehand
from penstock.cli.demo.pool_acts import DESKS, servicer
from penstock.compute.work import WorkReport, open_report
from penstock.connect.inference.engine import Engine
from penstock.connect.inference.workbook import Workbook
from penstock.journal.kinds.capacity import ProviderRegistered
from penstock.keys import SigningKey, derive_seed
from penstock.keys.dsse import Envelope
from penstock.period import SECOND_US
from penstock.trace.receipt import verify
from penstock.usecases.collect_reports import collect_all, from_folder, from_url
from penstock.usecases.compute.add_rack import AddRack
from penstock.usecases.compute.desk import act_on
from penstock.usecases.compute.register_provider import collateral_account
from penstock.usecases.match import available_wh
from penstock.usecases.provider.disclose import disclose_to
from penstock.usecases.provider.offer import read_offer
from penstock.usecases.provider.provider import Provider
from penstock.usecases.record_work import Payee

SUN: Final = "sun-desk"
GRID: Final = "grid-desk"
COPY: Final = "copy-desk"
"""A third one, which lies."""
MODEL: Final = "all-MiniLM-L6-v2"
RACKS: Final = {SUN: "micro-1", GRID: "micro-2", COPY: "micro-3"}
RACK_W: Final = 100
IDLE_MW: Final = 20_000
BUSY_CORE_MW: Final = 15_000
TOKENS_USDC_MICRO: Final = 1_000_000
"""Of a thousand tokens; a call's least price is what counts here."""
QUOTE_S: Final = 120
TIMEOUT_S: Final = 20.0


def enrol(hand: Stagehand) -> None:
    """The two providers whose dollars are the deal's."""
    for name in (SUN, GRID):
        enrol_one(hand, name, hand.desk.contract(DEAL).address)


def enrol_one(hand: Stagehand, name: str, address: bytes) -> None:
    """A provider and its rack, with a meter."""
    at_us, rack = hand.days[-1].start_us, RACKS[name]
    asked = AddRack(rack, name, ZONE, _key(hand, name, "meter").public, 2, RACK_W, at_us)
    act_on(hand.workspace, f"market:rack:{name}", asked, at_us)
    provider = ProviderRegistered(
        provider=name,
        url="http://127.0.0.1",
        work_key=_key(hand, name, "work").public,
        address=address,
        collateral_account=collateral_account(name),
        revenue_account=f"{name}/revenue",
    )
    act_on(hand.workspace, f"market:provider:{name}", provider, at_us)


def write_offer(hand: Stagehand, name: str, price: int, carbon_mg: int) -> None:
    """The provider's folder: its keys from the seed, and what it says of itself."""
    folder = hand.settings.workspace / "market" / name
    folder.mkdir(parents=True, exist_ok=True)
    for use in ("work", "meter"):
        path = folder / f"{use}.key"
        path.touch(0o600)
        path.write_text(_key(hand, name, use).seed.hex() + "\n")
    said = {
        "provider": name,
        "rack": RACKS[name],
        "accelerators": 2,
        "price_usdc_micro_per_1k_tokens": TOKENS_USDC_MICRO,
        "minimum_usdc_micro": price,
        "schemes": ["exact"],
        "pay_to": deal_address(hand),
        "asset": dollar(hand),
        "network": network(hand),
        "technology": "solar_pv" if name == SUN else "unknown",
        "matched_bp": 10_000 if name == SUN else 0,
        "carbon_mg_per_kwh": carbon_mg,
        "idle_mw": IDLE_MW,
        "busy_core_mw": BUSY_CORE_MW,
        "interval_s": 3_600,
        "quote_s": QUOTE_S,
    }
    (folder / "provider.yaml").write_text(yaml.safe_dump(said))


def _key(hand: Stagehand, name: str, use: str) -> SigningKey:
    return SigningKey(derive_seed(hand.settings.seed, use, name))


def work_key(hand: Stagehand, name: str) -> str:
    """The public key of a provider's statements, in hex."""
    return _key(hand, name, "work").public.hex()


def network(hand: Stagehand) -> str:
    """The chain by its CAIP-2 name."""
    return f"eip155:{hand.desk.identity.chain_id}"


def dollar(hand: Stagehand) -> str:
    """The dollar's address."""
    return "0x" + hand.desk.contract("Dollar").address.hex()


def deal_address(hand: Stagehand) -> str:
    """Where answers are paid to: the deal itself."""
    return "0x" + hand.desk.contract(DEAL).address.hex()


def hour_us(hand: Stagehand) -> int:
    """When they begin to answer: ten minutes into the last hour of the last day that has certificates to sell."""
    hours, energy_wh = hand.workspace.read(lambda world: available_wh(world, hand.days[-1]))
    return int(hours[energy_wh > RACK_W][-1]) + 600 * SECOND_US


def keep_reports(hand: Stagehand, name: str, url: str) -> dict[str, Any]:
    """A provider's signed reports as files, to be recorded with the day's other collections."""
    folder = _reports(hand, name)
    folder.mkdir(exist_ok=True)
    for number, raw in from_url(url):
        (folder / f"{number}.json").write_bytes(raw)
    return {"rack": RACKS[name]}


def _reports(hand: Stagehand, name: str) -> Path:
    return hand.settings.workspace / "market" / name / "reports"


def record(hand: Stagehand) -> None:
    """The reports become facts, and what was paid becomes collections of the deal. Who lied earned nothing."""
    payee = Payee(DEAL, DESKS, by=servicer(hand))
    for name in (SUN, GRID):
        _recorded(hand, name, payee)


def _recorded(hand: Stagehand, name: str, payee: Payee) -> None:
    collect_all(
        hand.workspace,
        name,
        from_folder(_reports(hand, name)),
        payee,
        hand.days[-1].stop_us,
        unmatched=name != SUN,
    )


def serve_falsely(hand: Stagehand, engine: Engine, answers: int) -> bytes:
    """The liar answers so many texts in the honest model's name, states it and is recorded: the root of its work."""
    write_offer(hand, COPY, 0, 0)
    folder = hand.settings.workspace / "market" / COPY
    clock = replay_clock(folder, hour_us(hand))
    with Provider(folder, engine, read_offer(folder), clock, reports=False) as provider:
        app = provider_app(provider)
        with serve_in_thread(app) as running, httpx.Client(timeout=TIMEOUT_S) as client:
            for number in range(len(provider.workbook.answers(0, 2**62)["number"]), answers):
                said = {"model": MODEL, "input": f"what is false in answer {number}?"}
                client.post(f"{running.url}/v1/embeddings", json=said).raise_for_status()
            provider.close_interval()
            keep_reports(hand, COPY, running.url)
    _recorded(hand, COPY, Payee())
    last = max(_reports(hand, COPY).glob("*.json"), key=lambda file: int(file.stem))
    return _opened(json.loads(last.read_bytes()), _key(hand, COPY, "work").public).root


def _opened(written: dict[str, Any], key: bytes) -> WorkReport:
    return open_report(Envelope.from_json(json.dumps(written["work"])), key)


def disclose(hand: Stagehand, name: str, payments: list[bytes]) -> Path:
    """What a provider shows of drawn answers, as files."""
    folder = hand.settings.workspace / "market" / name
    with Workbook(folder) as workbook:
        disclose_to(workbook, payments, folder / "shown")
    return folder / "shown"


def check_receipts(hand: Stagehand, name: str, url: str) -> dict[str, Any]:
    """Every answer's energy receipt, checked as anybody would; the last one is kept as a file."""
    key, checked, last = _key(hand, name, "work").public, 0, b""
    energy_mj = 0
    with httpx.Client(timeout=TIMEOUT_S) as client:
        for payment in _payments(client, url, key):
            last = client.get(f"{url}/v1/receipts/{payment}").raise_for_status().content
            energy_mj += int(verify(last, key).said["energy_mj"])
            checked += 1
    kept = f"market/receipt-{name}.json"
    (hand.settings.workspace / kept).write_bytes(last)
    return {"checked": checked, "energy_mj": energy_mj, "file": kept, "key": key.hex()}


def _payments(client: httpx.Client, url: str, key: bytes) -> list[str]:
    """Payment ids of all that was reported, in hex."""
    said = client.get(f"{url}/v1/work", params={"after": -1}).raise_for_status().json()
    found = [_opened(one["report"], key) for one in said["reports"]]
    return [payment.tobytes().hex() for report in found for payment in report.rows["payment"]]
