"""Checks for experience sources: episode ends, window by window."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from itertools import islice
from typing import Any

from ptan.conformance.coverage import at, check_agent_states, check_coverage, check_statistics
from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.scripts import (
    PLANS,
    Place,
    ScriptedAgent,
    ScriptedEnv,
    decode,
    make_envs,
    without_lost_lives,
)
from ptan.conformance.source_rows import check_first_last, check_steps, words_for
from ptan.conformance.windows import Script

FORMS = ("single", "list", "next_step", "same_step", "disabled")
FORM_WORDS = {
    "single": "one environment",
    "list": "a list of environments",
    "next_step": "SyncVectorEnv, NEXT_STEP",
    "same_step": "SyncVectorEnv, SAME_STEP",
    "disabled": "SyncVectorEnv, DISABLED",
    "async_next_step": "AsyncVectorEnv, NEXT_STEP",
    "async_same_step": "AsyncVectorEnv, SAME_STEP",
    "async_disabled": "AsyncVectorEnv, DISABLED",
}
SEED = 70
ITEMS_PER_ENV = 60


def check_source(
    make_source: Callable[..., Iterable[Any]],
    *,
    forms: Sequence[str] = FORMS,
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
        forms: kinds of environments to try, of those in `FORMS` and "async_next_step",
            "async_same_step", "async_disabled".
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
    unknown = [form for form in forms if form not in FORM_WORDS]
    if unknown:
        raise ValueError(f"forms must be among {sorted(FORM_WORDS)}, got {unknown[0]!r}")
    takes = _Settings(make_source)
    if "steps_count" not in takes and len(steps_counts) > 1:
        raise ValueError(
            "steps_counts must hold one number if make_source takes no steps_count, "
            f"got {list(steps_counts)}"
        )
    plans = PLANS if life_loss else without_lost_lives(PLANS)
    runs = [
        _Run(make_source, takes, form, Script(plans[: _count(form)], n, delta, gamma))
        for form in forms
        for n in steps_counts
        for delta in (steps_deltas if "steps_delta" in takes else (1,))
    ]
    return _findings_of(runs, takes)


def _findings_of(runs: Sequence["_Run"], takes: "_Settings") -> list[str]:
    findings = Findings()
    for run in runs:
        run.check(findings)
    if findings.lines():
        return findings.lines()
    # What only makes sense once the rows as such are right, on one run of each form.
    for run in {run.form: run for run in runs}.values():
        # In SAME_STEP mode the vector environment itself hands over the overwritten array.
        if not run.form.endswith("same_step"):
            run.check_reuse(findings)
        if "env_seed" in takes and not run.form.startswith("async_"):
            run.check_seeds(findings)
        if "truncation" in takes:
            run.check_terminal(findings)
    return findings.lines()


def _count(form: str) -> int:
    """How many environments there are."""
    return 1 if form == "single" else len(PLANS)


class _Settings:
    """Which settings a factory takes."""

    def __init__(self, make: Callable[..., Any]) -> None:
        parameters = inspect.signature(make).parameters
        self._names = set(parameters)
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            self._names |= {"gamma", "steps_count"}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def pick(self, **settings: Any) -> dict[str, Any]:
        return {name: value for name, value in settings.items() if name in self._names}


class _Run:
    """One source over one kind of environments."""

    def __init__(
        self,
        make_source: Callable[..., Iterable[Any]],
        takes: _Settings,
        form: str,
        script: Script,
    ) -> None:
        self.make_source = make_source
        self.takes = takes
        self.form = form
        self.script = script
        self.context = f"{FORM_WORDS[form]}, steps_count={script.n}"
        if script.delta > 1:
            self.context += f", steps_delta={script.delta}"

    def check(self, findings: Findings) -> None:
        """Rows, their completeness, agent states, actions and statistics."""
        findings.context = self.context
        agent = ScriptedAgent()
        places: list[Place] = []

        def judge(item: Any) -> None:
            place = _check_item(item, self.script, self.form, findings)
            if place is not None:
                places.append(place)

        envs, source = self._pull(agent, findings, judge)
        group = self.form
        if places:
            for env in range(len(self.script.plans)):
                mine = [place for place in places if place.env == env]
                check_coverage(env, mine, self.script, findings, group)
            check_statistics(source, places, self.script, findings, group)
        check_agent_states(agent, self.script, findings, group)
        for inner in envs:
            for place, action in inner.foreign_actions:
                if not self.script.is_final(place):
                    text = f"{at(place)}: the environment was given action {action}, which the "
                    findings.add("foreign action", text + "agent did not choose", group=group)

    def check_reuse(self, findings: Findings) -> None:
        """An environment that writes all observations into one array."""
        findings.context = f"{self.context}, all observations in one reused array"
        kept: list[tuple[Any, str]] = []
        trial = Findings()

        def judge(item: Any) -> None:
            _check_item(item, self.script, self.form, trial)
            kept.append((item, _picture(item)))

        self._pull(ScriptedAgent(), trial, judge, reuse=True)
        if any(_picture(item) != picture for item, picture in kept):
            findings.add(
                "reuse",
                "rows change after they were delivered, where the environment reuses the array of "
                "its observations",
                group=self.form,
            )
        elif trial.lines():
            findings.add("reuse", trial.lines()[0], group=self.form)

    def check_seeds(self, findings: Findings) -> None:
        """The seed of environment i is `env_seed + i`, at its first reset only."""
        findings.context = f"{self.context}, env_seed={SEED}"
        envs, _ = self._pull(ScriptedAgent(), findings, lambda _: None, env_seed=SEED)
        for env in envs:
            first = env.seeds[0] if env.seeds else None
            if first != SEED + env.index:
                text = f"environment {env.index}: its first reset was seeded with {first}, right "
                findings.add("seed", f"{text}is {SEED + env.index}", group=self.form)
            later = [seed for seed in env.seeds[1:] if seed is not None]
            if later:
                findings.add(
                    "late seed",
                    f"environment {env.index}: a later reset was seeded again, with {later[0]}: "
                    "episodes repeat themselves",
                    group=self.form,
                )

    def check_terminal(self, findings: Findings) -> None:
        """`truncation="terminal"` makes truncations terminations."""
        findings.context = f'{self.context}, truncation="terminal"'

        def judge(item: Any) -> None:
            rows = _rows_of(item)
            place = decode(getattr(rows[0], "state", None))
            if place is None or not self.script.window(place).ended:
                return
            if getattr(rows[-1], "terminated", None) is False:
                text = f"{at(place)}: the episode ended, but the row does not say terminated"
                findings.add("terminal", text, group=self.form)

        self._pull(ScriptedAgent(), findings, judge, truncation="terminal")

    def _pull(
        self,
        agent: ScriptedAgent,
        findings: Findings,
        judge: Callable[[Any], None],
        *,
        reuse: bool = False,
        **more: Any,
    ) -> tuple[list[ScriptedEnv], Any]:
        """Build a source, take its rows and judge each; the environments and the source."""
        env, inner = make_envs(self.form, self.script.plans, reuse=reuse)
        settings = self.takes.pick(
            gamma=self.script.gamma,
            steps_count=self.script.n,
            steps_delta=self.script.delta,
            **{"env_seed": None, "truncation": "bootstrap", **more},
        )
        delivered = 0
        sources: list[Any] = []

        def run() -> None:
            nonlocal delivered
            sources.append(self.make_source(env, agent, **settings))
            for item in islice(sources[0], ITEMS_PER_ENV * len(self.script.plans)):
                delivered += 1
                for row in item if _is_step_list(item) else (item,):
                    judge(row)

        with closing(env) if hasattr(env, "single_action_space") else nullcontext():
            outcome = findings.attempt("exception", "the source", run, group=self.form)
        if outcome is not FAILED and not delivered:
            findings.add("no rows", "the source gave no rows", group=self.form)
        return inner, sources[0] if sources else None


def _is_step_list(item: Any) -> bool:
    """Whether an item is a list of rows that came out of one vector step."""
    return isinstance(item, list) and (not item or not hasattr(item[0], "done"))


def _rows_of(item: Any) -> tuple[Any, ...]:
    """The rows of a window, or the one row, which may be a named tuple."""
    whole = hasattr(item, "state") or not isinstance(item, (tuple, list))
    return (item,) if whole else tuple(item)


def _check_item(item: Any, script: Script, form: str, findings: Findings) -> Place | None:
    """Compare an item with its window; returns where it starts, None if nowhere."""
    rows = _rows_of(item)
    if not rows or not all(hasattr(row, "state") and hasattr(row, "action") for row in rows):
        findings.add("no row", f"an item is neither a row nor a tuple of rows: {item!r}")
        return None
    place = decode(rows[0].state)
    if place is None or not script.knows(place):
        words = words_for(rows[0].state, Place(0, 1, 0), script)
        findings.add("state", f"a row's state is {words}", group=form)
        return None
    if script.is_final(place):
        findings.add(
            "phantom",
            f"{at(place)}: a row starts at the final observation of an episode, which is a phantom"
            f" transition from there to {_next_words(rows[0], place, script)}",
            group=form,
        )
        return None

    def note(kind: str, text: str) -> None:
        findings.add(kind, f"{at(place)}: {text}", group=form)

    window = script.window(place)
    if hasattr(rows[0], "last_state"):
        check_first_last(rows[0], window, script, note)
    elif hasattr(rows[0], "done"):
        check_steps(rows, window, script, note)
    else:
        findings.add("no row", f"a row has neither last_state nor done: {item!r}")
    return place


def _next_words(row: Any, place: Place, script: Script) -> str:
    last = getattr(row, "last_state", None)
    return "the next episode" if last is None else words_for(last, place, script)


def _picture(item: Any) -> str:
    """Everything a row's observations say, as text."""
    rows = _rows_of(item)
    names = ("state", "last_state", "final_state")
    return repr([[str(getattr(row, name, None)) for name in names] for row in rows])
