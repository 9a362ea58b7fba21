"""Secrets come from a file only its owner reads, or from the environment; never from an argument, never into a log."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from penstock.errors import Invalid, NotFound

SECRET_MAX: Final = 8_192


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that does not show itself."""

    text: str = field(repr=False)

    def __str__(self) -> str:
        return "(secret)"


def from_file(path: Path) -> Secret:
    """The only line of a file that nobody but its owner may read.

    Raises:
        NotFound: ``connect.no_secret``. Invalid: ``connect.secret_open`` for a file others may read,
            ``connect.secret`` for one that holds no single line.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(SECRET_MAX + 1)
    except OSError:
        raise NotFound("connect.no_secret", "The secret's file cannot be read.", file=path.name) from None
    if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
        hint = "Run: chmod 600 " + path.name
        raise Invalid("connect.secret_open", "Others may read this secret's file.", hint=hint, file=path.name)
    return _secret(raw, path.name)


def from_environment(name: str, environment: Mapping[str, str]) -> Secret:
    """A variable's value.

    Raises:
        NotFound: ``connect.no_secret``. Invalid: ``connect.secret`` for an empty one.
    """
    if name not in environment:
        raise NotFound("connect.no_secret", "The secret's variable is not set.", variable=name)
    return _secret(environment[name].encode(), name)


def _secret(raw: bytes, name: str) -> Secret:
    text = raw.decode("utf-8", "replace").strip()
    if not (0 < len(text) <= SECRET_MAX and text.isprintable()):
        raise Invalid("connect.secret", "A secret is one line of text.", source=name)
    return Secret(text)
