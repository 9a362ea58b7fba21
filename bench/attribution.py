"""Energy of a million batched requests shared out to the millijoule, against a plain Python loop and a flat rule."""

from __future__ import annotations

import numpy as np

from bench.batch_steps import BatchRun, batch_run
from bench.plain_share import plain_share
from bench.result import Result, is_small, race, seconds
from penstock.compute.attribution import Rule, share
from penstock.compute.batch_kernel import load_kernel
from penstock.compute.energy_fit import fit
from penstock.journal.segment import Column, Columns

REQUESTS = 1_000_000


def seen(run: BatchRun) -> tuple[Columns, Columns]:
    """What a server and a meter tell of a run: requests, and samples with the engine's steps counted in them."""
    told, meter = run.requests, run.samples
    requests = {
        "arrived_us": told.arrived_us,
        "started_us": told.started_us,
        "first_us": told.first_token_us,
        "done_us": told.done_us,
        "prompt_tokens": told.prompt_tokens,
        "output_tokens": told.output_tokens,
    }
    steps = np.histogram(run.steps.until_us, meter.at_us)[0].astype(np.int64)
    samples = {"start_us": meter.at_us[:-1], "stop_us": meter.at_us[1:], "meter_mj": np.diff(meter.energy_mj)}
    return requests, {**samples, "steps": steps}


def closer(run: BatchRun, shared_mj: Column) -> tuple[float, float, float]:
    """Mean absolute errors [mJ] of ours and of flat J/token, the better of all tokens and output tokens; their ratio.

    Flat gets the true sum of what requests caused, which it would not know.
    """
    truth, told = run.truth.request_mj, run.requests
    flat = [
        float(np.abs(tokens * (truth.sum() / tokens.sum()) - truth).mean())
        for tokens in (told.output_tokens, told.prompt_tokens + told.output_tokens)
    ]
    ours = float(np.abs(shared_mj - truth).mean())
    return ours, min(flat), min(flat) / ours


def repeated(columns: Columns, times: int, span_us: int) -> Columns:
    """The same run ``times`` over, one after the other."""
    rows = {name: len(column) for name, column in columns.items()}
    later = {name: np.repeat(np.arange(times) * span_us, rows[name]) for name in columns if name.endswith("_us")}
    return {name: np.tile(column, times) + later.get(name, 0) for name, column in columns.items()}


def run() -> Result:
    """Time both ways on equal results; measure the fitted rule against the frozen generator's truth."""
    drawn = batch_run()
    requests, samples = seen(drawn)
    fitted = fit(requests, samples, Rule())
    ours, flat, times_closer = closer(drawn, share(requests, samples, fitted.rule).request_mj)
    wanted = 20_000 if is_small() else REQUESTS
    times = -(-wanted // len(requests["arrived_us"]))
    span_us = int(samples["stop_us"][-1] - samples["start_us"][0])
    many, sampled = repeated(requests, times, span_us), repeated(samples, times, span_us)
    load_kernel()
    quick, plain = share(many, sampled, fitted.rule), plain_share(many, sampled, fitted.rule)
    if not (np.array_equal(quick.request_mj, plain.request_mj) and quick.parts_mj == plain.parts_mj):
        raise AssertionError("the plain loop shares otherwise")
    if quick.meter_mj != int(sampled["meter_mj"].sum()):
        raise AssertionError("shares and parts are not the meter")
    count = len(many["arrived_us"])
    timed = race(lambda: share(many, sampled, fitted.rule), lambda: plain_share(many, sampled, fitted.rule), 3)
    return Result(
        name="attribution",
        ours=count / float(np.median(timed.ours_s)),
        unit="requests/s",
        peer=count / float(np.median(timed.peer_s)),
        ratio=timed.ratio,
        peer_name="plain Python loop",
        notes=(
            timed.spread,
            f"{count:,} requests over {len(sampled['start_us']):,} samples of a meter, equal to the millijoule",
            f"mean absolute error {ours:,.0f} mJ a request of {drawn.truth.request_mj.mean():,.0f} mJ on average; flat "
            f"J/token {flat:,.0f} mJ: {times_closer:.1f} times closer to the frozen batch-step generator",
            f"weights fitted to the meter alone in {seconds(lambda: fit(requests, samples, Rule())):.2f} s: "
            f"{fitted.rule.parameters()}; they explain {fitted.explained:.1%} of the samples' variance",
        ),
    )
