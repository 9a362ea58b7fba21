"""The stage where a provider lies: a smaller model in the name of the one it sells, found out, its collateral lost.

The liar really runs the smaller model. Two challengers bound themselves before it stated its work; which answers are
done again follows from their secrets and its statement, so nobody could choose them.
"""

from __future__ import annotations

import time
from typing import Any, Final

from penstock.cli.demo import sold_work
from penstock.cli.demo.agent_acts import engine_file, kept_figures
from penstock.cli.demo.play import BUYER, DEAL, EXPIRES_US, ORIGIN, Stagehand
from penstock.cli.demo.sold_work import COPY
from penstock.compute.detection import caught
from penstock.connect.inference.engine import Engine
from penstock.journal.kinds.compute import CreditsOffered
from penstock.keys import derive_seed
from penstock.usecases.anchor import anchor_checkpoint, sign_checkpoint
from penstock.usecases.anchor_rpc import AnchorChain, JsonRpc
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.challenge.commit import commit_on
from penstock.usecases.challenge.disclose import from_folder
from penstock.usecases.challenge.draw import draw_on
from penstock.usecases.challenge.evidence import Evidence
from penstock.usecases.challenge.judge import judge_on
from penstock.usecases.challenge.reexecute import reexecute
from penstock.usecases.challenge.verdict import CreditClass, found_again, slash, verdict_on, vote, watch
from penstock.usecases.checkout import buy, open_class
from penstock.usecases.votes import VoteJournal

LAYERS: Final = 4
ANSWERS, DRAWN = 24, 6
SOLD, PRICE_USDC_MICRO, COLLATERAL_USDC_MICRO = 40, 50_000, 75_000
CHALLENGERS: Final = ("attester-1", "attester-2")
VERDICT_S: Final = 30 * 86_400
EVIDENCE: Final = "evidence.json"


def challenge(hand: Stagehand) -> dict[str, Any]:
    """A false provider sells credits and answers with less; it is drawn, done again, judged, slashed."""
    return kept_figures(hand.settings.workspace / "market" / "liar.json", lambda: _challenged(hand))


def _challenged(hand: Stagehand) -> dict[str, Any]:
    with hand.bar("challenging a provider", 4) as step:
        of = _class_sold(hand)
        step(1)
        evidence = _evidence(hand)
        step(1)
        judge_on(hand.workspace, evidence, _secrets(hand), CHALLENGERS[0], hand.days[-1].stop_us)
        _verdict(hand, of, evidence)
        step(1)
        slash(hand.desk, of)
        before = int(hand.desk.view("Dollar", "balanceOf", hand.cast.chain_key(BUYER).address))
        hand.desk.act("refund:copy", "Credit", "refund", hand.cast.chain_key(BUYER).address, of.class_id)
        after = int(hand.desk.view("Dollar", "balanceOf", hand.cast.chain_key(BUYER).address))
        step(1)
    return {
        "provider": COPY,
        "layers": LAYERS,
        "answers": ANSWERS,
        "drawn": len(evidence.rows),
        "failed": len(evidence.failed),
        "tenth": caught(1_000, 100, 44),
        "credits": SOLD,
        "refunded_usdc_micro": (after - before) or SOLD * (PRICE_USDC_MICRO + COLLATERAL_USDC_MICRO),
        "collateral_usdc_micro": SOLD * COLLATERAL_USDC_MICRO,
        "class": f"{of.class_id:064x}",
        "evidence": f"market/{COPY}/{EVIDENCE}",
    }


