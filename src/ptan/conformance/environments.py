"""Checks for environments: Gymnasium's own first, then what sources need beyond it."""

import copy
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.utils.env_checker import check_env as check_contract
from gymnasium.utils.passive_env_checker import env_reset_passive_checker as check_reset
from gymnasium.utils.passive_env_checker import env_step_passive_checker as check_step
from gymnasium.vector import AutoresetMode, VectorEnv

from ptan.conformance.findings import FAILED, Findings
from ptan.conformance.oracles import leaves, same


def check_env(
    env: Any, *, steps: int = 300, seed: int = 0, action: Callable[[], Any] | None = None
) -> list[str]:
    """Check an environment: Gymnasium's contract, finite numbers, seeding, and lost lives.

        for finding in check_env(lambda: MyWrapper(gymnasium.make("CartPole-v1"))):
            print(finding)

    `gymnasium.utils.env_checker.check_env` comes first. If it finds nothing, the environment is
    played twice from one seed with the same actions, and every step is looked at. Sources accept
    more than this: old-style environments, and arrays that the environment writes to again.

    Args:
        env: an environment, or a factory of one.
        steps: environment steps of each play; findings count them from 0, over all episodes.
        seed: for `reset(seed=)` and the action space.
        action: called for every action; None samples a copy of the action space.

    Raises:
        TypeError: a `VectorEnv`; see `check_vector_env`.
    """
    findings = Findings()
    if isinstance(env, type) or not hasattr(env, "step"):
        env = findings.attempt("making the environment", env)
    if isinstance(env, VectorEnv):
        raise TypeError("env must be a single environment; check_vector_env takes a VectorEnv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice, such as on the bounds of spaces
        skip = {"skip_render_check": True, "skip_close_check": True}
        if env is not FAILED:
            findings.attempt("Gymnasium's checker", check_contract, env, **skip)
    if not findings.lines():
        first = _play(env, steps, seed, action, findings)
        again = first if action or findings.lines() else _play(env, steps, seed, action, findings)
        for one, two in zip(first, again, strict=False):
            if not same(one, two):
                findings.add(f"{one[0]}: two plays from one seed with equal actions differ")
                break
    return findings.lines()


def _play(
    env: Any, steps: int, seed: int, action: Callable[[], Any] | None, findings: Findings
) -> list[tuple[Any, ...]]:
    """Play, looking at everything that comes back; all that was seen, up to an exception."""
    space = copy.deepcopy(env.action_space)
    space.seed(seed)
    seen: list[tuple[Any, ...]] = []
    over, after = True, ""
    for number in range(steps):
        if over:
            at, settings = f"the reset before step {number}", {} if seen else {"seed": seed}
            outcome = _watch(findings, at, check_reset, env, **settings)
            if outcome is FAILED:
                break
            seen.append((at, copy.deepcopy(outcome[0])))
        at = f"step {number}{after}"
        outcome = _watch(findings, at, check_step, env, (action or space.sample)())
        if outcome is FAILED:
            break
        seen.append((at, *copy.deepcopy(outcome[:4])))
        *_, terminated, truncated, info = outcome
        over, after = bool(terminated or truncated), ""
        if info.get("life_loss") and (not over or info.get("lives") == 0):
            why = "with no lives left" if over else "without an end of the episode"
            findings.add(f"{at}: life_loss is said {why}")
        elif info.get("life_loss") and not truncated:  # the game must go on without a reset
            over, after = False, ", after a lost life without a reset"
    return seen


def _watch(findings: Findings, at: str, call: Any, *arguments: Any, **settings: Any) -> Any:
    """The result of a reset or step, with what Gymnasium warns of and bad numbers as findings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome = findings.attempt(at, call, *arguments, **settings)
    if outcome is FAILED:
        return FAILED
    reward = outcome[1] if len(outcome) == 5 else 0.0
    bad = [
        f"{what}{name}"
        for what, value in (("observation", outcome[0]), ("reward", reward))
        for name, array in leaves(value)
        if array.dtype.kind in "fc" and not np.isfinite(array).all()
    ]
    for name in bad:
        findings.add(f"{at}: the {name} holds NaN or infinity")
    for warning in () if bad else caught:
        text = re.sub(r"\x1b\[\d+m|WARN: ", "", str(warning.message))
        if np.ndim(reward) == 0 or not text.startswith("The reward"):  # vector rewards are fine
            findings.add(f"{at}: {text}")
    return outcome


def check_vector_env(
    vector_env: VectorEnv[Any, Any, Any], envs: Sequence[Any], *, steps: int = 200, seed: int = 0
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

    Raises:
        ValueError: not as many `envs` as there are inside.
    """
    if len(envs) != vector_env.num_envs:
        raise ValueError(f"envs must be {vector_env.num_envs} environments, got {len(envs)}")
    findings = Findings()

    def play() -> None:
        mode = vector_env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        shown, _ = vector_env.reset(seed=seed)
        vector_env.action_space.seed(seed)
        for i, env in enumerate(envs):
            right = env.reset(seed=seed + i)[0]
            findings.expect(f"the reset of environment {i}: the observation", shown[i], right)
        over = np.zeros(len(envs), np.bool_)
        for number in range(steps):
            if mode == AutoresetMode.DISABLED and over.any():
                shown, _ = vector_env.reset(options={"reset_mask": over})
                for i in np.flatnonzero(over).tolist():
                    at = f"the reset of environment {i} before step {number}"
                    findings.expect(f"{at}: the observation", shown[i], envs[i].reset()[0])
                over[:] = False
            actions = vector_env.action_space.sample()
            shown, rewards, terminated, truncated, info = vector_env.step(actions)
            for i, env in enumerate(envs):
                at = f"step {number} of environment {i}"
                if over[i]:  # NEXT_STEP: this step is the reset
                    at, right = f"{at}, which resets it", (env.reset()[0], 0.0, False, False)
                else:
                    right = env.step(actions[i])[:4]
                observation, reward, *flags = right
                over[i], found = any(flags), shown[i]
                what = "final observation" if over[i] else "observation"
                if over[i] and mode == AutoresetMode.SAME_STEP:
                    findings.expect(f"{at}, after the end: the observation", found, env.reset()[0])
                    over[i], found = False, info.get("final_obs", [None] * len(envs))[i]
                findings.expect(f"{at}: the {what}", found, observation)
                findings.expect(f"{at}: the reward", rewards[i], reward)
                ends = [bool(terminated[i]), bool(truncated[i])]
                findings.expect(f"{at}: (terminated, truncated)", ends, flags)
            if findings.lines():
                return  # from here on nothing need agree

    findings.attempt("the vector environment", play)
    return findings.lines()
