"""Checks for experience sources: episode ends, window by window."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
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
    `steps` and `discount` only what a row has is checked; the library's own row classes have all
    of them, and read "not truncated" if nothing is said. `last_state` after an end may be None;
    at a truncation it may be the true final observation as well, at a termination only if the row
    says `terminated` or a discount of 0. `pop_rewards_steps`, if there is one, must tell whole
    games. The order of rows among environments is free. Findings count steps and environments
    from 0, episodes from 1.

    Args:
        make_source: called as `make_source(env, agent, **settings)`, returns a source. Of the
            settings `gamma`, `steps_count`, `steps_delta`, `env_seed` and `truncation` it is given
            those that its signature names (with `**settings`: the first two also).
        forms: what the environments are in: "single", "list", a `SyncVectorEnv` in "next_step",
            "same_step" or "disabled" mode, an `AsyncVectorEnv` in "async_next_step" and so on.
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
    findings = Findings()
    check = _Check(make_source, takes, life_loss, findings)
    deltas = steps_deltas if "steps_delta" in takes else (1,)
    for form, n, delta in product(forms, steps_counts, deltas):
        check.run(form, gamma, n, delta)
    # What only makes sense once the rows as such are right, with the last of these windows.
    for form in () if findings.lines() else forms:
        # In SAME_STEP mode the vector environment itself hands over the overwritten array.
        if not form.endswith("same_step"):
            check.run(form, gamma, n, delta, reuse=True)
        if "env_seed" in takes:
            check.run(form, gamma, n, delta, env_seed=SEED)
        if "truncation" in takes:
            check.run(form, gamma, n, delta, truncation="terminal")
    return findings.lines()


class _Check:
    """Runs a source in one setting after the other."""

    def __init__(
        self,
        make_source: Callable[..., Iterable[Any]],
        takes: set[str],
        life_loss: bool,
        findings: Findings,
    ) -> None:
        self.make_source, self.takes, self.findings = make_source, takes, findings
        self.plans = tuple(
            tuple(Episode(e.length, e.end, e.lost * life_loss) for e in plan) for plan in PLANS
        )
        self.expected: Expected

    def run(
        self, form: str, gamma: float, n: int, delta: int, *, reuse: bool = False, **more: Any
    ) -> None:
        """Make a source, take rows, compare each as it is delivered, and check the whole."""
        plans = self.plans[:1] if form == "single" else self.plans
        truncation = more.get("truncation", "bootstrap")
        self.expected = expected_rows(plans, n, delta, gamma, truncation)
        settings = {"steps_count": n, "steps_delta": delta} | more
        words = [FORMS[form], *(f"{name}={value}" for name, value in settings.items())]
        words += ["observations in one reused array"] * reuse
        self.findings.context = ", ".join(words)
        settings |= {"gamma": gamma, "env_seed": more.get("env_seed"), "truncation": truncation}
        settings = {name: value for name, value in settings.items() if name in self.takes}
        # A vector environment resets whatever ends: a life-loss wrapper then resumes the game.
        vector = form not in ("single", "list")
        envs = [
            ScriptedEnv(plan, i, reuse=reuse, resume=vector, max_calls=MAX_CALLS)
            for i, plan in enumerate(plans)
        ]
        agent, env = ScriptedAgent(), drive(form, envs)
        places: list[Place] = []
        with closing(env) if vector else nullcontext():
            source = self.findings.attempt("the source", self.make_source, env, agent, **settings)
            if source is not FAILED:
                self.findings.attempt("the source", self._take, source, len(envs), places)
        for number in range(len(envs)) if places else ():
            self._check_starts(number, [place for place in places if place.env == number])
        if places and hasattr(source, "pop_rewards_steps"):
            self.findings.attempt("pop_rewards_steps()", self._check_games, source, places)
        for place, state in agent.wrong_states:
            if place in self.expected.steps:
                why = ", what it returned before" if place.step else ", its initial state"
                self.findings.expect(f"{_at(place)}: the agent's state", state, place.step, why)
        for inner in envs:
            self._check_log(inner, more.get("env_seed"))

    def _take(self, source: Iterable[Any], count: int, places: list[Place]) -> None:
        """Take rows, compare each with its window, and note where it starts."""
        rows: list[tuple[Any, list[Place | None]]] = []
        for item in islice(source, ITEMS_PER_ENV * count):
            listed = isinstance(item, list) and not (item and hasattr(item[0], "done"))
            for row in item if listed else [item]:
                rows.append((row, _picture(row)))
                self._check_row(_steps_of(row), places)
        if not rows:
            self.findings.add("the source gave no rows")
        if any(_picture(row) != picture for row, picture in rows):
            self.findings.add("rows change after they were delivered")

    def _check_row(self, steps: Sequence[Any], places: list[Place]) -> None:
        expected, say = self.expected, self.findings.add
        if not steps or not all(hasattr(step, "action") for step in steps):
            say(f"an item is neither a row nor a tuple of rows: {steps!r}")
            return
        place = decode(steps[0].state)
        if place is None or place not in expected.places:
            say(f"a row's state is {expected.words(steps[0].state, Place(0, 1, 0))}")
        elif place not in expected.steps:
            to = expected.words(getattr(steps[0], "last_state", None), place)
            text = "a row starts at the final observation of an episode: a phantom transition"
            say(f"{_at(place)}: {text} from there to {to}")
        elif place not in expected.windows:
            say(f"{_at(place)}: a row starts here, but none should")
        else:
            places.append(place)
            count = expected.windows[place].steps
            if not hasattr(steps[0], "last_state"):
                self.findings.expect(f"{_at(place)}: the tuple's length", len(steps), count)
            for row in steps[:count]:
                expected.compare(row, place, _at(place), self.findings)
                place = place._replace(step=place.step + 1)

    def _check_starts(self, env: int, given: Sequence[Place]) -> None:
        """Every start of a window has its row, once and in order."""
        starts = [place for place in self.expected.windows if place.env == env]
        if not given:
            self.findings.add(f"environment {env} gave no rows")
        for right, found in zip(starts, given, strict=False):
            if right != found:
                window = self.expected.windows[right]
                lost = right.step > 0 and window.start == 0
                why = "a life was lost before" if lost else self.expected.end(right, window)
                text = f"no row starts here ({why}), the next one does at {_at(found)}"
                self.findings.add(f"{_at(right)}: {text}")
                break

    def _check_games(self, source: Any, places: Sequence[Place]) -> None:
        """`pop_rewards_steps` tells whole games, each once."""
        told = Counter((round(float(r), 3), steps) for r, steps in source.pop_rewards_steps())
        newest = {place.env: place.episode for place in places}

        def played(beyond: int) -> Counter[tuple[float, int]]:
            stop = {env: newest.get(env, 0) - 1 + beyond for env in range(len(self.plans))}
            games = (g for env, games in enumerate(self.expected.games) for g in games[: stop[env]])
            return Counter((round(game.total, 3), game.steps) for game in games)

        text = "pop_rewards_steps(): the (reward, steps) of"
        self.findings.expect(f"{text} what is no game", [*(told - played(3))], [])
        self.findings.expect(f"{text} games left out", [*(played(0) - told)], [])

    def _check_log(self, env: ScriptedEnv, seed: int | None) -> None:
        """What the environment was asked: the agent's actions, and its seed at the first reset."""
        for before, event in pairwise(env.log):
            place = decode(before.observation)
            if event.kind == "step" and place:
                what = f"{_at(place)}: the action that the environment was given"
                self.findings.expect(what, event.action, action_at(place), ", the agent's")
        seeds = [event.kwargs.get("seed") for event in env.log if event.kind != "step"]
        right = [None if seed is None else seed + env.index]
        self.findings.expect(
            f"environment {env.index}: the first seed", seeds[:1], right[: len(seeds)]
        )
        late = [number for number in seeds[1:] if number is not None]
        self.findings.expect(f"environment {env.index}: what seeds later resets", late, [])


def _at(place: Place) -> str:
    return f"step {place.step} of environment {place.env} (episode {place.episode})"


def _steps_of(row: Any) -> tuple[Any, ...]:
    """The rows of a window, or the one row, which may be a named tuple."""
    whole = hasattr(row, "state") or not isinstance(row, (tuple, list))
    return (row,) if whole else tuple(row)


def _picture(row: Any) -> list[Place | None]:
    """Everything that a row's observations say."""
    names = ("state", "last_state", "final_state")
    return [decode(getattr(step, name, None)) for step in _steps_of(row) for name in names]
