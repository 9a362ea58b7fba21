"""What ships is what the sources compile to; every power is written down; nothing outgrows a block or a reader."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from typing import Any

import pytest
from eth_utils.abi import function_abi_to_4byte_selector
from nodes import ARTEFACTS, ROOT, artefact

README = ROOT / "contracts" / "README.md"
NAMES = sorted(path.stem for path in (ROOT / "contracts").glob("*.vy"))
POWER = re.compile(r"^\| `(\w+)` \| `([\w()\[\],]+)` \| `(0x[0-9a-f]{8})` \| (.+) \|$", re.MULTILINE)
WORDS = ("address", "address", "uint256", "uint256")
BY_BYTES = {  # answered by `__default__`, since Vyper has no overloads
    "transferWithAuthorization": (*WORDS, "uint256", "bytes32", "bytes"),
    "receiveWithAuthorization": (*WORDS, "uint256", "bytes32", "bytes"),
    "cancelAuthorization": ("address", "bytes32", "bytes"),
    "permit": (*WORDS, "bytes"),
}
FUNGIBLE_7943 = ("forcedTransfer", "setFrozenTokens", "canSend", "canReceive", "getFrozenTokens", "canTransfer")


@cache
def build() -> Any:
    """contracts/build.py, which is a script and not part of the package."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "contracts" / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def signature(item: dict[str, Any]) -> str:
    """`name(type,...)` as the selector hashes it."""
    return f"{item['name']}({','.join(collapse(one) for one in item['inputs'])})"


def collapse(item: dict[str, Any]) -> str:
    """A tuple written out."""
    kind = str(item["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(collapse(one) for one in item['components'])}){kind.removeprefix('tuple')}"


def selector(item: Any) -> str:
    return "0x" + function_abi_to_4byte_selector(item).hex()


def changing(name: str) -> set[tuple[str, str, str]]:
    """(contract, signature, selector) of every function that may change state."""
    found = [item for item in artefact(name)["abi"] if item["type"] == "function"]
    acts = [item for item in found if item["stateMutability"] not in ("view", "pure")]
    return {(name, signature(item), selector(item)) for item in acts + by_bytes(name)}


def by_bytes(name: str) -> list[dict[str, Any]]:
    """The forms behind a contract's fallback; each one's selector stands in its code."""
    if not any(item["type"] == "fallback" for item in artefact(name)["abi"]):
        return []
    assert name == "Dollar", "a fallback that nobody wrote down"
    forms = [{"name": act, "inputs": [{"type": kind} for kind in kinds]} for act, kinds in BY_BYTES.items()]
    assert all(selector({**form, "type": "function"})[2:] in artefact(name)["runtime"] for form in forms)
    return [{**form, "type": "function"} for form in forms]


@pytest.mark.parametrize("name", NAMES)
def test_artefact_is_its_source(name: str) -> None:
    made = build().compile_all([name])[f"{name}.json"]
    assert (ARTEFACTS / f"{name}.json").read_text() == made, "run `python contracts/build.py`"


def test_no_artefact_without_source() -> None:
    assert sorted(path.stem for path in ARTEFACTS.glob("*.json")) == NAMES


def test_a_changed_artefact_is_found() -> None:
    files = {path.name: path.read_text() for path in ARTEFACTS.glob("*.json")}
    assert build().differences(files) == []
    spoiled = {name: text.replace("60", "61", 1) for name, text in files.items()}
    assert len(build().differences(spoiled)) == len(files)
    assert build().differences({}) == [f"{name}: no source" for name in sorted(files)]
    assert build().differences(files | {"Ghost.json": ""}) == ["Ghost.json: missing"]


@pytest.mark.parametrize("name", NAMES)
def test_artefact_names_its_making(name: str) -> None:
    found = artefact(name)
    assert found["compiler"].startswith("vyper 0.4.3")
    assert found["settings"] == {"evm_version": "prague", "optimize": "gas", "pipeline": "default"}
    assert 0 < len(found["runtime"]) // 2 - 1 < 24_576


@pytest.mark.parametrize("name", NAMES)
def test_every_power_is_written_down(name: str) -> None:
    written = {match[:3] for match in POWER.findall(README.read_text()) if match[0] == name}
    assert written == changing(name), "contracts/README.md, Powers"


def test_every_power_names_a_role() -> None:
    table = POWER.findall(README.read_text())
    assert len(table) == len({row[:3] for row in table})
    assert all(role.strip() for *_, role in table)
    assert {row[0] for row in table} <= set(NAMES)


def test_tranche_has_the_interface_of_erc_7943() -> None:
    abi = [item for item in artefact("Tranche")["abi"] if item.get("name") in FUNGIBLE_7943]
    assert sorted(item["name"] for item in abi if item["type"] == "function") == sorted(FUNGIBLE_7943)
    answer = 0
    for item in abi:
        answer ^= int(selector(item), 16)
    assert answer == 0x3EDBB4C4  # ERC-7943, "Additional Specifications"
