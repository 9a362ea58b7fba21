"""What to buy, where and when: least cost under deadline, carbon and risk, compute and certificates in one plan.

A linear program (with whole lots a mixed-integer one), solved by HiGHS (J. Hall, Q. Huangfu: Parallelizing the dual
revised simplex method, 2018). Floats find the plan; what comes out is whole tokens and Wh, and `shortcomings` holds it
against every rule again in integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.agent.program import Program, solve
from penstock.errors import Invalid, Refused
from penstock.units import MJ_PER_WH

Ints = NDArray[np.int64]
WHOLE_BP: Final = 10_000
NO_LIMIT: Final = 2**62
FIGURE_MAX: Final = 10**15
NOISE_TOKENS: Final = 1e-2
"""What of the solver's tokens is no more than its tolerance: there nothing was meant to be bought."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """So many tokens by a deadline, from P providers in Z zones over H hours.

    ``price_usdc_micro_per_1k`` and ``capacity_tokens`` are [P, H]; ``energy_mj_per_1k``, ``zone``, ``arrived_bp`` (of
    what is bought so much arrives) and ``lot_tokens`` (whole lots alone; 0: any number) are [P]. Of zones [Z, H]:
    ``carbon_mg_per_kwh``, certificates' ``certificate_usdc_micro_per_mwh`` and ``certificate_wh`` on offer. A
    certificate covers energy of its own zone and hour. Carbon [ug] counts what is not covered.
    """

    demand_tokens: int
    price_usdc_micro_per_1k: Ints
    capacity_tokens: Ints
    energy_mj_per_1k: Ints
    zone: Ints
    lot_tokens: Ints
    arrived_bp: Ints
    carbon_mg_per_kwh: Ints
    certificate_usdc_micro_per_mwh: Ints
    certificate_wh: Ints
    deadline_hours: int
    share_max_bp: int = WHOLE_BP
    hour_usdc_micro: int = NO_LIMIT
    total_usdc_micro: int = NO_LIMIT
    carbon_max_ug: int = NO_LIMIT
    matched_min_bp: int = 0

    def __post_init__(self) -> None:
        providers, hours = self.price_usdc_micro_per_1k.shape
        zones = len(self.carbon_mg_per_kwh)
        shapes = (
            *(
                (column, (providers,))
                for column in (self.energy_mj_per_1k, self.zone, self.lot_tokens, self.arrived_bp)
            ),
            (self.capacity_tokens, (providers, hours)),
            *((table, (zones, hours)) for table in self._zones()),
        )
        if any(array.shape != shape for array, shape in shapes):
            raise Invalid("plan.shape", "Providers, zones and hours do not fit together.")
        if any(array.size and (array.min() < 0 or array.max() > FIGURE_MAX) for array, _ in shapes):
            raise Invalid("plan.figure", "Prices, capacities, energy and carbon are 0 or more, and below 10^15.")
        if self.price_usdc_micro_per_1k.size and self.price_usdc_micro_per_1k.min() < 0:
            raise Invalid("plan.figure", "A price is 0 or more.")
        if self.zone.size and self.zone.max() >= zones:
            raise Invalid("plan.zone", "A provider lies in a zone that is not there.")

    def _zones(self) -> tuple[Ints, Ints, Ints]:
        return self.carbon_mg_per_kwh, self.certificate_usdc_micro_per_mwh, self.certificate_wh


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What to buy: ``tokens`` [P, H] and ``certificates_wh`` [Z, H], with what both come to.

    No plan costs less than ``bound_usdc_micro``, by the solver's word, up to rounding of whole tokens.
    """

    tokens: Ints
    certificates_wh: Ints
    compute_usdc_micro: int
    certificates_usdc_micro: int
    energy_mj: int
    carbon_ug: int
    bound_usdc_micro: int

    @property
    def cost_usdc_micro(self) -> int:
        """Compute and certificates."""
        return self.compute_usdc_micro + self.certificates_usdc_micro


