"""Delivery proven, with the real model: what is honest passes on another machine, and each lie is caught.

The judge computes in one process; where another machine is wanted, another process with other products stands for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from challenge_kit import OTHER_SECRET, SECRET, WORK_KEY, Court, Shop, lesser, narrowed, texts_of

from penstock.compute.detection import caught
from penstock.compute.reexecution import NOTHING, VECTOR_TOLERANCE, Disclosure, Finding, distance
from penstock.compute.work import open_report
from penstock.errors import Invalid, NotFound, PenstockError, Refused
from penstock.journal.kinds.work import ChallengeKind
from penstock.usecases.challenge.commit import commit_on
from penstock.usecases.challenge.disclose import from_folder
from penstock.usecases.challenge.draw import draw_on
from penstock.usecases.challenge.evidence import Evidence
from penstock.usecases.challenge.reexecute import reexecute
from penstock.usecases.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "provider"))
from minilm import NAME, MiniLm

ANSWERS = 12


@pytest.fixture(scope="module")
def model() -> MiniLm:
    return MiniLm.load()


@pytest.fixture
def court(tmp_path: Path, model: MiniLm) -> Iterator[Court]:
    with Workspace(tmp_path / "court") as workspace:
        yield Court(workspace, model).founded()


def stated(court: Court, shop: Shop) -> bytes:
    """A challenger commits, the shop answers, the shop states."""
    court.commit()
    shop.serve(texts_of(ANSWERS))
    root, _ = court.state(shop)
    return root


def findings(evidence: Evidence) -> set[Finding]:
    return {one.finding for one in evidence.found}


def test_honest_work_agrees(court: Court, model: MiniLm) -> None:
    shop = Shop(model)
    evidence = court.challenge(stated(court, shop), shop.disclose, rows=ANSWERS)
    assert findings(evidence) == {Finding.AGREES}
    fact = court.judged(evidence)
    assert (fact.challenge, fact.failed) == (ChallengeKind.WORK, ())
    assert court.workspace.read(lambda world: world.challenges.failures("provider")) == 0
    assert b"sunlight" not in evidence.to_json()  # what agreed is nobody's to read


@pytest.mark.parametrize("layers", [5, 4])
def test_a_smaller_model_fails_every_row(court: Court, layers: int) -> None:
    shop = Shop(lesser(layers))
    evidence = court.challenge(stated(court, shop), shop.disclose)
    assert findings(evidence) == {Finding.VECTOR_DIFFERS}
    assert court.judged(evidence).failed == evidence.rows


def test_narrower_weights_fail_every_row(court: Court, model: MiniLm) -> None:
    shop = Shop(narrowed(model))
    evidence = court.challenge(stated(court, shop), shop.disclose)
    assert findings(evidence) == {Finding.VECTOR_DIFFERS}


def test_an_invented_answer_fails(court: Court, model: MiniLm) -> None:
    dice = np.random.default_rng(5)

    def invent(answer: dict[str, Any]) -> None:
        vector = dice.normal(size=384)
        answer["data"][0]["embedding"] = (vector / np.linalg.norm(vector)).tolist()

    shop = Shop(model, invent)
    assert findings(court.challenge(stated(court, shop), shop.disclose)) == {Finding.VECTOR_DIFFERS}


def test_tokens_that_were_not_there_fail(court: Court, model: MiniLm) -> None:
    def pad(answer: dict[str, Any]) -> None:
        answer["usage"]["prompt_tokens"] += 1

    shop = Shop(model, pad)
    assert findings(court.challenge(stated(court, shop), shop.disclose)) == {Finding.TOKENS_DIFFER}


def test_silence_fails_every_row(court: Court, model: MiniLm) -> None:
    evidence = court.challenge(stated(court, Shop(model)), lambda _: NOTHING)
    fact = court.judged(evidence)
    assert (fact.challenge, fact.failed) == (ChallengeKind.PRESENCE, fact.rows)


def test_a_row_that_is_withheld_fails_alone(court: Court, model: MiniLm) -> None:
    shop = Shop(model)
    root = stated(court, shop)
    hidden = draw_on(court.workspace, "provider", root, [SECRET], 4, court.now_us).rows[0].payment_id
    evidence = court.challenge(root, lambda payment: NOTHING if payment == hidden else shop.disclose(payment))
    fact = court.judged(evidence)
    assert (fact.challenge, fact.failed) == (ChallengeKind.WORK, fact.rows[:1])


def test_better_answers_made_once_the_draw_is_known_come_too_late(court: Court, model: MiniLm) -> None:
    lazy, honest = Shop(lesser(4)), Shop(model)
    root = stated(court, lazy)
    honest.serve(texts_of(ANSWERS))

    def repaired(payment: bytes) -> Disclosure:
        shown = lazy.disclose(payment)
        assert shown.request is not None
        return Disclosure(shown.request, honest.answers[lazy.requests.index(shown.request)])

    assert findings(court.challenge(root, repaired)) == {Finding.ANSWER_DIFFERS}


def test_an_honest_model_on_another_machine_stays_within_the_tolerance(model: MiniLm, tmp_path: Path) -> None:
    """Other products and other threads: another process with OpenBLAS told so, its texts in one batch."""
    texts, path = texts_of(12), tmp_path / "vectors.npy"
    asked = "import sys, json, numpy; sys.path.insert(0, sys.argv[1]); from minilm import MiniLm; "
    asked += "numpy.save(sys.argv[2], MiniLm.load().embed(json.loads(sys.argv[3]))[0])"
    folder = Path(__file__).parents[2] / "examples" / "provider"
    command = [sys.executable, "-c", asked, str(folder), str(path), json.dumps(texts)]
    settings = {"OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, env=os.environ | settings, check=True)
    elsewhere, here = np.load(path), np.concatenate([model.embed([text])[0] for text in texts])
    assert distance(elsewhere, here) < VECTOR_TOLERANCE / 5
    for liar in (narrowed(model), lesser(5)):
        nearest = min(distance(one[None], two[None]) for one, two in zip(liar.embed(texts)[0], here, strict=True))
        assert nearest > 20 * VECTOR_TOLERANCE


def test_the_published_probability_is_what_challenges_catch(court: Court, model: MiniLm) -> None:
    """A liar mixes a quarter of cheap answers in; of 60 challenges as many catch it as the table says."""
    cheap, honest = Shop(lesser(4)), Shop(model)
    texts, challenges, rows = texts_of(ANSWERS), 60, 4
    cheap.serve(texts[: ANSWERS // 4])
    honest.serve(texts[ANSWERS // 4 :])
    mixed = Shop(model, answers=cheap.answers + honest.answers, requests=cheap.requests + honest.requests)
    mixed.tokens = cheap.tokens + honest.tokens
    secrets = [bytes([number]) * 32 for number in range(1, challenges + 1)]
    for number, secret in enumerate(secrets):
        court.commit(secret, f"challenger-{number}")
    root, _ = court.state(mixed)
    false = set(range(ANSWERS // 4))
    whole = court.challenge(root, mixed.disclose, rows=ANSWERS, secrets=secrets[:1])
    assert set(whole.failed) == false  # every cheap row shows when it is drawn: the power is 1
    hits = [
        bool(false & set(draw_on(court.workspace, "provider", root, [one], rows, court.now_us).drawn.rows))
        for one in secrets
    ]
    expected = caught(ANSWERS, len(false), rows)
    assert abs(sum(hits) / challenges - expected) < 4 * (expected * (1 - expected) / challenges) ** 0.5


def test_two_challengers_draw_together(court: Court, model: MiniLm) -> None:
    court.commit(SECRET, "investor")
    court.commit(OTHER_SECRET, "operator")
    shop = Shop(model)
    shop.serve(texts_of(ANSWERS))
    root, _ = court.state(shop)
    both = court.challenge(root, shop.disclose, secrets=(SECRET, OTHER_SECRET))
    one = draw_on(court.workspace, "provider", root, [SECRET], 4, court.now_us)
    assert both.seed != one.drawn.seed
    court.judged(both, (SECRET, OTHER_SECRET))
    with pytest.raises(Refused, match=r"challenge\.spent"):
        court.challenge(root, shop.disclose)


def test_a_judgement_is_recorded_once_and_read_back_after_a_restart(court: Court, model: MiniLm) -> None:
    shop = Shop(lesser(4))
    evidence = court.challenge(stated(court, shop), shop.disclose)
    assert court.judged(evidence) == court.judged(evidence)
    court.workspace.__exit__(None, None, None)
    with Workspace(court.workspace.path) as again:
        assert again.read(lambda world: world.challenges.failures("provider")) == 4


def test_evidence_is_read_back_and_names_every_byte(court: Court) -> None:
    shop = Shop(lesser(4))
    evidence = court.challenge(stated(court, shop), shop.disclose)
    assert Evidence.from_json(evidence.to_json()) == evidence
    assert replace(evidence, tolerance=1.0).digest != evidence.digest
    endless = evidence.to_json().replace(b'"1e-05"', b"1" + b"0" * 400)  # beyond every float
    assert endless != evidence.to_json()
    for raw in (
        b"",
        b"{}",
        endless,
        evidence.to_json() + b" ",
        evidence.to_json().replace(b"vector_differs", b"agrees_not"),
    ):
        with pytest.raises(Invalid, match=r"challenge\.evidence"):
            Evidence.from_json(raw)


def test_a_judgement_of_other_rows_is_refused_and_nothing_recorded(court: Court, model: MiniLm) -> None:
    shop = Shop(model)
    evidence = court.challenge(stated(court, shop), shop.disclose)
    chosen = replace(evidence, found=tuple(replace(one, row=one.row + 1) for one in evidence.found))
    size = court.workspace.store.size
    for bent, code in ((chosen, "challenge.judgement"), (replace(evidence, provider="nobody"), "provider.unknown")):
        with pytest.raises(PenstockError) as raised:
            court.judged(bent)
        assert raised.value.code == code
    assert court.workspace.store.size == size


def test_an_engine_without_the_model_judges_nothing(court: Court, model: MiniLm) -> None:
    class Other:
        def models(self) -> tuple[str, ...]:
            return ("another",)

        embed = model.embed

    shop = Shop(model)
    work = draw_on(court.workspace, "provider", stated(court, shop), [SECRET], 4, court.now_us + 1)
    with pytest.raises(Invalid, match=r"challenge\.model"):
        reexecute(work, shop.disclose, Other())


def test_bodies_lie_in_a_folder(court: Court, model: MiniLm, tmp_path: Path) -> None:
    shop = Shop(model)
    root = stated(court, shop)
    for row in draw_on(court.workspace, "provider", root, [SECRET], 4, court.now_us).rows[1:]:
        shown = shop.disclose(row.payment_id)
        for part, raw in (("request", shown.request), ("answer", shown.answer)):
            assert raw is not None
            (tmp_path / f"{row.payment_id.hex()}.{part}").write_bytes(raw)
    evidence = court.challenge(root, from_folder(tmp_path))
    assert [one.finding for one in evidence.found] == [Finding.UNDISCLOSED, *[Finding.AGREES] * 3]


@pytest.mark.parametrize("challenger", ["", "x" * 129, "a\nb"])
def test_a_challenger_has_a_name(court: Court, challenger: str) -> None:
    with pytest.raises(Invalid, match=r"challenge\.name"):
        commit_on(court.workspace, "provider", challenger, SECRET, 0, court.now_us)


def test_nobody_challenges_whom_nobody_knows(court: Court) -> None:
    with pytest.raises(NotFound, match=r"provider\.unknown"):
        commit_on(court.workspace, "nobody", "investor", SECRET, 0, court.now_us)


def test_what_was_stated_is_what_was_signed(court: Court, model: MiniLm) -> None:
    shop = Shop(model)
    court.commit()
    shop.serve(texts_of(3))
    root, envelope = court.state(shop)
    assert open_report(envelope, WORK_KEY.public).root == root
    assert NAME in model.models()
