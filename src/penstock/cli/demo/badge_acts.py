"""The stage where certificates leave for the chain: minted against the anchored journal, some retired for a badge."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from penstock.cli.demo.forward_acts import OFFTAKER
from penstock.cli.demo.play import EXPIRES_US, OPERATOR, RACK, Stagehand
from penstock.journal.segment import Column
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import SECOND_US
from penstock.usecases.registry.chain_certificates import BASE_URI, collect, retire, send
from penstock.usecases.registry.lift import CONTRACTS, Lifting, batches, found_certificates, lift
from penstock.usecases.world import World

ANSWERS: Final = 1_000
PURPOSE: Final = f"the first {ANSWERS:,} answers of {RACK}"
BENEFICIARY: Final = "whoever asked them"


def badge(hand: Stagehand) -> dict[str, Any]:
    """An hour's certificates that nobody used are minted, half of them retired for a badge, the rest lowered."""
    at_us, workspace, desk = hand.week.stop_us, hand.workspace, hand.desk
    found_certificates(workspace, desk, BASE_URI, at_us)
    asked = Lifting("", desk.address, EXPIRES_US // SECOND_US)
    workspace.submit("lift", b"", at_us, lambda world: lift(world, _hour(world), asked, at_us))
    with hand.bar("minting certificates", len(batches(workspace))) as step:
        send(workspace, desk, hand.cast.log_key, at_us, step)
    (batch,) = batches(workspace)
    certificate, whole_wh = bytes.fromhex(batch["certificate"]), batch["quantity_wh"]
    made = retire(desk, "badge", certificate, -(-whole_wh // 2), BENEFICIARY, PURPOSE)
    if whole_wh > made["energy_wh"]:
        left_wh = whole_wh - made["energy_wh"]
        desk.act("lower", "Certificate", "lower", int.from_bytes(certificate), left_wh, OPERATOR)
    collect(workspace, desk, at_us)
    return {
        "contracts": {name: "0x" + desk.contract(name).address.hex() for name in CONTRACTS},
        "certificate": batch["certificate"],
        "titles": batch["rows"],
        "lifted_wh": whole_wh,
        "badge": made["badge"],
        "retired_wh": made["energy_wh"],
        "purpose": PURPOSE,
        "left_on_chain_wh": workspace.read(lambda world: world.books.vault.wh(certificate)),
    }


def _hour(world: World) -> dict[str, Column]:
    """Certificates that roofs still hold themselves, of the hour that has most of them; on chain they are alike."""
    titles = world.books.titles[Right.ATTRIBUTE].columns()
    held = titles["state"] == TITLE_STATES.index(TitleState.HELD)
    held &= ~world.books.lots.column("stored")[titles["lot"]]
    held &= titles["holder"] != world.books.accounts.id_of(OFFTAKER)
    hours, slot = np.unique(titles["interval_us"][held], return_inverse=True)
    units = np.bincount(slot, (titles["stop"] - titles["start"])[held])
    rows = held & (titles["interval_us"] == hours[np.argmax(units)])
    return {name: column[rows] for name, column in titles.items()}
