"""The example provider's model: what its vectors say, and that they do not depend on the company they were made in."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from penstock.errors import Invalid, NotFound

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "provider"))
from minilm import CONTEXT_TOKENS, MiniLm, find_weights

CAT, KITTEN, PRICES = "A cat sits on the mat.", "A kitten is resting on a rug.", "Inflation rose by two percent."


@pytest.fixture(scope="module")
def model() -> MiniLm:
    return MiniLm.load()


def test_one_subject_is_near_and_another_far(model: MiniLm) -> None:
    vectors, usage = model.embed([CAT, KITTEN, PRICES])
    likeness = vectors @ vectors.T
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert likeness[0, 1] > 0.6
    assert max(likeness[0, 2], likeness[1, 2]) < 0.07
    assert np.allclose(np.diag(likeness), 1, atol=1e-5)
    assert usage.prompt_tokens == sum(model.count([CAT, KITTEN, PRICES]))
    assert usage.cpu_us > 0
    assert usage.first_us <= usage.done_us


def test_known_tokens(model: MiniLm) -> None:
    # [CLS] a cat sits on the mat . [SEP]
    assert model.count([CAT, "", "a " * 1000]) == [9, 2, 1002]


def test_a_vector_is_the_same_alone_and_among_others(model: MiniLm) -> None:
    texts = [CAT * (1 + i % 7) for i in range(40)]
    together, _ = model.embed(texts)
    for row in (0, 3, 6, 39):
        alone, _ = model.embed([texts[row]])
        assert np.abs(alone[0] - together[row]).max() < 2e-6


def test_a_smaller_model_answers_otherwise(model: MiniLm) -> None:
    whole, _ = model.embed([CAT])
    fewer, _ = MiniLm.load(layers=5).embed([CAT])
    assert float(whole[0] @ fewer[0]) < 0.95


def test_refusals(model: MiniLm, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"engine\.no_text"):
        model.embed([])
    with pytest.raises(Invalid, match=r"engine\.too_long"):
        model.embed(["a " * (CONTEXT_TOKENS - 1)])
    with pytest.raises(NotFound, match=r"minilm\.no_weights"):
        find_weights(tmp_path / "nowhere")
