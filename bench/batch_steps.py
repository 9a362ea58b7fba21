"""A machine that answers in batches, told step by step: the yardstick of attribution, frozen before any method.

Continuous batching: every step decodes one token for each running request and fills the rest of its token budget with
chunks of waiting prompts, so the running set changes from step to step. A step's time grows with its tokens, with the
context it reads and with the square of the prompt; its power is a saturating function of batch and phase. The truth
is the step's own marginal rule: each request bears what the step would not have taken without it, and what no single
request causes (weights read once for all) is borne in equal parts by those present. The meter sees none of this: it
sees the board's energy at its own instants, with noise.

Nobody may fit a method to the constants below: a method reads `requests`, `steps` and `samples`, and is judged by
`truth`. The orders of magnitude (one accelerator of 2023, a model of 8 billion weights) are plain arithmetic on
published widths: memory of 3.35 TB/s, 128 KiB of context a token, some 400 useful TFLOP/s.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

IDLE_W = 95.0
FIXED_US = 6_300.0  # one pass over the weights, and the host's share of a step
SEQUENCE_US = 46.0  # a decoding request, whatever its context
CONTEXT_US = 0.040  # a token of context, read once a step
PREFILL_US = 41.0  # a token of a prompt
ATTENTION_US = 0.0031  # a pair (token of the chunk, token before it)
DECODE_FLOOR_W, DECODE_SPAN_W, DECODE_KNEE = 425.0, 270.0, 70.0  # by requests in the batch
PREFILL_FLOOR_W, PREFILL_SPAN_W, PREFILL_KNEE = 515.0, 180.0, 260.0  # by tokens of the chunk
WARM_GAIN, WARM_S = 0.03, 300.0  # a warm board leaks more


@dataclass(frozen=True, slots=True)
class Settings:
    """What is drawn: a seed, how long [s], how many requests [1/s], the meter's pace [us] and noise [1, relative]."""

    seed: int = 7
    seconds: int = 1_200
    requests_per_s: float = 6.0
    meter_us: int = 250_000
    noise: float = 0.01
    batch_limit: int = 256
    step_tokens: int = 2_048


@dataclass(frozen=True, slots=True)
class Requests:
    """What a server tells of each request: instants [us] and tokens."""

    arrived_us: I64
    started_us: I64
    first_token_us: I64
    done_us: I64
    prompt_tokens: I64
    output_tokens: I64


@dataclass(frozen=True, slots=True)
class Steps:
    """What a server's counters tell of each step: its span [us], prompt tokens, requests decoding, requests present."""

    from_us: I64
    until_us: I64
    prefill_tokens: I64
    decode_tokens: I64
    running: I64


@dataclass(frozen=True, slots=True)
class Samples:
    """The meter: an energy counter [mJ] read at instants [us]."""

    at_us: I64
    energy_mj: I64


@dataclass(frozen=True, slots=True)
class Truth:
    """What each request caused [mJ], and what the board drew with nobody on it [mJ]."""

    request_mj: F64
    idle_mj: float


@dataclass(frozen=True, slots=True)
class BatchRun:
    """One drawn run: what can be seen, and the truth a method is judged by."""

    requests: Requests
    steps: Steps
    samples: Samples
    truth: Truth


def batch_run(settings: Settings | None = None) -> BatchRun:
    """The run of these settings: the same settings give the same run, bit for bit."""
    drawn = settings or Settings()
    rng = np.random.default_rng(drawn.seed)
    machine = _Machine(drawn, *_asked(drawn, rng))
    machine.run()
    return BatchRun(machine.requests(), machine.steps(), _metered(machine, drawn, rng), machine.truth())