def _class_sold(hand: Stagehand) -> CreditClass:
    """The provider's class of credits on chain, its collateral behind it, some sold; verdicts on it are taken."""
    key = hand.cast.chain_key(COPY)
    desk = ChainDesk(hand.workspace, hand.desk.client, key)
    for name in ("Dollar", "Credit", "Anchor"):
        desk.know(name, name, hand.desk.contract(name).address)
    terms = CreditsOffered(COPY, COPY, sold_work.MODEL, f"{COPY}/credits", 100, PRICE_USDC_MICRO, SOLD, EXPIRES_US)
    hand.desk.act("fund:copy", "Dollar", "mint", key.address, SOLD * COLLATERAL_USDC_MICRO)
    deal = hand.desk.contract(DEAL).address
    opened = open_class(desk, terms, deal, COLLATERAL_USDC_MICRO, mints=False)
    buy(hand.desk, "copy", opened, hand.cast.chain_key(BUYER), SOLD, hand.desk.client.head().at_s)
    of = CreditClass(hand.desk.contract("Credit").address, opened.class_id)
    watch(hand.desk, of, key.address)
    return of


def _secrets(hand: Stagehand) -> list[bytes]:
    return [derive_seed(hand.settings.seed, "challenge", name) for name in CHALLENGERS]


def _evidence(hand: Stagehand) -> Evidence:
    """Challengers commit, the provider answers and states, drawn rows are done again by the honest model; kept."""
    file, at_us = hand.settings.workspace / "market" / COPY / EVIDENCE, hand.days[-1].stop_us
    if file.exists():
        return Evidence.from_json(file.read_bytes())
    sold_work.enrol_one(hand, COPY, hand.cast.chain_key(COPY).address)
    for name, secret in zip(CHALLENGERS, _secrets(hand), strict=True):
        commit_on(hand.workspace, COPY, name, secret, 0, hand.days[-1].start_us)
    root = sold_work.serve_falsely(hand, _engine(layers=LAYERS), ANSWERS)
    work = draw_on(hand.workspace, COPY, root, _secrets(hand), DRAWN, at_us)
    shown = sold_work.disclose(hand, COPY, [row.payment_id for row in work.rows])
    evidence = reexecute(work, from_folder(shown), _engine())
    file.write_bytes(evidence.to_json())
    return evidence


def _engine(layers: int | None = None) -> Engine:
    from penstock.usecases.provider.load_engine import load_engine

    model = load_engine(f"{engine_file()}:MiniLm.load")
    return model if layers is None else type(model).load(layers=layers)  # type: ignore[attr-defined]


def _verdict(hand: Stagehand, of: CreditClass, evidence: Evidence) -> None:
    """Each attester does the failed rows again itself; the quorum's word reaches the anchor."""
    workspace = hand.workspace
    judged = workspace.read(lambda world: world.challenges.judged[-1])
    drawn = workspace.read(lambda world: world.challenges.work(COPY, judged.fact.work_root))
    columns = workspace.columns(next(workspace.facts(drawn.seq, drawn.seq + 1)))
    assert columns is not None  # noqa: S101 (it was drawn from)
    rows = found_again(judged, evidence, sold_work.MODEL, columns, _engine())
    verdict = workspace.read(lambda world: verdict_on(world, COPY, {judged.seq: rows}))
    at_us = hand.days[-1].stop_us
    checkpoint = sign_checkpoint(workspace, "checkpoint:challenge", ORIGIN, hand.cast.log_key, at_us)
    anchor_checkpoint(workspace, hand.desk, checkpoint, at_us)
    provider, now_s = hand.cast.chain_key(COPY).address, int(time.time())
    word = verdict, _expiry_s(hand, now_s), (checkpoint.size, checkpoint.root)
    for name in CHALLENGERS:
        with VoteJournal(hand.settings.workspace / "market" / f"{name}.votes") as votes:
            vote(AnchorChain(JsonRpc(hand.rpc)), of, provider, *word, hand.cast.chain_key(name), votes, now_s)


def _expiry_s(hand: Stagehand, now_s: int) -> int:
    """When the verdict's word expires [s]: the same for all who sign it, also after a stop."""
    file = hand.settings.workspace / "market" / COPY / "expiry"
    if not file.exists():
        file.write_text(str(now_s + VERDICT_S))
    return int(file.read_text())
