"""Compile ``contracts/*.vy`` into the artefacts that ship in the package.

    python contracts/build.py            write src/penstock/chain/artefacts/NAME.json
    python contracts/build.py NAME...    write these only
    python contracts/build.py --check    compile all again and fail on any difference

An artefact is ``{name, abi, bytecode, runtime, compiler, settings, source_sha256}``; the digest covers the
contract's own source and the files of ``contracts/parts`` that are compiled into it. The same sources give
the same bytes: nothing of this machine, no path and no date, enters them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vyper
from vyper.compiler import compile_from_file_input
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.settings import OptimizationLevel, Settings

SOURCES = Path(__file__).resolve().parent
ARTEFACTS = SOURCES.parent / "src" / "penstock" / "chain" / "artefacts"
COMPILER = "0.4.3"
EVM_VERSION = "prague"
PART = re.compile(r"^(?:from parts )?import (\w+)$", re.MULTILINE)
RUNTIME_MAX_BYTES = 24_576  # EIP-170


def parts_of(path: Path) -> set[Path]:
    """Every file of ``contracts/parts`` that a source imports, directly or through another part."""
    found = {SOURCES / "parts" / f"{name}.vy" for name in PART.findall(path.read_text())}
    return found.union(*(parts_of(part) for part in found))


def source_sha256(path: Path) -> str:
    """Digest of the contract's source followed by its parts in name order, each prefixed by its name and size."""
    digest = hashlib.sha256()
    for file in [path, *sorted(parts_of(path))]:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def compile_contract(path: Path) -> dict[str, Any]:
    """The artefact of one source file; ``runtime`` is the code before immutables are filled in."""
    bundle = FilesystemInputBundle([SOURCES])
    with bundle.search_path(SOURCES):
        source = bundle.load_file(path.name)
    settings = Settings(evm_version=EVM_VERSION, optimize=OptimizationLevel.GAS, experimental_codegen=False)
    out = compile_from_file_input(
        source,
        input_bundle=bundle,
        settings=settings,
        output_formats=["abi", "bytecode", "bytecode_runtime"],
    )
    return {
        "name": path.stem,
        "abi": out["abi"],
        "bytecode": out["bytecode"],
        "runtime": out["bytecode_runtime"],
        "compiler": f"vyper {vyper.__version__}",
        "settings": {"evm_version": EVM_VERSION, "optimize": "gas", "pipeline": "default"},
        "source_sha256": source_sha256(path),
    }


def compile_all(names: Sequence[str] = ()) -> dict[str, str]:
    """File name to file content, for every contract or those named.

    Raises ``SystemExit`` for another compiler or too long a code.
    """
    if not vyper.__version__.startswith(COMPILER):
        raise SystemExit(f"vyper {COMPILER} is required, not {vyper.__version__}")
    files: dict[str, str] = {}
    paths = [SOURCES / f"{name}.vy" for name in names] or SOURCES.glob("*.vy")
    for path in sorted(paths):
        artefact = compile_contract(path)
        size = len(artefact["runtime"]) // 2 - 1
        if size >= RUNTIME_MAX_BYTES:
            raise SystemExit(f"{path.name}: runtime of {size} bytes, {RUNTIME_MAX_BYTES} is the limit of EIP-170")
        files[f"{path.stem}.json"] = json.dumps(artefact, indent=1, sort_keys=True) + "\n"
    return files


def differences(files: dict[str, str]) -> list[str]:
    """What is missing, different or left over in the artefact folder."""
    found = {path.name: path.read_text() for path in ARTEFACTS.glob("*.json")}
    wrong = [f"{name}: differs" for name in files if name in found and found[name] != files[name]]
    wrong += [f"{name}: missing" for name in sorted(files.keys() - found.keys())]
    return wrong + [f"{name}: no source" for name in sorted(found.keys() - files.keys())]


def main() -> int:
    """Build or check; 1 when a check finds a difference."""
    parser = argparse.ArgumentParser(description="Compile the contracts into the package's artefacts.")
    parser.add_argument("--check", action="store_true", help="compile and compare, write nothing")
    parser.add_argument("names", nargs="*", help="contracts to build; all where none is named")
    asked = parser.parse_args()
    files = compile_all(() if asked.check else asked.names)
    if asked.check:
        wrong = differences(files)
        for line in wrong:
            print(line, file=sys.stderr)
        return 1 if wrong else 0
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (ARTEFACTS / name).write_text(content)
        print(f"{name}: {len(json.loads(content)['runtime']) // 2 - 1:,} bytes of runtime")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
