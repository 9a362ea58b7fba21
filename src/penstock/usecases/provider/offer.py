"""What a provider says of itself and asks for: read from its folder's ``provider.yaml``, and signed as a quote."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import yaml

from penstock.compute.price import Price
from penstock.errors import Invalid, NotFound
from penstock.keys import SigningKey
from penstock.keys.dsse import QUOTE, STATEMENT, canonical, seal, statement
from penstock.period import SECOND_US

FILE: Final = "provider.yaml"
FILE_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider's terms. Figures in the units of their names; ``schemes`` are x402's, beside ``credit``.

    ``technology``, ``matched_bp`` and ``carbon_mg_per_kwh`` are of the power behind the rack; ``idle_mw`` and
    ``busy_core_mw`` are the stated model of its draw, used where nothing can be measured. ``credit_classes`` are the
    numbers of classes on ``credit_contract`` that are taken beside dollars. Bodies of answers that were reported are
    dropped after ``keep_bodies_days``; 0 keeps them. ``challengers`` may have drawn bodies revealed: NAME=KEY each, an
    Ed25519 public key in hex. ``otlp`` is the collector that answers are told to as spans.
    """

    provider: str
    rack: str
    url: str = ""
    sku: str = "cpu"
    accelerators: int = 1
    price_usdc_micro_per_1k_tokens: int = 20
    minimum_usdc_micro: int = 1
    schemes: tuple[str, ...] = ("exact",)
    pay_to: str = "0x" + "0" * 40
    asset: str = "0x" + "0" * 40
    asset_name: str = "Dollar"
    asset_version: str = "1"
    network: str = ""
    technology: str = "unknown"
    matched_bp: int = 0
    carbon_mg_per_kwh: int = 0
    idle_mw: int = 20_000
    busy_core_mw: int = 15_000
    pue_bp: int = 10_000
    interval_s: int = 60
    quote_s: int = 60
    credit_contract: str = ""
    credit_classes: tuple[str, ...] = ()
    credit_from_block: int = 0
    keep_bodies_days: int = 0
    challengers: tuple[str, ...] = ()
    otlp: str = ""

    def __post_init__(self) -> None:
        for name, value in ((one.name, getattr(self, one.name)) for one in fields(self)):
            if isinstance(value, int) and not 0 <= value <= 10**12:
                raise Invalid("provider.offer", f"{name} is not negative.", field=name)
            if isinstance(value, str) and not (value.isprintable() and len(value) <= 200):
                raise Invalid("provider.offer", f"{name} is one line of text.", field=name)
        if not self.provider or not self.rack or min(self.accelerators, self.interval_s, self.quote_s) < 1:
            raise Invalid("provider.offer", "A provider and its rack have names, times and accelerators from 1.")
        if self.matched_bp > 10_000:
            raise Invalid("provider.offer", "No more than 10,000 basis points are matched.", field="matched_bp")

    @property
    def price(self) -> Price:
        """What answers cost."""
        return Price(self.price_usdc_micro_per_1k_tokens, self.minimum_usdc_micro)


@dataclass(frozen=True, slots=True)
class Load:
    """What the last interval, or a trial, showed: energy of 1,000 tokens [mJ], and how busy the rack was [bp]."""

    energy_mj_per_1k_tokens: int
    load_bp: int


def read_offer(folder: Path) -> Offer:
    """The offer in a provider's folder.

    Raises:
        NotFound: ``provider.no_offer``. Invalid: ``provider.offer``, with the first field that is wrong.
    """
    path = folder / FILE
    if not path.is_file():
        raise NotFound("provider.no_offer", f"There is no {FILE} in the provider's folder.", folder=folder.name)
    raw = path.read_bytes()
    if len(raw) > FILE_MAX:
        raise Invalid("provider.offer", f"{FILE} is longer than {FILE_MAX:,} bytes.")
    try:
        return offer_of(yaml.safe_load(raw))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid("provider.offer", f"{FILE} is not YAML.") from error


def offer_of(said: Any) -> Offer:
    """An offer from plain values. Raises Invalid ``provider.offer`` for a field that is unknown or of another kind."""
    if not isinstance(said, dict):
        raise Invalid("provider.offer", "An offer is a table of fields.")
    kinds = {one.name: one.type for one in fields(Offer)}
    for name, value in said.items():
        if name not in kinds:
            raise Invalid("provider.offer", f"There is no field {name!r} in an offer.", field=name)
        wanted: type = {"int": int, "str": str}.get(str(kinds[name]), list)
        if type(value) is not wanted:
            raise Invalid("provider.offer", f"{name} is a {wanted.__name__}.", field=name)
    if not {"provider", "rack"} <= said.keys():
        raise Invalid("provider.offer", "An offer names its provider and its rack.")
    told: dict[str, Any] = {name: tuple(map(str, it)) if isinstance(it, list) else it for name, it in said.items()}
    return Offer(**told)


def sign_quote(offer: Offer, model: str, load: Load, at_us: int, key: SigningKey) -> bytes:
    """The offer as a signed quote for ``model``, good for ``offer.quote_s`` from ``at_us``: a DSSE envelope."""
    said = {
        "provider": offer.provider,
        "rack": offer.rack,
        "url": offer.url,
        "model": model,
        "price_usdc_micro_per_1k_tokens": offer.price_usdc_micro_per_1k_tokens,
        "minimum_usdc_micro": offer.minimum_usdc_micro,
        "schemes": list(offer.schemes),
        "pay_to": offer.pay_to,
        "asset": offer.asset,
        "network": offer.network,
        "energy_mj_per_1k_tokens": load.energy_mj_per_1k_tokens,
        "carbon_mg_per_kwh": offer.carbon_mg_per_kwh,
        "source": {"technology": offer.technology, "matched_bp": offer.matched_bp},
        "load_bp": load.load_bp,
        "sku": offer.sku,
        "as_of_us": at_us,
        "valid_until_us": at_us + offer.quote_s * SECOND_US,
    }
    digest = hashlib.sha256(canonical(said)).hexdigest()
    return seal(statement(f"{offer.provider}/{model}", digest, QUOTE, said), STATEMENT, key).to_json()
