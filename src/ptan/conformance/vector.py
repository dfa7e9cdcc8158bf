"""Checks for vector environments: the same transitions as single ones, in each auto-reset mode."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from ptan.conformance.environments import same
from ptan.conformance.findings import Findings


def check_vector_env(
    vector_env: VectorEnv[Any, Any, Any],
    envs: Sequence[Any],
    *,
    steps: int = 200,
    seed: int = 0,
) -> list[str]:
    """Check a vector environment against single ones, with equal seeds and actions.

        envs = [make_env() for _ in range(2)]
        for finding in check_vector_env(SyncVectorEnv([make_env, make_env]), envs):
            print(finding)

    What must agree is every observation, the final ones included (in `info["final_obs"]` where the
    mode is SAME_STEP), every reward and every end.

    Args:
        vector_env: with array observations, in the auto-reset mode that its metadata tell.
        envs: one single environment per environment inside; the i-th is seeded with `seed + i`.
        steps: steps of the vector environment.
        seed: given to its first reset.

    Returns:
        Findings in plain words, none if nothing is wrong. Steps and environments count from 0.

    Raises:
        ValueError: not as many `envs` as there are inside.
    """
    if len(envs) != vector_env.num_envs:
        raise ValueError(f"envs must be {vector_env.num_envs} environments, got {len(envs)}")
    findings = Findings()
    findings.attempt(
        "exception",
        "the vector environment",
        lambda: _play(vector_env, envs, steps, seed, findings),
    )
    return findings.lines()


def _play(
    vector_env: VectorEnv[Any, Any, Any],
    envs: Sequence[Any],
    steps: int,
    seed: int,
    findings: Findings,
) -> None:
    mode = vector_env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    shown, _ = vector_env.reset(seed=seed)
    for i, env in enumerate(envs):
        _compare(
            "reset",
            f"the reset of environment {i}",
            shown[i],
            env.reset(seed=seed + i)[0],
            findings,
        )
    vector_env.action_space.seed(seed)
    over = np.zeros(len(envs), np.bool_)
    for number in range(steps):
        if mode == AutoresetMode.DISABLED and over.any():
            shown, _ = vector_env.reset(options={"reset_mask": over})
            for i in np.flatnonzero(over).tolist():
                at = f"the reset of environment {i} before step {number}"
                _compare("reset", at, shown[i], envs[i].reset()[0], findings)
            over[:] = False
        actions = vector_env.action_space.sample()
        over = _step(vector_env, envs, actions, over, mode, number, findings)
        if findings.lines():
            return  # from here on nothing need agree


def _step(
    vector_env: VectorEnv[Any, Any, Any],
    envs: Sequence[Any],
    actions: Any,
    over: Any,
    mode: Any,
    number: int,
    findings: Findings,
) -> Any:
    """One step of all; which episodes wait for their reset."""
    shown, rewards, terminated, truncated, info = vector_env.step(actions)
    waiting = np.zeros(len(envs), np.bool_)
    for i, env in enumerate(envs):
        at = f"step {number} of environment {i}"
        if over[i]:  # NEXT_STEP: this step is the reset
            _compare("reset", f"{at}, which resets it", shown[i], env.reset()[0], findings)
            if terminated[i] or truncated[i] or rewards[i]:
                findings.add("reset", f"{at} resets it, but tells a reward or an end")
            continue
        observation, reward, *flags, _ = env.step(actions[i])
        told = [bool(terminated[i]), bool(truncated[i])]
        if told != [bool(flag) for flag in flags]:
            words = "(terminated, truncated) is"
            findings.add("ends", f"{at}: {words} {tuple(told)}, right is {tuple(flags)}")
        if not np.isclose(rewards[i], reward, rtol=1e-5):
            findings.add("reward", f"{at}: the reward is {rewards[i]}, right is {reward}")
        given = shown[i]
        if any(flags):
            waiting[i] = mode != AutoresetMode.SAME_STEP
            if not waiting[i]:
                _compare("reset", f"{at}, after the end", given, env.reset()[0], findings)
                given = _final(info, i, at, findings)
        if given is not None:
            _compare("observation", at, given, observation, findings, final=any(flags))
    return waiting


def _final(info: dict[str, Any], i: int, at: str, findings: Findings) -> Any:
    """The final observation, that SAME_STEP puts into the info."""
    given = info.get("final_obs")
    if given is None or given[i] is None:
        findings.add("final_obs", f'{at}: the episode ended, but info has no "final_obs" for it')
        return None
    return given[i]


def _compare(
    kind: str, at: str, found: Any, right: Any, findings: Findings, *, final: bool = False
) -> None:
    if not same(found, right):
        what = "final observation" if final else "observation"
        findings.add(kind, f"{at}: the {what} is {found}, right is {right}")
