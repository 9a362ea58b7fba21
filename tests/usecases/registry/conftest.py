"""A registry with four certified hours."""

from __future__ import annotations

import pytest
from registry_kit import Registry


@pytest.fixture
def registry() -> Registry:
    return Registry().with_hours()
