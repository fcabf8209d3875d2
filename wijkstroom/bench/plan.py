"""How long a plan takes and how near its bound it is; and FlexMeasures on the same problem."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.check import check_plan
from optimizer.evaluate import Powers, build_plan
from optimizer.plan import Plan, PlanStatus, Proof, Stop
from optimizer.planner import plan, warm_up
from optimizer.problem import Problem
from optimizer.replan import Replanner
from wijkstroom.bench.frame import Figure, at_least, at_most, unmeasured
from wijkstroom.bench.peers import Peer, PeerError
from wijkstroom.bench.sites import make_site, perturb, shift

SIZES = (1, 5, 20, 50, 100)
SITES = 7
# Other work on the machine only ever adds time: each plan is made so often, and the fastest counts.
REPEATS = 3
OF_SITES = f"median of {SITES} synthetic sites, fastest of {REPEATS} each"
COLD = f"{OF_SITES}, a new solver in a warm process, checker included"
HOT = f"{OF_SITES}, base load and energies changed since the last plan"
SHIFTED = f"{OF_SITES}, horizon one step later than the last plan"
WORST_GAP = f"worst of {3 * SITES} plans, against the proven bound"
# Reference, section 3.
COLD_TARGET_MS = {20: 60.0, 100: 500.0}
HOT_TARGET_MS = {20: 20.0}
GAP_TARGET = {20: 0.001, 100: 0.0005}
DEFAULT_GAP = 0.001
LARGEST_SHIFTED_TO_HOT = 1.5

FLEXMEASURES = Peer("flexmeasures", ("flexmeasures==1.0.1",), "flexmeasures_schedule.py")
PEER_CARS, PEER_SITES = 20, 5
PEER_DEADLINE_S = 600.0
# Where dives end; binaries would prove a thousandth more in a second.
PEER_GAP = 0.002
RATIO_TARGET = 100.0
DIFFERENCE_TARGET = 0.0005


def measure() -> list[Figure]:
    """Measure all sizes, then the peer."""
    warm_up()
    figures = [figure for cars in SIZES for figure in measure_size(cars)]
    return [*figures, *measure_peer()]


def measure_size(cars: int, sites: int = SITES) -> list[Figure]:
    """Plan sites of one size cold, hot and shifted.

    Parameters
    ----------
    cars
        Sessions in each site.
    sites
        How many are planned.
    """
    target_gap = GAP_TARGET.get(cars, DEFAULT_GAP)
    cold: list[Plan] = []
    hot: list[Plan] = []
    shifted: list[Plan] = []
    for seed in range(sites):
        _progress(f"{cars} cars, site {seed + 1} of {sites}")
        first = make_site(cars, seed, gap=target_gap)
        again = perturb(first)
        rounds = [_three_plans(first, again, shift(again)) for _ in range(REPEATS)]
        for answers, repeated in zip((cold, hot, shifted), zip(*rounds, strict=True), strict=True):
            answers.append(min(repeated, key=lambda answer: answer.solve_seconds))
    gap = max(np.inf if answer.gap is None else answer.gap for answer in (*cold, *hot, *shifted))
    hot_ms = _median_ms(hot)
    return [
        _time(f"plan_{cars}_cold_ms", _median_ms(cold), COLD_TARGET_MS.get(cars), COLD + _range_ms(cold)),
        _time(f"plan_{cars}_hot_ms", hot_ms, HOT_TARGET_MS.get(cars), HOT + _range_ms(hot)),
        _time(
            f"plan_{cars}_shifted_ms",
            _median_ms(shifted),
            _shifted_target(cars, hot_ms),
            SHIFTED + _range_ms(shifted),
        ),
        at_most(f"plan_{cars}_gap", gap, "fraction", target_gap, WORST_GAP),
    ]


def _three_plans(first: Problem, again: Problem, later: Problem) -> tuple[Plan, Plan, Plan]:
    replanner = Replanner()
    cold = replanner.plan(first)
    return cold, replanner.plan(again), replanner.plan(later)


def _shifted_target(cars: int, hot_ms: float) -> float | None:
    return round(LARGEST_SHIFTED_TO_HOT * hot_ms, 3) if cars in HOT_TARGET_MS else None


def _median_ms(plans: Iterable[Plan]) -> float:
    return 1e3 * statistics.median(answer.solve_seconds for answer in plans)


def _range_ms(plans: Sequence[Plan]) -> str:
    """Say how far apart the sites are: those that need binaries are far slower than the median."""
    times = [1e3 * answer.solve_seconds for answer in plans]
    return f"; from {min(times):.3g} to {max(times):.3g} ms"


def _time(name: str, value_ms: float, target_ms: float | None, reference: str) -> Figure:
    if target_ms is None:
        return Figure(name, round(value_ms, 3), "ms", None, None, reference)
    return at_most(name, value_ms, "ms", target_ms, reference)


def measure_peer(peer: Peer = FLEXMEASURES) -> list[Figure]:
    """Let FlexMeasures and us plan the same sites, and compare time and cost by the same arithmetic."""
    names = (f"ratio_flexmeasures_{PEER_CARS}", f"objective_difference_flexmeasures_{PEER_CARS}")
    try:
        duels = [_duel(peer, seed) for seed in range(PEER_SITES)]
    except PeerError as error:
        reason = f"{peer.label}: {error}"
        return [
            unmeasured(names[0], "1", f">= {RATIO_TARGET:g}", reason),
            unmeasured(names[1], "fraction", f"<= {DIFFERENCE_TARGET:g}", reason),
        ]
    theirs, ours = ([getattr(duel, name) for duel in duels] for name in ("their_s", "our_s"))
    reference = (
        f"median of {PEER_SITES} sites with minimum power and one direction at a time, fastest of {REPEATS} "
        f"each; {peer.label}, default backend, model and solve {_range(theirs)} s; ours cold with checker, "
        f"wanted gap {PEER_GAP:g}, {_range(ours)} s"
    )
    differences = [abs(duel.our_eur - duel.their_eur) / abs(duel.their_eur) for duel in duels]
    worst = f"{reference}; worst difference {max(differences):.5f}, {sum(duel.findings for duel in duels)} "
    return [
        at_least(
            names[0], statistics.median(d.their_s / d.our_s for d in duels), "1", RATIO_TARGET, reference
        ),
        at_most(
            names[1],
            statistics.median(differences),
            "fraction",
            DIFFERENCE_TARGET,
            f"{worst}findings of our checker in its plans",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Duel:
    """The same site planned by a peer and by us."""

    their_s: float
    our_s: float
    their_eur: float
    our_eur: float
    findings: int


def _duel(peer: Peer, seed: int) -> _Duel:
    problem = make_site(PEER_CARS, seed, gap=PEER_GAP, peer=True)
    _progress(f"{peer.label} on site {seed + 1} of {PEER_SITES} (first its environment is made)")
    question = {"problem": problem.model_dump(mode="json"), "repeats": REPEATS}
    answer = peer.run(question, deadline_s=PEER_DEADLINE_S)
    theirs = read_peer_plan(problem, answer["power_kw"])
    ours = [plan(problem) for _ in range(REPEATS)]
    return _Duel(
        their_s=min(answer["seconds"]),
        our_s=min(each.solve_seconds for each in ours),
        their_eur=theirs.objective_eur,
        our_eur=ours[0].objective_eur,
        findings=len(check_plan(problem, theirs)),
    )


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}"


def read_peer_plan(problem: Problem, power_kw: dict[str, list[float]]) -> Plan:
    """Cost a peer's powers as we cost our own."""
    power = np.array([power_kw[ev.id] for ev in problem.evs]).reshape(len(problem.evs), problem.steps)
    powers = Powers(np.maximum(power, 0.0), np.maximum(-power, 0.0), np.zeros(problem.steps))
    return build_plan(problem, powers, PlanStatus(proof=Proof.FEASIBLE, stop=Stop.SEARCH_ENDED))


def _progress(text: str) -> None:
    sys.stderr.write(f"bench plan: {text}\n")
