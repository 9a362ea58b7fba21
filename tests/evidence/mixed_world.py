"""A day of three roofs that each speak another way: an Arkreen miner, a meter whose key changes at noon and whose
counter is then reset, and a roof of a fleet whose readings its vendor's cloud carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np
from coincurve import PrivateKey
from eth_utils.crypto import keccak
from small_world import DAY, QUARTERS_US, ROOF_W, SEED, ZONE, SmallWorld

from penstock.energy.forms import carried, cose, pogg
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.device import KeyRotated
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.segment import Column
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Assurance, EpochCause, Form, RegisterKind, Technology, Unit
from penstock.keys import KEY_KINDS, ChainKey, KeyKind, PointKey, SigningKey, derive_seed
from penstock.period import HOUR_US, SECOND_US
from penstock.usecases import enrol, rotate
from penstock.usecases import replace as replacing
from penstock.usecases.enrol_fleet import Fleet, enrol_fleet
from penstock.usecases.ingest import ingest

NOON_US = DAY.start_us + 12 * HOUR_US
MINER_KEY = ChainKey(derive_seed(SEED, "miner"))
MINER = "0x" + MINER_KEY.address.hex()
OLD_KEY = PointKey(KeyKind.P256, derive_seed(SEED, "old"))
NEW_KEY = PointKey(KeyKind.SECP256K1, derive_seed(SEED, "new"))
CLOUD_KEY = SigningKey(derive_seed(SEED, "cloud"))
START_WH = 7_654_321
"""What the meter showed when it was enrolled, in the middle of its life."""
FLEET_START_WH = 1_234
_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class MixedWorld(SmallWorld):
    """As the small world; only the roofs differ."""

    roofs = (MINER, "roof-b", "roof-c")

    def _enrol_roofs(self) -> None:
        sites: list[FactBody] = [
            SiteRegistered(name, ZONE, "", "operator-of-roofs") for name in ("street", "portfolio")
        ]
        tariffs = [RegisterOpened(f"{name}/tariff", Unit.USDC_MICRO, RegisterKind.COUNTED) for name in self.roofs]
        self._do("roof-owner", lambda _: enrol.open_accounts(["operator-of-roofs"]), DAY.start_us)
        self._do("sites", lambda _: [Entry(fact) for fact in [*sites, *tariffs]], DAY.start_us)
        pv, at_us = Technology.SOLAR_PV, DAY.start_us
        miner = enrol.NewDevice(MINER, "street", pv, MINER_KEY.address, ROOF_W[0], at_us, key_kind=KeyKind.ETH_ADDRESS)
        meter = enrol.NewDevice(
            "roof-b",
            "street",
            pv,
            OLD_KEY.public,
            ROOF_W[1],
            at_us,
            key_kind=KeyKind.P256,
            start_counts_wh=(START_WH,),
        )
        self._do("miner", lambda world: enrol.enrol_device(world, miner), at_us)
        self._do("meter", lambda world: enrol.enrol_device(world, meter), at_us)
        self._do("fleet", lambda world: enrol_fleet(world, "portfolio", _fleet()), at_us)

    def _roofs_send(self) -> None:
        morning, evening = slice(0, 48), slice(48, 96)
        self._ingest_and_certify(self._messages(morning, OLD_KEY, -1, cose.FIRST, -START_WH))
        self._rotate()
        head = self._head()
        self._reset()
        self._send_evening(evening, head)

    def _send_evening(self, rows: slice, head: tuple[int, bytes]) -> None:
        counted = self.positions_wh(ROOF_W[1])[47]
        messages = self._messages(rows, NEW_KEY, *head, counted)
        receipt = self._do("ingest-evening", lambda world: ingest(world, messages, DAY.stop_us))
        self._certify("certify-evening", receipt.first_seq + 1)

    def _messages(
        self, rows: slice, key: cose.Signs, sequence: int, previous: bytes, reset_wh: int
    ) -> list[tuple[Form, bytes]]:
        at_us, hours = QUARTERS_US[rows], range(0, 48, 4)
        miner, meter, cloud = (self.positions_wh(watts)[rows] for watts in ROOF_W)
        packets = []
        for first in hours:
            sequence += 1
            part = slice(first, first + 4)
            counts = tuple(wh - reset_wh for wh in meter[part])
            packets.append(cose.sign(cose.Packet("roof-b", sequence, previous, tuple(at_us[part]), counts), key))
            previous = cose.packet_hash(packets[-1])
        reports = [_report(at_us[first : first + 4], miner[first : first + 4]) for first in hours]
        level, origin = Assurance.VENDOR_ATTESTED, carried.origin_of(b"an answer")
        shown = tuple(FLEET_START_WH + wh for wh in cloud)
        told = carried.Carried("cloud", "roof-c", 0, level, origin, tuple(at_us), shown)
        columns: tuple[tuple[Form, Sequence[bytes]], ...] = (
            (Form.COSE, packets),
            (Form.POGG, reports),
            (Form.CARRIED, carried.messages_of(told)),
        )
        each = [[(form, raw) for raw in raws] for form, raws in columns]
        return [one for hour in zip_longest(*each) for one in hour if one is not None]

    def _rotate(self) -> None:
        sequence = self._head()[0]
        fact = KeyRotated("roof-b", NEW_KEY.kind, NEW_KEY.public, NOON_US + 1, sequence, b"", b"")
        said = rotate.to_sign(self.world, fact)
        signed = replace(fact, signature=OLD_KEY.sign(said), proof=NEW_KEY.sign(said))
        self._do("rotate", lambda world: rotate.rotate(world, signed), NOON_US + SECOND_US)

    def _reset(self) -> None:
        fact = replacing.plan_epoch(self.world, "roof-b", EpochCause.RESET, NOON_US + 1)
        signed = replace(fact, signature=NEW_KEY.sign(rotate.to_sign(self.world, fact)))
        self._do("reset", lambda world: replacing.open_epoch(world, signed), NOON_US + SECOND_US)

    def _head(self) -> tuple[int, bytes]:
        devices = self.world.energy
        number = devices.number("roof-b")
        return int(devices.head_sequence[number]), bytes(devices.head_hash[number])


def _fleet() -> Fleet:
    names = ["roof-x", "roof-c", "roof-y"]
    columns: dict[str, Column] = {
        "technology": np.full(3, TECHNOLOGIES.index(Technology.SOLAR_PV), np.uint8),
        "key_kind": np.full(3, KEY_KINDS.index(KeyKind.ED25519), np.uint8),
        "assurance": np.full(3, ASSURANCES.index(Assurance.VENDOR_ATTESTED), np.uint8),
        "capacity_w": np.full(3, ROOF_W[2], np.int64),
        "commissioned_us": np.full(3, DAY.start_us, np.int64),
        "tilt_deg": np.full(3, -1, np.int16),
        "azimuth_deg": np.full(3, -1, np.int16),
        "rolls_over_wh": np.zeros(3, np.int64),
    }
    return Fleet(names, [CLOUD_KEY.public] * 3, [""] * 3, columns, [[], [FLEET_START_WH], [7]])


def _report(at_us: Sequence[int], position_wh: Sequence[int]) -> bytes:
    """An hour of the miner, as its API takes it."""
    samples = [f"01{at // SECOND_US:010x}{0:012x}{wh * 1_000:016x}" for at, wh in zip(at_us, position_wh, strict=True)]
    listed = ",".join(f'"{sample}"' for sample in samples)
    signed = pogg.preimage(1, MINER, samples)
    signature = PrivateKey(MINER_KEY.secret).sign_recoverable(signed, hasher=keccak)
    text = f'{{"version":1,"address":"{MINER}","dataList":[{listed}],"signature":"{_base58(signature)}"}}'
    return text.encode()


def _base58(raw: bytes) -> str:
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _DIGITS[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text
