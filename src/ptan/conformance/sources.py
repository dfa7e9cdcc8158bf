"""Checks for experience sources: episode ends, window by window."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from functools import partial
from itertools import islice, pairwise, product
from typing import Any

from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.rows import Expected, expected_rows
from ptan.conformance.scripted import (
    MODES,
    Episode,
    Place,
    ScriptedAgent,
    ScriptedEnv,
    action_at,
    decode,
    drive,
)

PLANS = (
    (
        Episode(5),
        Episode(3, "truncated"),
        Episode(1),
        Episode(6, "truncated"),
        Episode(2, "truncated"),
        Episode(4, "both"),
        Episode(7, lost=(3,)),
    ),
    (Episode(4, "truncated"), Episode(8, lost=(2, 5)), Episode(1, "truncated"), Episode(3)),
    (Episode(2), Episode(9, "truncated", lost=(4,)), Episode(5, "truncated")),
)
"""Ends of all kinds after episodes shorter than, as long as and longer than usual windows."""

FORMS = {"single": "one environment", "list": "a list of environments"}
FORMS |= {mode: f"SyncVectorEnv, {mode.upper()}" for mode in MODES}
FORMS |= {f"async_{mode}": f"AsyncVectorEnv, {mode.upper()}" for mode in MODES}
SEED = 70
ITEMS_PER_ENV = 60
MAX_CALLS = 5_000


def check_source(
    make_source: Callable[..., Iterable[Any]],
    *,
    forms: Sequence[str] = ("single", "list", *MODES),
    steps_counts: Sequence[int] = (1, 2, 4),
    steps_deltas: Sequence[int] = (1, 3),
    gamma: float = 0.9,
    life_loss: bool = True,
) -> list[str]:
    """Check a source's rows around episode ends, over environments whose every step is known.

        def make_source(env, agent, gamma, steps_count):
            return MySource(env, agent, gamma=gamma, n_steps=steps_count)

        for finding in check_source(make_source, forms=("single", "list")):
            print(finding)

    Rows may be `ExperienceFirstLast`, tuples of `Experience`, or objects with the same attributes
    (state, action, reward and last_state, or done). Of `terminated`, `truncated`, `final_state`,
    `steps` and `discount` only what a row has is checked. `last_state` after an end may be None; at
    a truncation it may be the true final observation as well, at a termination only if the row says
    `terminated` or a discount of 0. `pop_rewards_steps`, if there is one, must tell whole games.
    The order of rows among environments is free. Findings count steps and environments from 0,
    episodes from 1.

    Args:
        make_source: called as `make_source(env, agent, **settings)`, returns a source. Of the
            settings `gamma`, `steps_count`, `steps_delta`, `env_seed` and `truncation` it is given
            those that its signature names (with `**settings`: the first two also).
        forms: "single", "list", a `SyncVectorEnv` in "next_step", "same_step" or "disabled" mode,
            an `AsyncVectorEnv` in "async_next_step" and so on.
        steps_counts: window lengths n to try; only one if `make_source` takes no `steps_count`.
        steps_deltas: distances between windows to try, if it takes `steps_delta`.
        gamma: discount per step.
        life_loss: whether lives are lost (`info["life_loss"]`) in some episodes.

    Raises:
        ValueError: an unknown form, or several `steps_counts` that `make_source` cannot be told.
    """
    for form in forms:
        if form not in FORMS:
            raise ValueError(f"forms must be among {[*FORMS]}, got {form!r}")
    parameters = inspect.signature(make_source).parameters.values()
    takes = {parameter.name for parameter in parameters}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        takes |= {"gamma", "steps_count"}
    if "steps_count" not in takes and len(steps_counts) > 1:
        what = "steps_counts must hold one number if make_source takes no steps_count"
        raise ValueError(f"{what}, got {list(steps_counts)}")
    plans = tuple(
        tuple(Episode(e.length, e.end, e.lost * life_loss) for e in plan) for plan in PLANS
    )
    findings = Findings()

    def run(form: str, n: int, delta: int, **special: Any) -> None:
        reuse = special.pop("reuse", False)
        settings = {"gamma": gamma, "steps_count": n, "steps_delta": delta} | special
        some = plans[:1] if form == "single" else plans
        expected = expected_rows(some, n, delta, gamma, special.get("truncation", "bootstrap"))
        words = [FORMS[form], *(f"{name}={value}" for name, value in settings.items())]
        findings.context = ", ".join(words + ["observations in one reused array"] * reuse)
        given = {"env_seed": None, "truncation": "bootstrap"} | settings
        given = {name: value for name, value in given.items() if name in takes}
        _run(
            partial(make_source, **given), form, expected, reuse, special.get("env_seed"), findings
        )

    deltas = steps_deltas if "steps_delta" in takes else (1,)
    for form, n, delta in product(forms, steps_counts, deltas):
        run(form, n, delta)
    # What only makes sense once the rows as such are right, with the last of these windows.
    for form in () if findings.lines() else forms:
        # In SAME_STEP mode the vector environment itself hands over the overwritten array.
        if not form.endswith("same_step"):
            run(form, n, delta, reuse=True)
        if "env_seed" in takes:
            run(form, n, delta, env_seed=SEED)
        if "truncation" in takes:
            run(form, n, delta, truncation="terminal")
    return findings.lines()


def _run(
    make_source: Callable[..., Iterable[Any]],
    form: str,
    expected: Expected,
    reuse: bool,
    env_seed: int | None,
    findings: Findings,
) -> None:
    """Make a source, take rows, compare each as it is delivered, and check the whole."""
    # A vector environment resets whatever ends: a life-loss wrapper then resumes the game.
    vector = form not in ("single", "list")
    envs = [
        ScriptedEnv(plan, i, reuse=reuse, resume=vector, max_calls=MAX_CALLS)
        for i, plan in enumerate(expected.plans)
    ]
    agent, env = ScriptedAgent(), drive(form, envs)
    places: list[Place] = []
    with closing(env) if vector else nullcontext():
        source = findings.attempt("the source", make_source, env, agent)
        if source is not FAILED:
            findings.attempt("the source", _take, source, expected, places, findings)
    for number in range(len(envs)) if places else ():
        given = [place for place in places if place.env == number]
        if not given:
            findings.add(f"environment {number} gave no rows")
        starts = [place for place in expected.windows if place.env == number]
        for right, found in zip(starts, given, strict=False):
            if right != found:  # every start of a window has its row, once and in order
                text = f"no row starts here ({expected.why(right)}), the next one does at"
                findings.add(f"{right}: {text} {found}")
                break
    if places and hasattr(source, "pop_rewards_steps"):
        findings.attempt("pop_rewards_steps()", _check_games, source, expected, places, findings)
    for place, state in agent.wrong_states:
        if place in expected.steps:
            why = ", what it returned before" if place.step else ", its initial state"
            findings.expect(f"{place}: the agent's state", state, place.step, why)
    for inner in envs:
        _check_log(inner, env_seed, findings)


def _take(
    source: Iterable[Any], expected: Expected, places: list[Place], findings: Findings
) -> None:
    """Take rows, compare each with its window, and note where it starts."""
    rows: list[tuple[Any, list[Place | None]]] = []
    for item in islice(source, ITEMS_PER_ENV * len(expected.plans)):
        listed = isinstance(item, list) and not (item and hasattr(item[0], "done"))
        for row in item if listed else [item]:
            steps = (row,) if hasattr(row, "state") or not isinstance(row, Iterable) else tuple(row)
            rows += [(step, _picture(step)) for step in steps]
            if not steps or not all(hasattr(step, "action") for step in steps):
                findings.add(f"an item is neither a row nor a tuple of rows: {steps!r}")
                continue
            place = decode(steps[0].state)
            if place is None or place not in expected.places:
                findings.add(f"a row's state is {expected.words(steps[0].state)}")
            elif place not in expected.steps:
                to = expected.words(getattr(steps[0], "last_state", None))
                text = "a row starts at the final observation of an episode"
                findings.add(f"{place}: {text}: a phantom transition from there to {to}")
            elif place not in expected.windows:
                findings.add(f"{place}: a row starts here, but none should")
            else:
                places.append(place)
                expected.compare(steps, place, findings)
    if not rows:
        findings.add("the source gave no rows")
    if any(_picture(row) != picture for row, picture in rows):
        findings.add("rows change after they were delivered")


def _picture(row: Any) -> list[Place | None]:
    """Everything that a row's observations say."""
    return [decode(getattr(row, name, None)) for name in ("state", "last_state", "final_state")]


