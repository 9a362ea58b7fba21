"""Halves of characters: JSON's ``\\ud800`` alone is in no text that a file, a terminal or a tokenizer takes.

Python's parser lets them through, and they fail far from whoever sent them. Readers of others' JSON refuse them.
Source: RFC 8259, 8.2.
"""

from __future__ import annotations

import json
import re
from typing import Final

_ESCAPED: Final = re.compile(r"\\[uU](?:0000)?[dD][89a-fA-F]")


def half_character(text: str, read: object) -> bool:
    """Whether ``read``, parsed of ``text`` (JSON or YAML), holds half a character; free where none is escaped."""
    if not _ESCAPED.search(text):
        return False
    try:
        json.dumps(read, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return True
    return False
