"""An operator's own engine: the file and the name that make it, as in ``minilm.py:MiniLm.load``."""

from __future__ import annotations

import importlib.util
import sys
from functools import reduce
from pathlib import Path
from typing import cast

from penstock.connect.inference.engine import Engine
from penstock.errors import Invalid, NotFound


def load_engine(said: str) -> Engine:
    """Run the operator's file and make the engine. Its code runs with this process's rights.

    Raises:
        NotFound: ``engine.no_file``. Invalid: ``engine.no_name`` where the file has no such name, or what it makes
            counts and embeds nothing.
    """
    file, _, name = said.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise NotFound("engine.no_file", "There is no such file.", hint="Write FILE.py:NAME.", file=file)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise Invalid("engine.no_name", "The file is no Python module.", file=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    try:
        made = reduce(getattr, name.split("."), module)()  # type: ignore[operator]
    except AttributeError as error:
        raise Invalid("engine.no_name", f"The file has no {name}.", file=file) from error
    if not all(callable(getattr(made, act, None)) for act in ("models", "count", "embed")):
        raise Invalid("engine.no_name", f"{name} makes no engine.", file=file)
    return cast(Engine, made)
