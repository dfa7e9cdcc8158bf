"""How much of the speed of a loop that stores nothing is left when a buffer is filled?

CartPole, a 4-128-2 network, ε-greedy choice. The hand-written loop steps the same environments,
runs the same network and the same selector, and stores nothing. Figures are transitions per second:
the reset steps of a vector environment are work for everybody and transitions for nobody.
"""

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import nn

from benchmarks.arena import Arena, Contestant, Finding, Slice, ratio, speed

ENV = "CartPole-v1"
EPSILON = 0.1
GAMMA = 0.99
CAPACITY = 100_000
TRANSITIONS = {"one": 4_000, "list": 16_000, "sync": 16_000}  # of one slice
LAYOUTS = {"one": "1 env", "list": "16 envs in a list", "sync": "16 envs in a SyncVectorEnv"}
BOUNDS = {"one": 0.80, "list": 0.80, "sync": 0.75}
SB3_BOUND = 2.5


def network() -> nn.Module:
    torch.manual_seed(1)  # its greedy episodes last some 50 steps, not CartPole's shortest, 9
    return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 2))


def environments(layout: str) -> Any:
    if layout == "one":
        return gymnasium.make(ENV)
    if layout == "list":
        return [gymnasium.make(ENV) for _ in range(16)]
    return gymnasium.make_vec(ENV, num_envs=16, vectorization_mode="sync")


# The loops a careful person writes by hand.


def hand(layout: str, steps_count: int) -> Slice:  # noqa: ARG001 - it cuts no windows
    from ptan.actions import EpsilonGreedyActionSelector

    loop = {"one": _hand_one, "list": _hand_list, "sync": _hand_vector}[layout]
    select = EpsilonGreedyActionSelector(EPSILON, rng=0)
    return speed(loop(environments(layout), network(), select))


def _hand_one(env: Any, net: nn.Module, select: Callable[..., Any]) -> Iterator[int]:
    obs, _ = env.reset(seed=0)
    while True:
        with torch.no_grad():
            for _ in range(TRANSITIONS["one"]):
                scores = net(torch.from_numpy(obs)[None]).numpy()
                obs, _, terminated, truncated, _ = env.step(select(scores)[0])
                if terminated or truncated:
                    obs, _ = env.reset()
        yield TRANSITIONS["one"]


