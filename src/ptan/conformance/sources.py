"""Checks for experience sources: episode ends, window by window."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from functools import partial
from itertools import islice, pairwise, product
from typing import Any

from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.oracles import Window
from ptan.conformance.rows import Expected, close
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
    games. The order of rows among environments is free.

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

    Returns:
        Findings in plain words, none if nothing is wrong. Steps and environments count from 0,
        episodes from 1.

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
        raise ValueError(
            "steps_counts must hold one number if make_source takes no steps_count, "
            f"got {list(steps_counts)}"
        )
    plans = [
        tuple(Episode(e.length, e.end, e.lost if life_loss else ()) for e in plan) for plan in PLANS
    ]
    deltas = steps_deltas if "steps_delta" in takes else (1,)
    findings = Findings()
    last: list[_Run] = []
    for form in forms:
        for n, delta in product(steps_counts, deltas):
            expected = Expected(plans[:1] if form == "single" else plans, n, delta, gamma)
            run = _Run(make_source, takes, form, expected, findings)
            run.check()
        last.append(run)
    # What only makes sense once the rows as such are right, on one run of each form.
    for run in () if findings else last:
        # In SAME_STEP mode the vector environment itself hands over the overwritten array.
        if not run.form.endswith("same_step"):
            run.check(reuse=True)
        if "env_seed" in takes:
            run.check(env_seed=SEED)
        if "truncation" in takes:
            run.check(truncation="terminal")
    return findings.lines()


class _Run:
    """A source over one kind of environments."""

    def __init__(
        self,
        make_source: Callable[..., Iterable[Any]],
        takes: set[str],
        form: str,
        expected: Expected,
        findings: Findings,
    ) -> None:
        self.make_source, self.takes, self.form = make_source, takes, form
        self.expected, self.findings = expected, findings
        self.findings.group = form

    def check(self, *, reuse: bool = False, **settings: Any) -> None:
        """Make a source, take rows and check all about them."""
        expected, findings = self.expected, self.findings
        expected.truncation = settings.get("truncation", "bootstrap")
        told = {"steps_count": expected.n, "steps_delta": expected.delta} | settings
        words = [FORMS[self.form], *(f"{name}={value!r}" for name, value in told.items())]
        shared = ["all observations in one reused array"] if reuse else []
        findings.context = ", ".join(words + shared)
        # A vector environment resets whatever ends: a life-loss wrapper then resumes the game.
        vector = self.form not in ("single", "list")
        envs = [
            ScriptedEnv(plan, i, reuse=reuse, resume=vector, max_calls=MAX_CALLS)
            for i, plan in enumerate(expected.plans)
        ]
        agent, env = ScriptedAgent(), drive(self.form, envs)
        given = {"gamma": expected.gamma, "env_seed": None, "truncation": "bootstrap"} | told
        make = partial(
            self.make_source, env, agent, **{k: v for k, v in given.items() if k in self.takes}
        )
        with closing(env) if vector else nullcontext():
            source = findings.attempt("the source", make)
            rows: list[tuple[Any, str]] = []
            places: list[Place] = []
            if source is not FAILED:
                findings.attempt("the source", self._take, source, rows, places)
        if source is not FAILED and not rows:
            findings.add("no rows", "the source gave no rows")
        if any(_picture(row) != picture for row, picture in rows):
            findings.add("reuse", "rows change after they were delivered")
        if places:
            self._check_places(places)
            self._check_games(source, places)
        for place, state in agent.wrong_states:
            if place in expected.steps:
                why = "what the agent returned before" if place.step else "its initial state"
                text = f"the agent's state is {state}, right is {place.step}, {why}"
                findings.add(f"agent state {why}", f"{at(place)}: {text}")
        for inner in envs:
            self._check_log(inner, settings.get("env_seed"))

    def _take(self, source: Any, rows: list[tuple[Any, str]], places: list[Place]) -> None:
        """Take rows, and compare each with its window before the next one is asked for."""
        for item in islice(source, ITEMS_PER_ENV * len(self.expected.plans)):
            listed = isinstance(item, list) and not (item and hasattr(item[0], "done"))
            for row in item if listed else [item]:
                rows.append((row, _picture(row)))
                place = self._check_row(_steps_of(row))
                if place is not None:
                    places.append(place)

    def _check_row(self, steps: Sequence[Any]) -> Place | None:
        """Compare a row with its window; returns where it starts, None if nowhere."""
        expected, findings = self.expected, self.findings
        names = ("state", "action", "reward")
        if not steps or not all(hasattr(step, name) for step in steps for name in names):
            text = f"an item is neither a row nor a tuple of rows: {steps!r}"
            findings.add("no row", text)
            return None
        place = decode(steps[0].state)
        if place is None or place not in expected:
            words = expected.words(steps[0].state, Place(0, 1, 0))
            findings.add("state", f"a row's state is {words}")
        elif place not in expected.steps:
            following = expected.words(getattr(steps[0], "last_state", None), place)
            text = "a row starts at the final observation of an episode, which is a phantom "
            text += f"transition from there to {following}"
            findings.add("phantom", f"{at(place)}: {text}")
        elif place not in expected.windows:
            text = f"a row starts here, but none should, with windows every {expected.delta} steps"
            findings.add("extra", f"{at(place)}: {text}")
        else:
            window = expected.windows[place]
            if hasattr(steps[0], "last_state"):
                pairs = [(steps[0], window)]
            else:
                pairs = [
                    (step, expected.steps[place._replace(step=place.step + i)])
                    for i, step in enumerate(steps[: window.steps])
                ]
                if len(steps) != window.steps:
                    text = f"{len(steps)} steps stand in the tuple, right are {window.steps}"
                    findings.add("length", f"{at(place)}: {text}")
            for row, single in pairs:
                for kind, text in expected.differences(row, single):
                    findings.add(kind, f"{at(single.place)}: {text}")
            return place
        return None

    def _check_places(self, places: Sequence[Place]) -> None:
        """Every start of a window has its row, once and in order."""
        expected, findings = self.expected, self.findings
        for env in range(len(expected.plans)):
            given = [place for place in places if place.env == env]
            if not given:
                findings.add("no rows", f"environment {env} gave no rows")
                continue
            for place, window in expected.windows.items():
                if place.env == env and place <= given[-1] and place not in given:
                    self._missing(window, given)
            for place in sorted({place for place in given if given.count(place) > 1}):
                findings.add("twice", f"{at(place)}: two rows start here")
            for before, after in pairwise(given):
                if after < before:
                    findings.add("order", f"{at(after)}: its row comes after a later one")

    def _missing(self, window: Window, given: Sequence[Place]) -> None:
        place, stretch = window.place, decode(window.segment.observations[0])
        assert stretch is not None
        begun = any(p.episode == place.episode and p >= stretch for p in given)
        kind, why = "missing", ""
        if stretch.step > 0 and not begun:
            kind, why = (
                "life loss reset",
                (
                    "; the environment was reset where only a life was lost, at "
                    f"{stretch.step - 1}, and the game had not ended"
                ),
            )
        elif window.steps < self.expected.n:
            kind, why = (
                "tail",
                (
                    f", at one of the last {self.expected.n - 1} steps before the episode ended at "
                    f"{place.step + window.steps - 1}"
                ),
            )
        self.findings.add(kind, f"{at(place)}: no row starts here{why}")

    def _check_games(self, source: Any, places: Sequence[Place]) -> None:
        """`pop_rewards_steps` tells whole games, each once."""
        if not hasattr(source, "pop_rewards_steps"):
            return
        findings, text = self.findings, "pop_rewards_steps()"
        told = findings.attempt(text, lambda: list(source.pop_rewards_steps()))
        newest = {place.env: place.episode for place in places}
        left = {
            (episode, env): game
            for env, games in self.expected.games.items()
            for episode, game in enumerate(games, 1)
            if episode < newest.get(env, 0) + 3
        }
        for reward, steps in [] if told is FAILED else told:
            for key, game in sorted(left.items()):
                if steps == game.steps and close(reward, game.total):
                    del left[key]
                    break
            else:
                what = f"an episode of {steps} steps and reward {reward:.6g}, which no environment "
                findings.add("games", f"{text} tells {what}played (a lost life ends no episode)")
        for episode, env in left:
            if episode < newest.get(env, 0) and told is not FAILED:
                what = f"leaves out episode {episode} of environment {env}"
                findings.add("games left out", f"{text} {what}")

    def _check_log(self, env: ScriptedEnv, seed: int | None) -> None:
        """What the environment was asked: the agent's actions, and its seed at the first reset."""
        for before, event in pairwise(env.log):
            place = decode(before.observation)
            if event.kind == "step" and place and event.action != action_at(place):
                text = f"the environment was given action {event.action}, which the agent did not "
                self.findings.add("action given", f"{at(place)}: {text}choose")
        seeds = [event.kwargs.get("seed") for event in env.log if event.kind != "step"]
        right = None if seed is None else seed + env.index
        if seeds and seeds[0] != right:
            text = f"its first reset was seeded with {seeds[0]}, right is {right}"
            self.findings.add("seed", f"environment {env.index}: {text}")
        late = [later for later in seeds[1:] if later is not None]
        if late:
            text = f"a later reset was seeded again, with {late[0]}: episodes repeat themselves"
            self.findings.add("late seed", f"environment {env.index}: {text}")


def at(place: Place) -> str:
    """Where a finding is."""
    return f"step {place.step} of environment {place.env} (episode {place.episode})"


def _steps_of(row: Any) -> tuple[Any, ...]:
    """The rows of a window, or the one row, which may be a named tuple."""
    whole = hasattr(row, "state") or not isinstance(row, (tuple, list))
    return (row,) if whole else tuple(row)


def _picture(row: Any) -> str:
    """Everything that a row's observations say, as text."""
    names = ("state", "last_state", "final_state")
    return str([[str(getattr(step, name, None)) for name in names] for step in _steps_of(row)])
