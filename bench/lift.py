"""Gas to mint an interval of 100,000 devices, ours against minting to each; and of each lift from it.

Ours opens the interval with one proof of one fact of the journal, whatever its rows; a title costs gas when somebody
lifts it. The peer's issuer mints to each holder, a hundred a transaction. Both run on the embedded node in this
process; the figures are those of whole transactions and repeat to the unit.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEVICES = 100_000
BATCH = 100
WORD_ROWS = 128
DRAWS = 4  # of a word whose rows are alike
FIRST, STEADY, DRAW = "first of batch, word and holder", "steady", "word draws"


@cache
def rooms() -> Any:
    """The scene of the contract tests: accounts, deployments, the table of acts."""
    sys.path.insert(0, str(ROOT / "tests" / "contracts"))
    import gas_certificate
    import gas_table
    import nodes
    import scene

    return nodes, scene, gas_table, gas_certificate


def plain(chain: Any) -> int:
    """Gas of a hundred mints in one transaction, to holders new to the id."""
    _, scenes, tables, _ = rooms()
    made = chain.deploy_code(scenes.compile_file(Path(__file__).parent / "PlainCertificate.vy"))
    call = made.functions.mint_many(2**255, tables.checksummed(chain, BATCH), [777] * BATCH)
    return int(chain.gas(call, chain.account("deployer")))


def run() -> dict[str, Any]:
    """One opening against a thousand batches of mints, with the whole table in the notes."""
    nodes, _, _, certificates = rooms()
    with nodes.embedded() as node:
        table = certificates.measure(nodes.Chain(node, certificates.SALT))
        batch = plain(nodes.Chain(node, "plain certificates"))
    ours, peer = table[f"open, {DEVICES} rows"], batch * (DEVICES // BATCH)
    return {
        "name": "lift",
        "ours": ours,
        "unit": f"gas to mint an interval of {DEVICES:,} devices",
        "peer": peer,
        "ratio": peer / ours,
        "peer_name": "an issuer that mints to each holder, a hundred a transaction",
        "notes": notes(table, batch),
    }


def notes(table: dict[str, int], batch: int) -> list[str]:
    """What the headline leaves out, then every act."""
    first, steady, draw = (table[f"lift, 20 levels, {turn}"] for turn in (FIRST, STEADY, DRAW))
    mean = (DRAWS * draw + (WORD_ROWS - DRAWS) * steady) / WORD_ROWS
    each = batch / BATCH
    lines = [
        f"an interval of 1 device costs {table['open, 1 row']:,}: the difference is the digits of a longer number",
        f"each title is lifted by whoever wants it: {steady:,} steady with a proof of 20 levels (1,048,576 titles), "
        f"{mean:,.0f} on average over a word of {WORD_ROWS} rows alike, {first:,} where batch, word and holder are "
        f"new; the peer's mint is {each:,.0f}",
        f"so ours is the cheaper while fewer than {int(each / mean * 100)} in 100 titles are ever lifted",
    ]
    return lines + [f"{act}: {gas:,}" for act, gas in table.items()]