def _asked(settings: Settings, rng: np.random.Generator) -> tuple[I64, I64, I64]:
    """Arrivals [us] (quiet and busy stretches), prompts and outputs [tokens] (talk; one in eight a document)."""
    seconds = np.arange(settings.seconds)
    slow = 1.0 + 0.95 * np.sin(2 * np.pi * (seconds / 400.0 + rng.random()))
    burst = np.repeat(rng.lognormal(-0.18, 0.6, settings.seconds // 10 + 1), 10)[: settings.seconds]
    counts = rng.poisson(settings.requests_per_s * slow * burst)
    arrived = np.sort(np.repeat(seconds, counts) * 1_000_000 + rng.integers(0, 1_000_000, counts.sum()))
    document = rng.random(arrived.size) < 0.125
    prompt = np.where(document, rng.lognormal(8.1, 0.5, arrived.size), rng.lognormal(5.9, 0.9, arrived.size))
    output = np.where(document, rng.lognormal(4.4, 0.7, arrived.size), rng.lognormal(5.0, 0.8, arrived.size))
    return arrived, prompt.astype(np.int64).clip(8, 16_000), output.astype(np.int64).clip(2, 2_000)


def step_us(decoding: F64, context: F64, prefill: F64, pairs: F64) -> F64:
    """How long a step of this content takes [us]; one of no content does not happen."""
    took = FIXED_US + _decode_us(decoding, context) + PREFILL_US * prefill + ATTENTION_US * pairs
    return np.where(decoding + prefill > 0, took, 0.0)


def step_w(decoding: F64, context: F64, prefill: F64, pairs: F64) -> F64:
    """What the board draws in a step of this content [W]: its phases' draws, by the time each takes."""
    decode_us = FIXED_US + _decode_us(decoding, context)
    prefill_us = PREFILL_US * prefill + ATTENTION_US * pairs
    decode_w = DECODE_FLOOR_W + DECODE_SPAN_W * -np.expm1(-decoding / DECODE_KNEE)
    prefill_w = PREFILL_FLOOR_W + PREFILL_SPAN_W * -np.expm1(-prefill / PREFILL_KNEE)
    return np.asarray((decode_us * decode_w + prefill_us * prefill_w) / (decode_us + prefill_us))


def step_mj(decoding: F64, context: F64, prefill: F64, pairs: F64) -> F64:
    """The energy of a step of this content on a cold board [mJ]."""
    content = (decoding, context, prefill, pairs)
    return step_us(*content) * step_w(*content) / 1_000.0


def warmth(at_us: F64) -> F64:
    """How much more the board draws, warm [1]."""
    return np.asarray(1.0 + WARM_GAIN * -np.expm1(-at_us / (WARM_S * 1e6)))


def _decode_us(decoding: F64, context: F64) -> F64:
    return SEQUENCE_US * decoding + CONTEXT_US * context


def marginal_mj(context: F64, prefill: F64, pairs: F64) -> F64:
    """A step's energy by member [mJ each]: what it would not have taken without each, the rest in equal parts.

    A member decodes (context > 0, prefill 0) or fills (context 0, prefill > 0).
    """
    decoding = (prefill == 0).astype(np.float64)
    whole = np.array([decoding.sum(), context.sum(), prefill.sum(), pairs.sum()])
    total = step_mj(*(whole[:, np.newaxis]))[0]
    without = step_mj(whole[0] - decoding, whole[1] - context, whole[2] - prefill, whole[3] - pairs)
    own = total - without
    return np.asarray(own + (total - own.sum()) / context.size)


@dataclass(slots=True)
class _Machine:
    """The machine as it runs: a queue, the prompts being filled, the requests decoding."""

    settings: Settings
    arrived_us: I64
    prompt: I64
    output: I64
    now_us: int = 0
    next_one: int = 0
    queue: deque[int] = field(default_factory=deque)
    decoding: list[int] = field(default_factory=list)
    rows: list[tuple[int, int, int, int, int, float]] = field(default_factory=list)
    filled: I64 = field(init=False)
    made: I64 = field(init=False)
    instants: I64 = field(init=False)
    request_mj: F64 = field(init=False)

    def __post_init__(self) -> None:
        self.filled, self.made = np.zeros_like(self.prompt), np.zeros_like(self.prompt)
        self.instants = np.full((3, self.prompt.size), -1, dtype=np.int64)  # started, first token, done
        self.request_mj = np.zeros(self.prompt.size)

    def run(self) -> None:
        """Step after step, until the last request is answered; with nobody there, wait for the next arrival."""
        while self.next_one < self.prompt.size or self.queue or self.decoding:
            self._arrivals()
            if not self.queue and not self.decoding:
                self.now_us = int(self.arrived_us[self.next_one])
                continue
            self._step()

    def _arrivals(self) -> None:
        while self.next_one < self.prompt.size and self.arrived_us[self.next_one] <= self.now_us:
            self.queue.append(self.next_one)
            self.next_one += 1

    def _chunks(self) -> list[tuple[int, int]]:
        """Which prompts this step fills, and by how many tokens: first come, first filled."""
        budget = self.settings.step_tokens - len(self.decoding)
        chunks: list[tuple[int, int]] = []
        for one in self.queue:
            if budget <= 0 or len(self.decoding) + len(chunks) >= self.settings.batch_limit:
                break
            chunk = min(budget, int(self.prompt[one] - self.filled[one]))
            chunks.append((one, chunk))
            budget -= chunk
        return chunks

    def _step(self) -> None:
        chunks = self._chunks()
        members = np.array(self.decoding + [one for one, _ in chunks], dtype=np.int64)
        prefill = np.array([0] * len(self.decoding) + [chunk for _, chunk in chunks], dtype=np.float64)
        before = self.filled[members].astype(np.float64)
        context = np.where(prefill == 0, before + self.made[members], 0.0)
        each_mj = marginal_mj(context, prefill, prefill * (before + prefill / 2))
        each_mj *= warmth(np.asarray(float(self.now_us)))
        pairs = float((prefill * (before + prefill / 2)).sum())
        took = step_us(*(np.array([len(self.decoding), context.sum(), prefill.sum(), pairs])[:, np.newaxis]))[0]
        until_us = self.now_us + round(took)
        self.request_mj[members] += each_mj
        tokens = (int(prefill.sum()), len(self.decoding), members.size)
        self.rows.append((self.now_us, until_us, *tokens, float(each_mj.sum())))
        self._after(chunks, until_us)

    def _after(self, chunks: list[tuple[int, int]], until_us: int) -> None:
        """Tokens made, prompts filled (a filled prompt gives its first token), answered requests gone."""
        decoded = np.array(self.decoding, dtype=np.int64)
        self.made[decoded] += 1
        for one, chunk in chunks:
            self._fill(one, chunk, until_us)
        running = np.array(self.decoding, dtype=np.int64)
        over = self.made[running] >= self.output[running]
        self.instants[2, running[over]] = until_us
        self.decoding = running[~over].tolist()
        self.now_us = until_us

    def _fill(self, one: int, chunk: int, until_us: int) -> None:
        if self.filled[one] == 0:
            self.instants[0, one] = self.now_us
        self.filled[one] += chunk
        if self.filled[one] == self.prompt[one]:
            self.queue.remove(one)
            self.instants[1, one], self.made[one] = until_us, 1
            self.decoding.append(one)

    def requests(self) -> Requests:
        """What the server tells of its requests."""
        started, first, done = self.instants
        return Requests(self.arrived_us, started, first, done, self.prompt, self.output)

    def steps(self) -> Steps:
        """What the counters tell of its steps."""
        columns = np.array([row[:5] for row in self.rows], dtype=np.int64).T
        return Steps(*columns)

    def spans(self) -> tuple[F64, F64]:
        """The board's energy as a curve of corners: instants [us] and energy since the start [mJ]."""
        at, energy = [0.0], [0.0]
        for from_us, until_us, *_, drawn_mj in self.rows:
            if from_us > at[-1]:
                idle_mj = IDLE_W * (from_us - at[-1]) / 1_000.0
                at.append(float(from_us))
                energy.append(energy[-1] + idle_mj)
            at.append(float(until_us))
            energy.append(energy[-1] + drawn_mj)
        return np.array(at), np.array(energy)

    def truth(self) -> Truth:
        """What each request caused, and the rest: the board alone."""
        total = self.spans()[1][-1]
        return Truth(self.request_mj, float(total - self.request_mj.sum()))


def _metered(machine: _Machine, settings: Settings, rng: np.random.Generator) -> Samples:
    """The counter at the meter's instants: each interval's energy with its own noise, whole mJ, never falling."""
    corners_us, corners_mj = machine.spans()
    last = int(np.ceil(corners_us[-1] / settings.meter_us)) + 1
    at = np.arange(last + 1, dtype=np.int64) * settings.meter_us
    after = corners_mj[-1] + IDLE_W * np.maximum(at - corners_us[-1], 0.0) / 1_000.0
    true = np.where(at <= corners_us[-1], np.interp(at, corners_us, corners_mj), after)
    drawn = np.diff(true) * np.clip(1.0 + settings.noise * rng.standard_normal(last), 0.0, None)
    return Samples(at, np.concatenate(([0], np.rint(np.cumsum(drawn)).astype(np.int64))))
