"""How many environment steps per second does DQN train with on Pong, updates included?

The same for everybody: the game, a step of four frames, stacks of four 84 × 84 frames, up to 30
no-ops, rewards clipped; the network of Mnih et al. 2015 with one head of 512, as many parameters;
plain DQN with Adam; batches of 32; one update per 4 environment steps; a replay buffer of 10,000
transitions; ε at 0.02, where nearly all of a training run is spent. Everyone is warm: 2,000 steps
are in the buffer and 50 updates made before anything counts.

What differs is each one's own way, at its defaults:

* ours steps 8 games in one C++ environment, whose threads are as many as PyTorch's; Adam is fused;
  freed memory is kept (`ptan.common.memory`), as the command line does it.
  "fp32" computes like the others; "channels last" only orders memory otherwise; "fast" also
  computes in bfloat16.
* Stable-Baselines3 has its own wrappers, frame stack and buffer, and clips gradients. It may step 1
  game (its default, an update every 4 steps), or 8 in one process or in processes of their own (two
  updates every 8).
* The single file is `reference_dqn`: one game in Gymnasium's wrappers, a buffer of whole stacks.

Each takes 1 and 2 PyTorch threads, and its best way by the first rounds into those that count. Time
is wall time, whatever the clock of the other questions: threads are there to shorten that.
"""

import statistics
from functools import partial

from benchmarks.arena import Arena, Contestant, Finding, ratio
from benchmarks.pong_dqn import (
    GAMES,
    MODES,
    STEPS_PER_UPDATE,
    our_games,
    our_parts,
    our_updates,
    ours,
    single_file,
    stable_baselines3,
)

THREADS = (1, 2)
SCOUTED, TIMED = 400, 2_000  # environment steps of one slice
SCOUTS = 3  # rounds that choose each side's way
PARTS = ("environments", "updating", "rest")
PEERS_BOUND, SUM_BOUND = 2.0, 1.25

# Every way to train is a contestant: a side, its variant and its threads.

OURS = {mode: f"ours, {mode}" for mode in MODES}
SB3, SINGLE_FILE = "Stable-Baselines3", "single file"
SB3_GAMES = ("1 game", f"{GAMES} games", f"{GAMES} games in processes")
LIMITED = ("fp32", "fast")  # the modes whose time is looked into


def _sides() -> dict[str, dict[str, Contestant]]:
    """Each side's ways to train, by name: its fastest is what counts."""
    sides: dict[str, dict[str, Contestant]] = {
        side: {} for side in (*OURS.values(), SB3, SINGLE_FILE)
    }
    for count in THREADS:
        suffix = f", {_threads(count)}"
        for mode, name in OURS.items():
            sides[name][name + suffix] = Contestant("ours", partial(ours, mode, count), name)
        for games in SB3_GAMES:
            name = f"{SB3}, {games}"
            factory = partial(stable_baselines3, games, count)
            sides[SB3][name + suffix] = Contestant("peers", factory, name)
        sides[SINGLE_FILE][SINGLE_FILE + suffix] = Contestant(
            "ours", partial(single_file, count), SINGLE_FILE
        )
    return sides


def _limits() -> dict[str, Contestant]:
    """Parts of our training on their own, in the processes of the whole."""
    limits = {}
    for count in THREADS:
        limits[_games_alone(count)] = Contestant("ours", partial(our_games, count), OURS["fast"])
        for mode in LIMITED:
            for kind, factory in (("update", our_updates), ("parts", our_parts)):
                limits[f"{kind}, {mode}, {_threads(count)}"] = Contestant(
                    "ours", partial(factory, mode, count), OURS[mode]
                )
    return limits


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def _games_alone(threads: int) -> str:
    return f"environments alone, {_threads(threads)}"


SIDES = _sides()
TRAINING = {name: way for ways in SIDES.values() for name, way in ways.items()}
CONTESTANTS = TRAINING | _limits()


def run(repeats: int) -> list[Finding]:
    """Find each side's best way, then compare those, and look into where our time goes."""
    with Arena(__name__) as arena:
        scouted = arena.rounds(list(TRAINING), {"steps": SCOUTED}, min(repeats, SCOUTS))
        speed = {name: statistics.median(speeds) for name, speeds in scouted.items()}
        best = {side: max(ways, key=speed.__getitem__) for side, ways in SIDES.items()}
        findings = [
            Finding("training, first rounds", name, _steps_per_second(speeds))
            for name, speeds in scouted.items()
        ]
        threads = {mode: _threads_of(best[OURS[mode]]) for mode in LIMITED}
        limits = [_games_alone(count) for count in sorted(set(threads.values()))]
        limits += [f"update, {mode}, {_threads(threads[mode])}" for mode in LIMITED]
        figures = arena.rounds([*best.values(), *limits], {"steps": TIMED}, repeats)
        findings += _against_the_others(figures, best)
        for mode in LIMITED:
            findings += _against_the_limits(figures, best[OURS[mode]], mode, threads[mode])
            findings.append(_where_time_goes(arena, mode, threads[mode]))
        return findings


def _threads_of(name: str) -> int:
    return next(count for count in THREADS if name.endswith(_threads(count)))


def _steps_per_second(speeds: list[float]) -> str:
    return f"{statistics.median(speeds):.0f} ({min(speeds):.0f}–{max(speeds):.0f}) steps/s"


def _against_the_others(figures: dict[str, list[float]], best: dict[str, str]) -> list[Finding]:
    findings = [
        Finding("training", name, _steps_per_second(figures[name])) for name in best.values()
    ]
    rival = max((SB3, SINGLE_FILE), key=lambda side: statistics.median(figures[best[side]]))
    for mode, side in OURS.items():
        for other in (SB3, SINGLE_FILE):
            against = ratio(figures[best[side]], figures[best[other]])
            bounded = mode == "fast" and other == rival
            findings.append(
                Finding(
                    f"training / {other}",
                    mode,
                    str(against),
                    f"≥ {PEERS_BOUND}" if bounded else "",
                    against.median >= PEERS_BOUND if bounded else None,
                )
            )
    return findings


def _against_the_limits(
    figures: dict[str, list[float]], name: str, mode: str, threads: int
) -> list[Finding]:
    """A run's time against that of its environments and its updates, each alone."""
    games, updates = (
        figures[limit] for limit in (_games_alone(threads), f"update, {mode}, {_threads(threads)}")
    )
    whole = [STEPS_PER_UPDATE / speed for speed in figures[name]]
    least = [STEPS_PER_UPDATE / s + u for s, u in zip(games, updates, strict=True)]
    against = ratio(whole, least)
    case = f"{mode}, {_threads(threads)}"
    text = f"{against}, {_milliseconds(whole)} of {_milliseconds(least)} per update"
    holds = against.median <= SUM_BOUND
    return [
        Finding("environments alone", case, _steps_per_second(games)),
        Finding("update alone", case, _milliseconds(updates)),
        Finding("training / environments + update", case, text, f"≤ {SUM_BOUND}", holds),
    ]


def _milliseconds(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.1f} ms"


def _where_time_goes(arena: Arena, mode: str, threads: int) -> Finding:
    name = f"parts, {mode}, {_threads(threads)}"
    shares = {part: arena.ask(name, {"steps": TIMED, "part": part}) for part in PARTS}
    text = ", ".join(f"{part} {share:.0%}" for part, share in shares.items())
    return Finding("where the time goes", f"{mode}, {_threads(threads)}", text)