def _hand_list(envs: list[Any], net: nn.Module, select: Callable[..., Any]) -> Iterator[int]:
    observations = [env.reset(seed=index)[0] for index, env in enumerate(envs)]
    while True:
        with torch.no_grad():
            for _ in range(TRANSITIONS["list"] // len(envs)):
                actions = select(net(torch.from_numpy(np.array(observations))).numpy())
                for index, env in enumerate(envs):
                    obs, _, terminated, truncated, _ = env.step(actions[index])
                    observations[index] = env.reset()[0] if terminated or truncated else obs
        yield TRANSITIONS["list"]


def _hand_vector(envs: Any, net: nn.Module, select: Callable[..., Any]) -> Iterator[int]:
    obs, _ = envs.reset(seed=0)
    steps = TRANSITIONS["sync"] // envs.num_envs
    while True:
        ends = []
        with torch.no_grad():
            for _ in range(steps):
                scores = net(torch.from_numpy(obs)).numpy()
                obs, _, terminated, truncated, _ = envs.step(select(scores))
                ends.append(terminated | truncated)
        # The step after an end only resets.
        yield steps * envs.num_envs - int(np.sum(ends))


def ours(layout: str, steps_count: int) -> Slice:
    from ptan.actions import EpsilonGreedyActionSelector
    from ptan.agent import DQNAgent
    from ptan.experience import (
        ExperienceReplayBuffer,
        ExperienceSourceFirstLast,
        VectorExperienceSourceFirstLast,
    )

    agent = DQNAgent(network(), EpsilonGreedyActionSelector(EPSILON, rng=0))
    kind = VectorExperienceSourceFirstLast if layout == "sync" else ExperienceSourceFirstLast
    source = kind(environments(layout), agent, GAMMA, steps_count=steps_count, env_seed=0)
    buffer = ExperienceReplayBuffer(source, CAPACITY, rng=0)
    buffer.populate(100)
    # What is counted must be there: in len, in iteration, and for sample.
    assert len(buffer) == len(list(buffer)) == 100
    assert set(buffer.sample(10_000).indices.tolist()) == set(range(100))

    def populate() -> Iterator[int]:
        total = len(buffer)
        while True:
            buffer.populate(TRANSITIONS[layout])
            total += TRANSITIONS[layout]
            assert len(buffer) == min(total, CAPACITY)
            yield TRANSITIONS[layout]

    return speed(populate())


def ancestor(layout: str, steps_count: int) -> Slice:
    """In a vector environment it counts reset steps as transitions, so its figure flatters it."""
    import ptan

    select = ptan.actions.EpsilonGreedyActionSelector(EPSILON)
    agent = ptan.agent.DQNAgent(network(), select)
    vector = layout == "sync"
    kind = getattr(ptan.experience, "Vector" * vector + "ExperienceSourceFirstLast")
    source = kind(environments(layout), agent, GAMMA, steps_count=steps_count)
    buffer = ptan.experience.ExperienceReplayBuffer(source, CAPACITY)

    def populate() -> Iterator[int]:
        while True:
            buffer.populate(TRANSITIONS[layout])
            yield TRANSITIONS[layout]

    return speed(populate())


def stable_baselines3(layout: str, steps_count: int) -> Slice:
    from stable_baselines3 import DQN
    from stable_baselines3.common.env_util import make_vec_env

    # Their documented way, monitored as ours is: both keep episode statistics. No updates.
    model = DQN(
        "MlpPolicy",
        make_vec_env(ENV, n_envs=1 if layout == "one" else 16),
        buffer_size=CAPACITY,
        learning_starts=0,
        gradient_steps=0,
        n_steps=steps_count,
        gamma=GAMMA,
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        policy_kwargs={"net_arch": [128]},
        device="cpu",
    )

    def collect() -> Iterator[int]:
        while True:
            before = model.num_timesteps
            model.learn(TRANSITIONS[layout], log_interval=None, reset_num_timesteps=False)
            yield model.num_timesteps - before

    return speed(collect())


class _TianshouNet(nn.Module):
    """Tianshou's calling convention around the same network."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, obs: Any, state: Any = None, info: Any = None) -> Any:  # noqa: ARG002
        return self.net(torch.as_tensor(obs)), state


def tianshou(layout: str, steps_count: int) -> Slice:  # noqa: ARG001 - windows are cut when sampling
    from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
    from tianshou.data import Collector, VectorReplayBuffer
    from tianshou.env import DummyVectorEnv

    n_envs = 1 if layout == "one" else 16
    envs = DummyVectorEnv([lambda: gymnasium.make(ENV)] * n_envs)
    policy = DiscreteQLearningPolicy(
        model=_TianshouNet(),
        action_space=gymnasium.spaces.Discrete(2),
        eps_training=EPSILON,
        eps_inference=EPSILON,
    )
    buffer = VectorReplayBuffer(CAPACITY, n_envs)
    collector = Collector(policy, envs, buffer, exploration_noise=True)
    collector.reset()

    def collect() -> Iterator[int]:
        while True:
            yield int(collector.collect(n_step=TRANSITIONS[layout] // 4).n_collected_steps)

    return speed(collect())


def torchrl(layout: str, steps_count: int) -> Slice:  # noqa: ARG001 - only asked for n = 1
    from tensordict.nn import TensorDictSequential
    from torchrl.collectors import Collector
    from torchrl.data import LazyTensorStorage, ReplayBuffer
    from torchrl.envs import GymEnv, SerialEnv
    from torchrl.modules import EGreedyModule, QValueActor

    env = GymEnv(ENV) if layout == "one" else SerialEnv(16, lambda: GymEnv(ENV))
    actor = QValueActor(network(), in_keys=["observation"], spec=env.action_spec)
    greedy = EGreedyModule(env.action_spec, eps_init=EPSILON, eps_end=EPSILON)
    frames = TRANSITIONS[layout] // 8
    collector = Collector(
        env, TensorDictSequential(actor, greedy), frames_per_batch=frames, total_frames=-1
    )
    buffer = ReplayBuffer(storage=LazyTensorStorage(CAPACITY))

    def collect() -> Iterator[int]:
        for chunk in collector:
            buffer.extend(chunk.reshape(-1))
            yield frames

    return speed(collect())


CONTESTANTS = {
    "hand": Contestant("ours", hand, "ours"),
    "ours": Contestant("ours", ours, "ours"),
    "ancestor": Contestant("ancestor", ancestor, "ancestor"),
    "Stable-Baselines3": Contestant("peers", stable_baselines3, "sb3"),
    "Tianshou": Contestant("peers", tianshou, "tianshou"),
    "TorchRL": Contestant("peers", torchrl, "torchrl"),
}


def run(repeats: int) -> list[Finding]:
    """Measure every layout for n = 1 and n = 4."""
    findings = []
    with Arena(__name__) as arena:
        for layout, title in LAYOUTS.items():
            for steps_count in (1, 4):
                case = {"layout": layout, "steps_count": steps_count}
                findings += _case(arena, case, f"{title}, n = {steps_count}", repeats)
    return findings


def _case(arena: Arena, case: dict[str, Any], title: str, repeats: int) -> list[Finding]:
    layout = case["layout"]
    figures = arena.rounds(["ours", "hand"], case, 3 * repeats)
    against_hand = ratio(figures["ours"], figures["hand"])
    steps = {name: statistics.median(values) / 1e3 for name, values in figures.items()}
    bound = BOUNDS[layout]
    text = f"{against_hand}, {steps['ours']:.1f}k of {steps['hand']:.1f}k steps/s"
    findings = [
        Finding(
            "collection / hand loop", title, text, f"≥ {bound:.2f}", against_hand.median >= bound
        )
    ]
    others = ["ancestor", "Stable-Baselines3"]
    if case["steps_count"] == 1:
        others += ["Tianshou", "TorchRL"]
    figures = arena.rounds(["ours", "hand", *others], case, repeats)
    # How far ahead of the others a library could be that costs nothing at all.
    ceiling = ratio(figures["hand"], figures["Stable-Baselines3"])
    findings.append(Finding("hand loop / Stable-Baselines3", title, str(ceiling)))
    for other in others:
        against = ratio(figures["ours"], figures[other])
        bounded = other == "Stable-Baselines3" and layout != "one"
        text = f"{against}, theirs {statistics.median(figures[other]) / 1e3:.1f}k steps/s"
        findings.append(
            Finding(
                f"collection / {other}",
                title,
                text,
                f"≥ {SB3_BOUND}" if bounded else "",
                against.median >= SB3_BOUND if bounded else None,
            )
        )
    return findings
