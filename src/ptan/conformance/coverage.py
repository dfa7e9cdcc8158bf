"""What a source's rows must be as a whole: complete, in order, and of whole games."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.scripts import Place, ScriptedAgent
from ptan.conformance.source_rows import close
from ptan.conformance.windows import Script


def at(place: Place) -> str:
    """Where a finding is."""
    return f"step {place.step} of environment {place.env} (episode {place.episode})"


def check_coverage(
    env: int, places: Sequence[Place], script: Script, findings: Findings, group: str
) -> None:
    """Every start of an episode has its row, once and in order."""
    if not places:
        findings.add("no rows", f"environment {env} gave no rows", group=group)
        return
    last = places[-1]
    expected = [
        place
        for episode in range(places[0].episode, last.episode + 1)
        for place in script.starts(env, episode)
        if place <= last
    ]
    given = set(places)
    missing = [place for place in expected if place not in given]
    for place in missing:
        findings.add(*_missing_words(place, given, script), group=group)
    for place in sorted(given - set(expected)):
        text = f"{at(place)}: a row starts here, but none should, with windows every "
        findings.add("extra", f"{text}{script.delta} steps", group=group)
    for place in sorted({p for p in places if places.count(p) > 1}):
        findings.add("twice", f"{at(place)}: two rows start here", group=group)
    for before, after in pairwise(places):
        if after < before:
            findings.add("order", f"{at(after)}: its row comes after a later one", group=group)


def _missing_words(place: Place, given: set[Place], script: Script) -> tuple[str, str]:
    """Kind and text of a finding about a start without a row."""
    episode = script.episode(place)
    mine = [p for p in given if p.episode == place.episode]
    lost = [step for step in episode.lost if step <= place.step]
    if lost and not any(p.step >= lost[-1] for p in mine):
        return "life loss reset", (
            f"{at(place)}: no row starts here; the environment was reset where only a life was "
            f"lost, at {lost[-1] - 1}, and the game had not ended"
        )
    stop = min(s for s in (*episode.lost, episode.length) if s > place.step)
    if stop - place.step < script.n:
        return "tail", (
            f"{at(place)}: no row starts here, at one of the last {script.n - 1} steps before the "
            f"episode ended at {stop - 1}"
        )
    return "missing", f"{at(place)}: no row starts here"


def check_agent_states(
    agent: ScriptedAgent, script: Script, findings: Findings, group: str
) -> None:
    """The agent's states begin with the episodes and go on within them."""
    for place, found, right in agent.wrong_states:
        if not script.knows(place) or script.is_final(place):
            continue
        if place.step == 0:
            why = "it must be the agent's initial state at the start of an episode"
        elif place.step in script.episode(place).lost:
            why = "it must go on after a lost life"
        else:
            why = f"it must be what the agent returned before, {right}"
        findings.add(
            f"agent state {why}", f"{at(place)}: the agent's state is {found}, {why}", group=group
        )


def check_statistics(
    source: Any, places: Sequence[Place], script: Script, findings: Findings, group: str
) -> None:
    """`pop_rewards_steps` tells whole games, each once."""
    pop = getattr(source, "pop_rewards_steps", None)
    if pop is None:
        return
    told = findings.attempt("statistics", "pop_rewards_steps()", lambda: list(pop()), group=group)
    if told is FAILED:
        return
    newest = {env: max(p.episode for p in places if p.env == env) for env, _, _ in places}
    played = {
        (env, episode): script.episode_total(env, episode)
        for env, last in newest.items()
        for episode in range(1, last + 3)
    }
    for reward, steps in told:
        match = [key for key, (r, s) in played.items() if s == steps and close(reward, r)]
        if match:
            # Of two that are alike, the one that must be told.
            del played[min(match, key=lambda key: key[1] - newest[key[0]])]
        else:
            findings.add(
                "statistics",
                f"pop_rewards_steps() tells an episode of {steps} steps and reward "
                f"{float(np.asarray(reward)):.6g}, which no environment played (a lost life ends "
                "no episode)",
                group=group,
            )
    for env, episode in played:
        if episode < newest[env]:
            text = f"pop_rewards_steps() leaves out episode {episode} of environment {env}"
            findings.add("statistics missing", text, group=group)