def _check_games(
    source: Any, expected: Expected, places: Sequence[Place], findings: Findings
) -> None:
    """`pop_rewards_steps` tells whole games, each once."""
    told = Counter((round(float(r), 3), steps) for r, steps in source.pop_rewards_steps())
    newest = {place.env: place.episode for place in places}

    def played(beyond: int) -> Counter[tuple[float, int]]:
        stops = [newest.get(env, 0) - 1 + beyond for env in range(len(expected.games))]
        games = [g for games, stop in zip(expected.games, stops, strict=True) for g in games[:stop]]
        return Counter((round(game.total, 3), game.steps) for game in games)

    text = "pop_rewards_steps(): the (reward, steps) of"
    findings.expect(f"{text} what is no game", [*(told - played(3))], [])
    findings.expect(f"{text} games left out", [*(played(0) - told)], [])


def _check_log(env: ScriptedEnv, seed: int | None, findings: Findings) -> None:
    """What the environment was asked: the agent's actions, and its seed at the first reset."""
    for before, event in pairwise(env.log):
        place = decode(before.observation)
        if event.kind == "step" and place:
            what = f"{place}: the action that the environment was given"
            findings.expect(what, event.action, action_at(place), ", the agent's")
    found = [event.kwargs.get("seed") for event in env.log if event.kind != "step"]
    right = [None if seed is None else seed + env.index, *[None] * len(found)][: len(found)]
    if found != right:
        findings.add(f"environment {env.index}: resets are seeded with {found}, right is {right}")
