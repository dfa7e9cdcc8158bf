"""Checks for experience sources: episode ends, window by window."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice, pairwise, product
from typing import Any, NamedTuple, TypeAlias

from ptan.conformance.findings import different, guarded, report
from ptan.conformance.scripted import (
    ENDS,
    MODES,
    Episode,
    Place,
    ScriptedAgent,
    ScriptedEnv,
    action_at,
    decode,
    drive,
    reward_of,
)

Plans: TypeAlias = tuple[tuple[Episode, ...], ...]
Row: TypeAlias = Any
Source: TypeAlias = Iterable[Any]
E, CUT = Episode, "truncated"
PLANS: Plans = (
    (E(5), E(3, CUT), E(1), E(6, CUT), E(2, CUT), E(4, "both"), E(7, lost=(3,))),
    (E(4, CUT), E(8, lost=(2, 5)), E(1, CUT), E(3)),
    (E(2), E(9, CUT, lost=(4,)), E(5, CUT)),
)
"""Ends of all kinds after episodes shorter than, as long as and longer than usual windows."""

FORMS = ("single", "list", *MODES, *(f"async_{mode}" for mode in MODES))
STATES = ("state", "last_state", "final_state")
ITEMS_PER_ENV = 60
EPISODES = 80  # per environment, more than so many items can hold
MAX_CALLS = 5_000


class Window(NamedTuple):
    """What a row must say that starts at a place."""

    start: Place
    steps: int
    reward: float
    terminated: bool
    truncated: bool
    how: str


@dataclass(frozen=True)
class Case:
    """What a source is made with, and over which environments."""

    form: str
    plans: Plans
    gamma: float
    steps_count: int
    steps_delta: int
    env_seed: int | None = None
    truncation: str = "bootstrap"
    reuse: bool = False  # one array for all observations of an environment

    @property
    def windows(self) -> dict[Place, Window]:
        """What its rows must say, by their starts."""
        return windows_of(self.plans, self.steps_count, self.steps_delta, self.gamma)

    @property
    def steps(self) -> dict[Place, Window]:
        """The same for windows of one step."""
        return windows_of(self.plans, 1, 1, self.gamma)


def check_source(
    make_source: Callable[..., Source],
    *,
    forms: Sequence[str] = ("single", "list", *MODES),
    steps_counts: Sequence[int] = (1, 2, 4),
    steps_deltas: Sequence[int] = (1, 3),
    gamma: float = 0.9,
    life_loss: bool = True,
) -> list[str]:
    """Check a source's rows around episode ends, over environments whose every step is known.

    Rows are `ExperienceFirstLast`, tuples of `Experience`, or objects with as many of their
    attributes as they have. After an end `last_state` may be None, or the final observation if the
    row says otherwise how it ended. `pop_rewards_steps`, if there is one, must tell whole games.
    The order of environments is free. Findings count episodes from 1, the rest from 0.

    Args:
        make_source: called as `make_source(env, agent, **settings)`, returns a source. Of the
            settings `gamma`, `steps_count`, `steps_delta`, `env_seed` and `truncation` it is given
            those that its signature names.
        forms: "single", "list", a `SyncVectorEnv` in "next_step", "same_step" or "disabled" mode,
            or an `AsyncVectorEnv`: "async_next_step" and so on.
        steps_counts: window lengths n to try; the first alone if it takes no `steps_count`.
        steps_deltas: distances between windows to try, if it takes `steps_delta`.
        gamma: discount per step.
        life_loss: whether lives are lost (`info["life_loss"]`) in some episodes.

    Raises ValueError for an unknown form.
    """
    for form in forms:
        if form not in FORMS:
            raise ValueError(f"forms must be among {[*FORMS]}, got {form!r}")
    takes = set(inspect.signature(make_source).parameters)
    counts = steps_counts if "steps_count" in takes else steps_counts[:1]
    deltas = steps_deltas if "steps_delta" in takes else (1,)
    plans = tuple(tuple(replace(e, lost=e.lost * life_loss) for e in plan) for plan in PLANS)

    def run(cases: Iterable[Case]) -> list[str]:
        return report(text for case in cases for text in _check_case(make_source, case, takes))

    cases = [
        Case(form, plans[: 1 if form == "single" else None], gamma, n, delta)
        for form, n, delta in product(forms, counts, deltas)
    ]
    # What is special only makes sense once the rows are right, with the last of the windows.
    last = [c for c in cases if (c.steps_count, c.steps_delta) == (counts[-1], deltas[-1])]
    special = [replace(case, env_seed=70) for case in last if "env_seed" in takes]
    special += [replace(case, truncation="terminal") for case in last if "truncation" in takes]
    # In SAME_STEP mode the vector environment itself hands over the overwritten array.
    special += [replace(case, reuse=True) for case in last if not case.form.endswith("same_step")]
    return run(cases) or run(special)


def _check_case(make_source: Callable[..., Source], case: Case, takes: set[str]) -> Iterator[str]:
    """Make a source, and check its rows and all that it did to the environments and the agent."""
    names = ("gamma", "steps_count", "steps_delta", "env_seed", "truncation")
    settings = {name: getattr(case, name) for name in names if name in takes}
    told = {"form": case.form, **settings, "one reused array": case.reuse}
    # A vector environment resets whatever ends: a life-loss wrapper then resumes the game.
    vector = case.form not in ("single", "list")
    envs = [
        ScriptedEnv(plan, i, reuse=case.reuse, resume=vector, max_calls=MAX_CALLS)
        for i, plan in enumerate(case.plans)
    ]
    agent, env = ScriptedAgent(), drive(case.form, envs)
    with closing(env) if vector else nullcontext():
        rows = _check_rows(partial(make_source, env, agent, **settings), case)
        found = [*guarded("the source", rows)]
    for place, state in agent.wrong_states:
        if place in case.steps:  # it may be asked at the end, too
            why = ", what it returned before" if place.step else ", its initial state"
            found += different(f"{place}: the agent's state", state, place.step, why)
    found += [text for inner in envs for text in _check_log(inner, case.env_seed)]
    yield from (f"{text} [{', '.join(f'{k}={v}' for k, v in told.items())}]" for text in found)


def _check_rows(make_source: Callable[[], Source], case: Case) -> Iterator[str]:
    """Take rows, compare each with its window as it comes, and then all of them together."""
    source = make_source()
    starts: list[Place] = []
    windows, steps_at = case.windows, case.steps
    delivered: list[tuple[Row, dict[str, object]]] = []
    for item in islice(source, ITEMS_PER_ENV * len(case.plans)):
        listed = isinstance(item, list) and not (item and hasattr(item[0], "done"))
        for row in item if listed else [item]:
            rows = (row,) if hasattr(row, "state") or not isinstance(row, Iterable) else tuple(row)
            seen = [_seen(step) for step in rows]
            delivered += zip(rows, seen, strict=True)
            start = seen[0].get("state") if seen else None
            if not isinstance(start, Place):
                yield f"a row's state is {start}: {row!r}"
                continue
            if start not in steps_at:
                text = "a row starts at the final observation of an episode: a phantom transition"
                yield f"{start}: {text} from there to {seen[0].get('last_state')}"
                continue
            starts.append(start)
            parts = [windows[start]] if start in windows else []
            if parts and not hasattr(rows[0], "last_state"):
                steps = range(start.step, start.step + parts[0].steps)
                parts = [steps_at[start._replace(step=step)] for step in steps]
                yield from different(f"{start}: the length of the tuple", len(rows), len(parts))
            for step, told, window in zip(rows, seen, parts, strict=False):
                yield from _compare(step, told, window, case)
    if not delivered:
        yield "the source gave no rows"
    if any(_seen(row) != seen for row, seen in delivered):
        yield "rows change after they were delivered"
    if starts:
        yield from _check_starts(starts, case)
    if starts and hasattr(source, "pop_rewards_steps"):
        games = _check_games(source.pop_rewards_steps, case, starts)
        yield from guarded("pop_rewards_steps()", games)


def _compare(row: Row, seen: dict[str, object], window: Window, case: Case) -> Iterator[str]:
    """Compare all fields that a row has; None says nothing, unless an observation is needed."""
    start, steps, reward, terminated, truncated, how = window
    ended = terminated or truncated
    terminated = terminated or (truncated and case.truncation == "terminal")
    after = start._replace(step=start.step + steps)
    says_truncated = bool(getattr(row, "truncated", False))
    says_terminated = getattr(row, "terminated", None) or getattr(row, "discount", None) == 0
    right = {
        "state": start,
        "action": action_at(start),
        "reward": reward,
        # A target would bootstrap past the end from a row that does not say terminated.
        "last_state": None if terminated and not says_terminated else after,
        "final_state": after,
        "done": ended,
        "terminated": terminated,
        "truncated": says_truncated if terminated else truncated,
        "steps": steps,
        "discount": 0.0 if terminated else case.gamma**steps,
    }
    needed = {"last_state": not ended, "final_state": says_truncated and not terminated}
    for name, value in right.items():
        found = seen[name] if name in seen else getattr(row, name, None)
        if found is not None or (name in seen and needed.get(name)):
            yield from different(f"{start}: the row's {name}", found, value, f" ({how})")


def _check_starts(starts: Sequence[Place], case: Case) -> Iterator[str]:
    """Every start of a window has its row, once and in the order of its environment."""
    windows = case.windows
    for number in range(len(case.plans)):
        given = [place for place in starts if place.env == number]
        wanted = (place for place in windows if place.env == number)
        wrong = ((p, found) for p, found in zip(wanted, given, strict=False) if p != found)
        for place, found in islice(wrong, 1):
            how = windows[place].how
            yield f"{place}: no row starts here ({how}), the next one does at {found}"
        if not given:
            yield f"environment {number} gave no rows"


def _check_games(
    pop_rewards_steps: Callable[[], list[tuple[float, int]]], case: Case, starts: Sequence[Place]
) -> Iterator[str]:
    """Whole games are told, each once, up to about the newest rows."""
    told = Counter((round(float(r), 3), steps) for r, steps in pop_rewards_steps())
    newest = {place.env: place.episode for place in starts}
    games: dict[tuple[int, int], list[float]] = {}
    for place, window in case.steps.items():
        games.setdefault(place[:2], []).append(window.reward)
    sums = [(episode - newest.get(env, 0), r) for (env, episode), r in games.items()]
    over = Counter((round(sum(r), 3), len(r)) for since, r in sums if since < 0)
    known = Counter((round(sum(r), 3), len(r)) for since, r in sums if since < 3)
    text = "pop_rewards_steps(): the (reward, steps) of"
    yield from different(f"{text} what is no game", [*(told - known)], [])
    yield from different(f"{text} games left out", [*(over - told)], [])


def _check_log(env: ScriptedEnv, seed: int | None) -> Iterator[str]:
    """What the environment was asked: the agent's actions, and its seed at the first reset."""
    for before, event in pairwise(env.log):
        place = decode(before.observation)
        if event.kind == "step" and place:
            what = f"{place}: the action that the environment was given"
            yield from different(what, event.action, action_at(place), ", the agent's")
    found = [event.kwargs.get("seed") for event in env.log if event.kind != "step"]
    right = [None if seed is None else seed + env.index, *[None] * len(found[1:])]
    if found and found != right:
        yield f"environment {env.index}: resets are seeded with {found}, right is {right}"


