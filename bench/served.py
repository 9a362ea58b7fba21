"""Serves an existing chain's file until its input ends: `python -m bench.served FILE ENDOWED_ADDRESS ENDOWMENT_WEI`."""

from __future__ import annotations

import sys
from pathlib import Path

from penstock.chain.node import Genesis, Node
from penstock.chain.rpc import serve


def main(file: str, address: str, wei: str) -> None:
    """Print where it answers, then wait."""
    with Node(Genesis(alloc={bytes.fromhex(address): int(wei)}), Path(file)) as node, serve(node) as place:
        print(place, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
