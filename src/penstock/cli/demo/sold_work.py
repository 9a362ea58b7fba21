"""What the demo's two providers are and what becomes of their work: enrolled, reported, recorded, checked."""

from __future__ import annotations

import json
from typing import Any, Final

import httpx
import yaml

from penstock.cli.demo.fleet import ZONE
from penstock.cli.demo.play import DEAL, Stagehand
from penstock.cli.demo.pool_acts import DESKS, servicer
from penstock.compute.work import open_report
from penstock.journal.kinds.capacity import ProviderRegistered
from penstock.keys import SigningKey, derive_seed
from penstock.keys.dsse import Envelope
from penstock.period import SECOND_US
from penstock.trace.receipt import verify
from penstock.usecases.collect_reports import collect_all, from_url
from penstock.usecases.compute.add_rack import AddRack
from penstock.usecases.compute.desk import act_on
from penstock.usecases.compute.register_provider import collateral_account
from penstock.usecases.match import available_wh
from penstock.usecases.record_work import Payee

SUN: Final = "sun-desk"
GRID: Final = "grid-desk"
RACKS: Final = {SUN: "micro-1", GRID: "micro-2"}
RACK_W: Final = 100
IDLE_MW: Final = 20_000
BUSY_CORE_MW: Final = 15_000
TOKENS_USDC_MICRO: Final = 1_000_000
"""Of a thousand tokens; a call's least price is what counts here."""
QUOTE_S: Final = 120
TIMEOUT_S: Final = 20.0


def enrol(hand: Stagehand) -> None:
    """Both providers and their racks, with a meter each."""
    at_us = hand.days[-1].start_us
    for name, rack in RACKS.items():
        meter_key = _key(hand, name, "meter").public
        act_on(hand.workspace, f"market:rack:{name}", AddRack(rack, name, ZONE, meter_key, 2, RACK_W, at_us), at_us)
        provider = ProviderRegistered(
            provider=name,
            url="http://127.0.0.1",
            work_key=_key(hand, name, "work").public,
            address=hand.desk.contract(DEAL).address,
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


def record(hand: Stagehand, name: str, url: str) -> dict[str, Any]:
    """A provider's signed reports become facts; its dollars are collections of the deal."""
    at_us = hand.days[-1].stop_us
    payee, unmatched = Payee(DEAL, DESKS, by=servicer(hand)), name != SUN
    found = collect_all(hand.workspace, name, from_url(url), payee, at_us, unmatched=unmatched)
    return {
        "rack": RACKS[name],
        "answers": sum(one.answers for one in found),
        "paid_usdc_micro": sum(one.paid_usdc_micro for one in found),
        "energy_mj": sum(one.energy_mj for one in found),
    }


def check_receipts(hand: Stagehand, name: str, url: str) -> dict[str, Any]:
    """Every answer's energy receipt, checked as anybody would; the last one is kept as a file."""
    key, checked, last = _key(hand, name, "work").public, 0, b""
    energy_mj = 0
    with httpx.Client(timeout=TIMEOUT_S) as client:
        for payment in _payments(client, url, key):
            last = client.get(f"{url}/v1/receipts/{payment}").raise_for_status().content
            energy_mj += int(verify(last, key).said["energy_mj"])
            checked += 1
    kept = hand.settings.workspace / "market" / f"receipt-{name}.json"
    kept.write_bytes(last)
    return {"checked": checked, "energy_mj": energy_mj, "file": str(kept), "key": key.hex()}


def _payments(client: httpx.Client, url: str, key: bytes) -> list[str]:
    """Payment ids of all that was reported, in hex."""
    said = client.get(f"{url}/v1/work", params={"after": -1}).raise_for_status().json()
    found = [open_report(Envelope.from_json(json.dumps(one["report"]["work"])), key) for one in said["reports"]]
    return [payment.tobytes().hex() for report in found for payment in report.rows["payment"]]