@lru_cache
def windows_of(plans: Plans, n: int, delta: int, gamma: float) -> dict[Place, Window]:
    """All windows over scripted environments with these plans, in order, by their starts.

    They have `n` steps and start at steps 0, d, 2d … of an episode, or after a lost life; all
    shorter tails follow.
    """
    found = {}
    for (env, plan), episode in product(enumerate(plans), range(1, EPISODES)):
        script = plan[(episode - 1) % len(plan)]
        for first, end in pairwise((0, *script.lost, script.length)):
            places = [Place(env, episode, step) for step in range(first, end)]
            for i, start in enumerate(places):
                steps = places[i : i + n]
                if len(steps) == n and i % delta:
                    continue
                over = steps[-1] == places[-1]
                lost = over and end < script.length
                terminated, truncated = (lost, False) if lost or not over else ENDS[script.end]
                how = "lost a life" if lost else "terminated" if terminated else "was truncated"
                how = f"{how} at {end - 1}" if over else "goes on"
                how = f"{len(steps)} steps, the episode {how}"
                how = f"after a life was lost at {first - 1}" if first and not i else how
                reward = sum(gamma**k * reward_of(p, action_at(p)) for k, p in enumerate(steps))
                found[start] = Window(start, len(steps), reward, terminated, truncated, how)
    return found


def _seen(row: Row) -> dict[str, object]:
    """Where the observations that a row has are from."""
    found = {name: getattr(row, name) for name in STATES if hasattr(row, name)}
    return {
        name: None if value is None else decode(value) or f"{value!r}, which no environment gave"
        for name, value in found.items()
    }
