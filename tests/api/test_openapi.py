"""Whatever fits or does not fit the served description is answered as it says: schemathesis against a real server.

A rule beyond the form (a range that ends before it starts, a signature that does not hold) may still refuse with a
code, so `positive_data_acceptance` is left out; every other check of the library holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks

sys.path.append(str(Path(__file__).resolve().parents[1] / "connect"))
KIT: Any = import_module("connect_kit")

from penstock.api.app import make_app  # noqa: E402
from penstock.api.running import serve_in_thread  # noqa: E402
from penstock.connect.spool import now_us  # noqa: E402
from penstock.period import DAY_US  # noqa: E402
from penstock.usecases.api_keys import SCOPES, create_key  # noqa: E402

PATHS_MIN = 80


@contextmanager
def served(path: Path) -> Iterator[tuple[str, str]]:
    """A door with a few readings behind it: its address, and a key that may do everything."""
    with KIT.enrolled(path) as workspace, serve_in_thread(make_app(workspace)) as running:
        _, key = create_key(path, "tests", frozenset(SCOPES), now_us(), now_us() + DAY_US)
        body = b"".join(one.raw for one in KIT.chain_of("roof-a", 3))
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cbor-seq"}
        assert httpx.post(f"{running.url}/readings", content=body, headers=headers).status_code == 200
        yield running.url, key


def attack(url: str, key: str, examples: int) -> int:
    """Every operation, with so many generated calls each; returns how many operations."""
    load_all_checks()
    (unfit,) = CHECKS.get_by_names(["positive_data_acceptance"])
    operations = 0
    for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        operations += 1

        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def call(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, excluded_checks=[unfit])

        call()
    return operations


def test_the_door_answers_as_it_describes(tmp_path: Path) -> None:
    with served(tmp_path / "ws") as (url, key):
        assert attack(url, key, 12) >= PATHS_MIN
        assert httpx.get(f"{url}/health").json()["law_breaches"] == 0


@pytest.mark.nightly
def test_the_door_answers_as_it_describes_for_long(tmp_path: Path) -> None:
    with served(tmp_path / "ws") as (url, key):
        assert attack(url, key, 1_000) >= PATHS_MIN
        assert httpx.get(f"{url}/health").json()["law_breaches"] == 0
