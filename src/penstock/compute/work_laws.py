"""What must hold of reported work beside the five laws of the books: within the meter, billed as it was sold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from penstock.compute.work_book import WorkBook
from penstock.journal.finding import Finding, finding
from penstock.journal.kinds.compute import RackRegistered
from penstock.journal.register import Registers
from penstock.units import MJ_PER_WH

BILLED: Final = "/billed"
"""The ending of a rack's register of what it billed answer by answer."""


def work_holds(book: WorkBook, racks: Mapping[str, RackRegistered], registers: Registers) -> Iterator[Finding]:
    """Sealed intervals lie within what the rack's meter counted; a rack billed what its answers were sold for."""
    for rack, sealed_mj in book.sealed_mj.items():
        metered_mj = int(registers.read[registers.id_of(racks[rack].import_register)]) * MJ_PER_WH
        if sealed_mj > metered_mj:
            sentence = f"{sealed_mj} mJ are sealed of {metered_mj} that the meter counted."
            yield finding(4, "law4.work", sentence, rack=rack)
    for rack in racks:
        sold = book.sold_usdc_micro.get(rack, 0)
        billed = int(registers.read[registers.id_of(rack + BILLED)]) if rack + BILLED in registers else 0
        if sold != billed:
            yield finding(5, "law5.sold", f"{billed} micro-dollars are billed of {sold} sold.", rack=rack)