def make_plan(problem: Problem, limit_s: float = 10.0) -> Plan:
    """The cheapest plan that keeps every rule.

    Raises:
        Refused: ``plan.impossible``, naming the rules without which there would be one.
        Unavailable: ``plan.slow`` where the solver finds nothing in ``limit_s``.
    """
    if problem.demand_tokens == 0:
        return costed(problem, np.zeros_like(problem.capacity_tokens), np.zeros_like(problem.certificate_wh), 0)
    solved = solve(_program(problem), limit_s)
    if solved is None:
        raise Refused("plan.impossible", "No plan keeps every rule.", hint=_why(problem, limit_s))
    bound = max(0, int(np.floor(solved[1] + 1e-6)))
    plan = _whole(problem, solved[0], bound)
    if shortcomings(problem, plan) and (again := solve(_program(_stricter(problem)), limit_s)):
        plan = _whole(problem, again[0], bound)
    if found := shortcomings(problem, plan):
        raise Refused("plan.impossible", "No plan of whole tokens keeps every rule.", hint=" ".join(found))
    return plan


def _stricter(problem: Problem) -> Problem:
    """The problem with a ten-thousandth, or 1 Wh, kept back of each limit: what rounding to whole tokens may take."""
    return replace(
        problem,
        certificate_wh=np.maximum(0, problem.certificate_wh - 1),
        matched_min_bp=min(WHOLE_BP, problem.matched_min_bp + 1) if problem.matched_min_bp else 0,
        carbon_max_ug=_less(problem.carbon_max_ug),
        hour_usdc_micro=_less(problem.hour_usdc_micro),
        total_usdc_micro=_less(problem.total_usdc_micro),
    )


def _less(limit: int) -> int:
    return limit if limit >= NO_LIMIT else limit * (WHOLE_BP - 1) // WHOLE_BP


def _whole(problem: Problem, values: NDArray[np.float64], bound: int) -> Plan:
    tokens = _whole_tokens(problem, values[: problem.capacity_tokens.size])
    certificates = _whole_certificates(problem, tokens, values[problem.capacity_tokens.size :])
    return costed(problem, tokens, certificates, bound)


