"""What does a batch of 32 from a replay buffer of vector observations cost?

Rows of four floats. Every contestant reads every column it offers: states, actions, rewards, next
states, ends and, where sampling is prioritized, weights. A prioritized slice samples and gives the
same 32 rows new priorities.
"""

import statistics
from typing import Any

import gymnasium
import numpy as np

from benchmarks.arena import Arena, Contestant, Finding, Ratio, Slice, ratio, seconds

ROWS = 100_000
MANY_ROWS = 10_000_000
BATCH = 32
ALPHA, BETA = 0.6, 0.4
BOUND = 0.35
GROWTH_BOUND = 2.0
CALLS = 4_000  # of one slice
OBSERVATIONS = gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32)
ACTIONS = gymnasium.spaces.Discrete(2)


class Noise(gymnasium.vector.VectorEnv):
    """Environments that never end and show noise: they fill a buffer as fast as it takes rows."""

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = OBSERVATIONS, ACTIONS
        self.observation_space = gymnasium.vector.utils.batch_space(OBSERVATIONS, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(ACTIONS, num_envs)
        self.metadata = {"autoreset_mode": gymnasium.vector.AutoresetMode.NEXT_STEP}
        self._rng = np.random.default_rng(0)
        self._never = np.zeros(num_envs, bool)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:  # noqa: ARG002
        """Random observations; seed and options have no effect."""
        return self._rng.random((self.num_envs, 4), np.float32), {}

    def step(self, actions: Any) -> Any:  # noqa: ARG002
        """Random observations and rewards, whatever the actions."""
        rewards = self._rng.random(self.num_envs)
        return self.reset()[0], rewards, self._never, self._never, {}


def ours(task: str, rows: int) -> Slice:
    from ptan import experience

    def agent(observations: Any, agent_states: Any = None) -> Any:
        return np.zeros(len(observations), np.int64), agent_states

    agent.initial_state = lambda: None  # type: ignore[attr-defined]
    source = experience.VectorExperienceSourceFirstLast(Noise(1_000), agent, 0.99)
    if task == "uniform":
        buffer = experience.ExperienceReplayBuffer(source, rows, rng=0)
    else:
        buffer = experience.PrioritizedReplayBuffer(source, rows, ALPHA, BETA, rng=0)
    buffer.populate(rows)
    assert len(buffer) == rows
    priorities = np.random.default_rng(0).random(BATCH) + 0.1

    def read(batch: Any) -> tuple[Any, ...]:
        columns = batch.states, batch.actions, batch.rewards, batch.last_states, batch.dones
        return *columns, batch.discounts, batch.steps, batch.indices, batch.weights

    def sample() -> None:
        read(buffer.sample(BATCH))

    def sample_and_update() -> None:
        batch, indices, _ = buffer.sample(BATCH, BETA)
        read(batch)
        buffer.update_priorities(indices, priorities)

    return seconds(sample if task == "uniform" else sample_and_update, CALLS)


def _rows(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((rows + 1, 4), np.float32), rng.random(rows)


def ancestor(task: str, rows: int) -> Slice:
    from ptan import experience

    prioritized = task == "prioritized"
    if prioritized:
        buffer = experience.PrioritizedReplayBuffer(None, rows, ALPHA)
    else:
        buffer = experience.ExperienceReplayBuffer(None, rows)
    observations, rewards = _rows(rows)
    for i in range(rows):
        row = observations[i], 0, float(rewards[i]), observations[i + 1]
        buffer._add(experience.ExperienceFirstLast(*row))
    priorities = (np.random.default_rng(0).random(BATCH) + 0.1).tolist()

    def unpack(batch: Any) -> None:
        # The function its published programs use.
        states, actions, rewards, dones, last_states = [], [], [], [], []
        for exp in batch:
            states.append(np.asarray(exp.state))
            actions.append(exp.action)
            rewards.append(exp.reward)
            dones.append(exp.last_state is None)
            last_states.append(np.asarray(exp.state if exp.last_state is None else exp.last_state))
        np.asarray(states), np.asarray(actions), np.array(rewards, dtype=np.float32)
        np.array(dones, dtype=np.uint8), np.asarray(last_states)

    def sample() -> None:
        unpack(buffer.sample(BATCH))

    def sample_and_update() -> None:
        batch, indices, _ = buffer.sample(BATCH, BETA)
        unpack(batch)
        buffer.update_priorities(indices, priorities)

    return seconds(sample_and_update if prioritized else sample, CALLS // 2)


def stable_baselines3(task: str, rows: int) -> Slice:  # noqa: ARG001 - it has no priorities
    from stable_baselines3.common.buffers import ReplayBuffer

    buffer = ReplayBuffer(rows, OBSERVATIONS, ACTIONS, device="cpu")
    observations, rewards = _rows(rows)
    action, done = np.zeros((1, 1), np.int64), np.zeros(1, bool)
    for i in range(rows):
        pair = observations[i][None], observations[i + 1][None]
        buffer.add(*pair, action, rewards[i : i + 1], done, [{}])
    return seconds(lambda: buffer.sample(BATCH), CALLS)


def tianshou(task: str, rows: int) -> Slice:
    from tianshou.data import Batch, PrioritizedReplayBuffer, ReplayBuffer

    prioritized = task == "prioritized"
    buffer = PrioritizedReplayBuffer(rows, ALPHA, BETA) if prioritized else ReplayBuffer(rows)
    observations, rewards = _rows(rows)
    plain = {"act": 0, "terminated": False, "truncated": False, "info": {}}
    for i in range(rows):
        pair = {"obs": observations[i], "obs_next": observations[i + 1]}
        buffer.add(Batch(**pair, rew=rewards[i], **plain))
    priorities = np.random.default_rng(0).random(BATCH) + 0.1

    def sample_and_update() -> None:
        _, indices = buffer.sample(BATCH)
        buffer.update_weight(indices, priorities)

    return seconds(sample_and_update if prioritized else lambda: buffer.sample(BATCH), CALLS // 2)


def torchrl(task: str, rows: int) -> Slice:  # noqa: ARG001 - its compiled sum tree does not load
    import torch
    from tensordict import TensorDict
    from torchrl.data import LazyTensorStorage, TensorDictReplayBuffer

    buffer = TensorDictReplayBuffer(storage=LazyTensorStorage(rows), batch_size=BATCH)
    observations, rewards = (torch.from_numpy(array) for array in _rows(rows))
    after = {"observation": observations[1:], "reward": rewards, "done": torch.zeros(rows) > 0}
    columns = {"observation": observations[:-1], "action": torch.zeros(rows).long(), "next": after}
    buffer.extend(TensorDict(columns, batch_size=[rows]))
    return seconds(buffer.sample, CALLS // 2)


CONTESTANTS = {
    "ours": Contestant("ours", ours, "ours"),
    "ancestor": Contestant("ancestor", ancestor, "ancestor"),
    "Stable-Baselines3": Contestant("peers", stable_baselines3, "sb3"),
    "Tianshou": Contestant("peers", tianshou, "tianshou"),
    "TorchRL": Contestant("peers", torchrl, "torchrl"),
}
TASKS = {
    "uniform": (
        "sample(32), all columns",
        ["ancestor", "Stable-Baselines3", "Tianshou", "TorchRL"],
    ),
    "prioritized": ("prioritized sample(32) + update", ["ancestor", "Tianshou"]),
}


def run(repeats: int) -> list[Finding]:
    """Measure uniform and prioritized sampling against every peer, and our growth to 1e7 rows."""
    findings = []
    with Arena(__name__) as arena:
        for task, (title, others) in TASKS.items():
            case = {"task": task, "rows": ROWS}
            figures = arena.rounds(["ours", *others], case, repeats)
            best = min(others, key=lambda name: statistics.median(figures[name]))
            for other in others:
                against = ratio(figures["ours"], figures[other])
                bound = BOUND if other == best else None
                text = _text(against, figures["ours"], f"{other}'s", figures[other])
                findings.append(_finding(f"{title} / {other}", "1e5 rows", text, against, bound))
        findings.append(_growth(arena, repeats))
    return findings


def _growth(arena: Arena, repeats: int) -> Finding:
    cases = [{"task": "prioritized", "rows": rows} for rows in (MANY_ROWS, ROWS)]
    figures: list[list[float]] = [[], []]
    for index in range(repeats + 1):
        for case, values in zip(cases, figures, strict=True):
            figure = arena.ask("ours", case)
            if index:  # the first one warms up
                values.append(figure)
    against = ratio(*figures)
    text = _text(against, figures[0], "1e5 rows'", figures[1])
    title = f"{TASKS['prioritized'][0]} / ours at 1e5"
    return _finding(title, "1e7 rows", text, against, GROWTH_BOUND)


def _text(against: Ratio, mine: list[float], whose: str, other: list[float]) -> str:
    figures = statistics.median(mine) * 1e6, statistics.median(other) * 1e6
    return f"{against}, {figures[0]:.1f} µs against {whose} {figures[1]:.1f}"


def _finding(title: str, case: str, text: str, against: Ratio, bound: float | None) -> Finding:
    if bound is None:
        return Finding(title, case, text)
    return Finding(title, case, text, f"≤ {bound:.2f}", against.median <= bound)
