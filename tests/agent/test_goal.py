"""A goal is one sentence of fixed form; anything else is told, not guessed."""

from __future__ import annotations

import pytest

from penstock.agent.goal import Goal, read_goal
from penstock.errors import Invalid
from penstock.period import HOUR_US, SECOND_US


@pytest.mark.parametrize(
    ("sentence", "goal"),
    [
        ("embed a.txt under $5", Goal("a.txt", 5_000_000)),
        ('embed "my file.txt" under $0.000001', Goal("my file.txt", 1)),
        ("embed a.txt with m/x under $1.5", Goal("a.txt", 1_500_000, "m/x")),
        (
            "embed a.txt below 300 g/kWh within 1.5 h under $5",
            Goal("a.txt", 5_000_000, within_us=HOUR_US * 3 // 2, below_mg_per_kwh=300_000),
        ),
        ("  embed a.txt under $5 within 90s", Goal("a.txt", 5_000_000, within_us=90 * SECOND_US)),
    ],
)
def test_sentences_are_read(sentence: str, goal: Goal) -> None:
    assert read_goal(sentence) == goal


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "embed",
        "embed a.txt",
        "summarise a.txt under $5",
        "embed a.txt under 5",
        "embed a.txt under $0",
        "embed a.txt under $1.2.3",
        "embed a.txt under $0.0000001",
        "embed a.txt under $5 under $6",
        "embed a.txt under $5 please",
        "embed a.txt under $5 within 3 weeks",
    ],
)
def test_what_is_unclear_is_refused(sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_goal(sentence)
    assert caught.value.code == "goal.unclear"