def costed(problem: Problem, tokens: Ints, certificates_wh: Ints, bound: int) -> Plan:
    """The plan with its sums in whole units: costs and energy up, carbon as the energy not covered emits."""
    compute = int((-(-tokens * problem.price_usdc_micro_per_1k // 1_000)).sum())
    paid = -(-certificates_wh * problem.certificate_usdc_micro_per_mwh // 10**6)
    used_mj = energy_mj(problem, tokens)
    bare_mj = np.maximum(0, used_mj - certificates_wh * MJ_PER_WH)
    carbon = sum(int(mj) * int(mg) for mj, mg in zip(bare_mj.flat, problem.carbon_mg_per_kwh.flat, strict=True))
    return Plan(tokens, certificates_wh, compute, int(paid.sum()), int(used_mj.sum()), -(-carbon // MJ_PER_WH), bound)


def energy_mj(problem: Problem, tokens: Ints) -> Ints:
    """What the answers of a plan draw by zone and hour [mJ], rounded up for each provider and hour."""
    used = -(-tokens * problem.energy_mj_per_1k[:, None] // 1_000)
    by_zone = np.zeros_like(problem.certificate_wh)
    np.add.at(by_zone, problem.zone, used)
    return by_zone


def shortcomings(problem: Problem, plan: Plan) -> list[str]:
    """Every rule that the plan breaks, in integers, with no solver; none where it keeps all."""
    tokens, certificates = plan.tokens, plan.certificates_wh
    cost = -(-tokens * problem.price_usdc_micro_per_1k // 1_000)
    paid = -(-certificates * problem.certificate_usdc_micro_per_mwh // 10**6)
    arrived = tokens.sum(axis=1) * problem.arrived_bp
    used, lots = energy_mj(problem, tokens), np.maximum(1, problem.lot_tokens)[:, None]
    rules = {
        "demand: too few tokens arrive.": int(arrived.sum()) >= problem.demand_tokens * WHOLE_BP,
        "capacity: a provider has less.": bool(((tokens >= 0) & (tokens <= problem.capacity_tokens)).all()),
        "deadline: something comes after it.": not tokens[:, problem.deadline_hours :].any(),
        "lots: a lot is cut.": not (tokens % lots).any(),
        "share: one provider has too much.": int(arrived.max(initial=0)) <= _share(problem) + _lot_slack(problem),
        "hour: an hour costs too much.": int((cost.sum(axis=0) + paid.sum(axis=0)).max(initial=0))
        <= problem.hour_usdc_micro,
        "total: it costs too much.": plan.cost_usdc_micro <= problem.total_usdc_micro,
        "certificates: more than are on offer.": bool(
            ((certificates >= 0) & (certificates <= problem.certificate_wh)).all()
        ),
        "certificates: more than was drawn there and then.": bool((certificates <= -(-used // MJ_PER_WH)).all()),
        "matched: too little is covered.": _covered_bp_ok(problem, used, certificates),
        "carbon: too much.": plan.carbon_ug <= problem.carbon_max_ug,
    }
    return [rule for rule, kept in rules.items() if not kept]


def _covered_bp_ok(problem: Problem, used_mj: Ints, certificates_wh: Ints) -> bool:
    covered = np.minimum(used_mj, certificates_wh * MJ_PER_WH)
    return int(covered.sum()) * WHOLE_BP >= int(used_mj.sum()) * problem.matched_min_bp


def _share(problem: Problem) -> int:
    """Most of what one provider may bring, in ten-thousandths of a token."""
    return problem.demand_tokens * problem.share_max_bp


def _lot_slack(problem: Problem) -> int:
    """Rounding up to whole tokens may bring a provider one token an hour above its share."""
    return WHOLE_BP * problem.deadline_hours if problem.share_max_bp < WHOLE_BP else NO_LIMIT


def _program(problem: Problem) -> Program:
    """Columns: tokens (thousands, or lots) of each provider and hour; then certificates of each zone and hour [Wh]."""
    providers, hours = problem.capacity_tokens.shape
    slots, places = providers * hours, problem.certificate_wh.size
    unit = np.where(problem.lot_tokens > 0, problem.lot_tokens, 1_000)
    open_hours = np.arange(hours) < problem.deadline_hours
    top = np.where(open_hours, problem.capacity_tokens, 0)
    top = np.where(problem.lot_tokens[:, None] > 0, top // unit[:, None], top / unit[:, None])
    cost = np.ceil(problem.price_usdc_micro_per_1k * unit[:, None] / 1_000)
    kilowatt_free = problem.energy_mj_per_1k * unit / 1_000 / MJ_PER_WH
    made = Program.of(
        cost=np.concatenate([cost.ravel(), problem.certificate_usdc_micro_per_mwh.ravel() / 10**6]),
        top=np.concatenate([top.ravel(), np.where(open_hours, problem.certificate_wh, 0).ravel()]),
        whole=np.concatenate([np.repeat(problem.lot_tokens > 0, hours), np.zeros(places, np.bool_)]),
    )
    provider, hour = np.divmod(np.arange(slots), hours)
    place = problem.zone[provider] * hours + hour
    arrives = (unit * problem.arrived_bp / WHOLE_BP)[provider]
    energy, slot, spot = kilowatt_free[provider], np.arange(slots), slots + np.arange(places)
    dust = _dust(problem)
    made.row([(slot, arrives)], low=float(problem.demand_tokens))
    if problem.share_max_bp < WHOLE_BP:
        made.rows(provider, slot, arrives, providers, high=_share(problem) / WHOLE_BP)
    if problem.hour_usdc_micro < NO_LIMIT:
        lines = np.concatenate([hour, np.arange(places) % hours])
        high = problem.hour_usdc_micro - dust * (providers + len(problem.certificate_wh))
        made.rows(lines, np.concatenate([slot, spot]), made.cost, hours, high=float(high))
    if problem.total_usdc_micro < NO_LIMIT:
        used = slots * (dust > 0) + places
        made.row(
            [(slot, made.cost[:slots]), (spot, made.cost[slots:])], high=float(problem.total_usdc_micro - dust * used)
        )
    _energy_rows(problem, made, slot, spot, place, energy)
    return made


def _energy_rows(
    problem: Problem, made: Program, slot: Ints, spot: Ints, place: Ints, energy: NDArray[np.float64]
) -> None:
    """Certificates cover no more than is drawn in their zone and hour; so much is covered; carbon of the rest."""
    if not problem.certificate_wh.any() and not problem.matched_min_bp and problem.carbon_max_ug >= NO_LIMIT:
        return
    lines = np.concatenate([place, np.arange(spot.size)])
    both = np.concatenate([slot, spot])
    made.rows(lines, both, np.concatenate([energy, np.full(spot.size, -1.0)]), spot.size, low=0.0)
    if problem.matched_min_bp:
        share = problem.matched_min_bp / WHOLE_BP
        made.row([(slot, -energy * share), (spot, np.ones(spot.size))], low=0.0)
    if problem.carbon_max_ug < NO_LIMIT:
        emits = problem.carbon_mg_per_kwh.ravel().astype(np.float64)  # mg/kWh is ug/Wh
        made.row([(slot, energy * emits[place]), (spot, -emits)], high=float(problem.carbon_max_ug))


def _dust(problem: Problem) -> int:
    """Micro-dollars that rounding up may add to a slot; none where all is sold in lots of a whole price."""
    return int((problem.lot_tokens == 0).any() or problem.certificate_wh.any())


def _whole_tokens(problem: Problem, values: NDArray[np.float64]) -> Ints:
    """Whole tokens of the solver's floats: down where it was near, up where that is needed to have enough."""
    lots = problem.lot_tokens[:, None]
    raw = values.reshape(problem.capacity_tokens.shape) * np.where(lots > 0, lots, 1_000)
    counted = np.where(lots > 0, np.rint(raw / np.maximum(1, lots)) * lots, np.floor(raw + 1e-6)).astype(np.int64)
    tokens = np.clip(counted, 0, problem.capacity_tokens)
    return _topped_up(problem, tokens, raw)


def _topped_up(problem: Problem, tokens: Ints, raw: NDArray[np.float64]) -> Ints:
    """One token more in slots in use, the cheapest first, until enough arrives."""
    short = problem.demand_tokens * WHOLE_BP - int((tokens.sum(axis=1) * problem.arrived_bp).sum())
    divisible = (problem.lot_tokens == 0)[:, None]
    able = np.flatnonzero(((raw > NOISE_TOKENS) & divisible & (tokens < problem.capacity_tokens)).ravel())
    if short <= 0 or not able.size:
        return tokens
    order = able[np.argsort(problem.price_usdc_micro_per_1k.ravel()[able], kind="stable")]
    brings = np.broadcast_to(problem.arrived_bp[:, None], tokens.shape).ravel()[order]
    spare = (problem.capacity_tokens - tokens).ravel()[order]
    first = np.minimum(1, spare)
    more = np.where(np.cumsum(brings * first) - brings * first < short, first, 0)
    left = short - int((more * brings).sum())
    if left > 0 and brings[0]:  # so few slots that one token each is not enough
        more[0] += min(int(spare[0]) - int(more[0]), -(-left // int(brings[0])))
    topped = tokens.ravel().copy()
    topped[order] += more
    return topped.reshape(tokens.shape)


def _whole_certificates(problem: Problem, tokens: Ints, values: NDArray[np.float64]) -> Ints:
    """Whole Wh, up, where the zone drew any: what little more that covers is ours. All, where all must be covered."""
    drawn_wh = -(-energy_mj(problem, tokens) // MJ_PER_WH)
    up = np.ceil(values.reshape(problem.certificate_wh.shape) - 1e-6).astype(np.int64)
    up = drawn_wh if problem.matched_min_bp == WHOLE_BP else up
    return np.clip(up, 0, np.minimum(drawn_wh, problem.certificate_wh))


def _why(problem: Problem, limit_s: float) -> str:
    """The rules, each of which alone stands in the way; or that several do."""
    if int((problem.capacity_tokens[:, : problem.deadline_hours].sum(axis=1) * problem.arrived_bp).sum()) < (
        problem.demand_tokens * WHOLE_BP
    ):
        return "There is less capacity before the deadline than is asked for."
    easier = {
        "the total budget": replace(problem, total_usdc_micro=NO_LIMIT),
        "the hourly budget": replace(problem, hour_usdc_micro=NO_LIMIT),
        "the carbon limit": replace(problem, carbon_max_ug=NO_LIMIT),
        "the share to be matched": replace(problem, matched_min_bp=0),
        "the share of one provider": replace(problem, share_max_bp=WHOLE_BP),
    }
    found = [name for name, one in easier.items() if solve(_program(one), limit_s) is not None]
    return f"There is one without {' or '.join(found)}." if found else "Several rules together leave none."
