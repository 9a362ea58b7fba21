"""Batches of hostile messages through parsing, signatures and judgement: each gets a verdict, the good one counts."""

from __future__ import annotations

import fuzz_kit as kit

from penstock.connect.envelope import as_sent
from penstock.connect.sequence import CborItems
from penstock.energy.device import Devices
from penstock.energy.forms.cose import FIRST, Packet, sign
from penstock.energy.judge import judge, prepare
from penstock.errors import Invalid
from penstock.journal.kinds.energy import DeviceEnrolled
from penstock.journal.words import Technology
from penstock.keys import SigningKey

HONEST = SigningKey(bytes(32))


class Intake:
    """A fleet of the seeds' devices and an honest one, whose packet stands at the end of every batch."""

    def __init__(self) -> None:
        self._devices = Devices()
        keys = {"roof-1": kit.KEYS[0].public, "hill": kit.KEYS[0].public, "honest": HONEST.public}
        for number, (name, public) in enumerate(keys.items()):
            enrolled = DeviceEnrolled(
                name, name, Technology.SOLAR_PV, public, f"{name}/export", 4_000, kit.NOON_US - kit.STEP_US
            )
            self._devices.enrol(enrolled, number)
        self._good = sign(Packet("honest", 0, FIRST, (kit.NOON_US,), (100,)), HONEST)

    def __call__(self, raw: bytes) -> bool:
        messages = [as_sent(item) for item in self._items(raw)] + [as_sent(self._good)]
        pairs = [(one.form, one.raw) for one in messages]
        judged = judge(prepare(pairs, self._devices), [one.raw for one in messages], kit.NOON_US, self._devices)
        kit.must(len(judged.packets["verdict"]) == len(messages), "a verdict for every message")
        mine = judged.readings["packet"] == len(messages) - 1
        last = int(judged.packets["verdict"][-1]), judged.readings["verdict"][mine].tolist()
        kit.must(last == (0, [0]) or self._good in [one.raw for one in messages[:-1]], "the good one counts")
        return int((judged.packets["verdict"] == 0).sum()) > 1

    def _items(self, raw: bytes) -> list[bytes]:
        splitter, items = CborItems(), []
        try:
            items += splitter.feed(raw)
            items += splitter.finish()
        except Invalid:
            items += [raw]
        return items
