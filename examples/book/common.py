"""What the programs of this folder share: options, environments, what is watched, the final test.

The hyperparameters are those of `ptan.algorithms.PRESETS`; no number of theirs is repeated here.
"""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import ale_py
import gymnasium
import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

import ptan
from ptan.algorithms import PRESETS
from ptan.common.wrappers import wrap_dqn
from ptan.ignite import PeriodEvents
from ptan.training import images

HELD_OUT_STATES = 1_000
TEST_SEED = 1_000_000  # of environments that training never sees

Measure = Callable[[Tensor], dict[str, float]]


def read_options(name: str, *presets: str, **settings: Any) -> argparse.Namespace:
    """Read the flags of a program that follows one of the presets, the first unless told.

    The result also has `name`, `env_id`, `atari` (the preprocessing of games) and `params`: the
    settings of the preset, with those that the program and its flags change.
    """
    parser = argparse.ArgumentParser(description=f"{name}: unset flags are as in the preset.")
    add = parser.add_argument
    add("--preset", choices=presets, default=presets[0])
    add("--seed", type=int)
    add("--initial", type=int, dest="warm_up", help="steps before the first update of a DQN")
    add("--batch-size", type=int)
    add("--iterations", type=int, default=1_000_000, help="updates at most")
    add("--stop-reward", type=float, help="mean reward that ends the training")
    add("--test-episodes", type=int, default=20, help="greedy ones at the end; 0 for none")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--runs", type=Path, default=Path("runs"), help="folder for TensorBoard logs")
    options = parser.parse_args()
    preset = PRESETS[options.preset]
    flags = {key: getattr(options, key) for key in ("seed", "warm_up", "batch_size")}
    settings |= {key: value for key, value in flags.items() if value is not None}
    options.params = replace(preset.config, **settings)
    torch.manual_seed(options.params.seed)  # draws the first weights, and learned noise
    options.name, options.env_id, options.atari = name, preset.env_id, preset.atari
    if options.stop_reward is None:
        options.stop_reward = preset.stop_reward
    return options


def make_env(options: argparse.Namespace, testing: bool = False) -> gymnasium.Env[Any, Any]:
    """Make an environment, with DQN's preprocessing if it is a game."""
    if "NoFrameskip" not in options.env_id:
        return gymnasium.make(options.env_id)
    gymnasium.register_envs(ale_py)
    settings = options.atari
    if testing:
        # Without no-ops a greedy agent would play one and the same game of Pong all the time.
        settings = replace(settings, noop_max=30).evaluation()
    return wrap_dqn(gymnasium.make(options.env_id), **settings.keywords())


def make_writer(options: argparse.Namespace) -> SummaryWriter:
    """A TensorBoard log in a folder of its own, for the programs without Ignite."""
    time = datetime.now().strftime("%Y-%m-%dT%H-%M-%S.%f")
    writer = SummaryWriter(str(options.runs / f"{time}-{options.name}"))
    print(f"TensorBoard log in {writer.log_dir}")
    return writer


def setup_ignite(
    engine: Engine,
    source: ptan.experience.ExperienceSource,
    buffer: ptan.experience.ExperienceReplayBuffer,
    net: nn.Module,
    options: argparse.Namespace,
    metrics: Iterable[str],
    measure: Measure | None = None,
) -> SummaryWriter:
    """Print and log the training, stop it when it is solved, and look at held-out states.

    Beside what `ptan.ignite.setup_ignite` logs come the `metrics`: numbers in the engine's output;
    and, every 100 iterations, the mean value of 1,000 held-out states as `values`, and what
    `measure` says of these states.
    """
    logger = ptan.ignite.setup_ignite(
        engine,
        source,
        options.name,
        stop_reward=options.stop_reward,
        extra_metrics=["values", *metrics],
        log_dir=options.runs,
    )
    held_out: list[Tensor] = []

    @engine.on(PeriodEvents.ITERS_100_COMPLETED)
    def look(engine: Engine) -> None:
        if not held_out:
            rng = np.random.default_rng(options.params.seed)
            count = min(HELD_OUT_STATES, len(buffer))
            slots = rng.choice(len(buffer), size=count, replace=False).tolist()
            states = np.stack([buffer.buffer[slot].state for slot in slots])
            held_out.append(torch.from_numpy(states).to(options.device))
        net.eval()  # the values without noise
        engine.state.metrics["values"] = ptan.losses.mean_state_value(held_out[0], net)
        if measure is not None:
            engine.state.metrics.update(measure(held_out[0]))
        net.train()

    @engine.on(Events.ITERATION_COMPLETED)
    def publish(engine: Engine) -> None:
        output = engine.state.output
        engine.state.metrics.update({name: output[name] for name in metrics if name in output})

    print(f"TensorBoard log in {logger.writer.log_dir}")
    return logger.writer


def draw_distributions(writer: SummaryWriter, net: nn.Module, states: Tensor, step: int) -> None:
    """Draw the return distributions of all actions in a few states."""
    with torch.no_grad():
        probabilities = net.apply_softmax(net(states)).cpu().numpy()
    atoms = net.supports.cpu().numpy()
    for number, of_actions in enumerate(probabilities):
        picture = images.draw_distributions(of_actions, atoms)
        writer.add_image(f"distributions/state_{number}", picture, step, dataformats="HWC")


def test_greedily(model: Callable[[Tensor], Tensor], options: argparse.Namespace) -> None:
    """Play with the final network, greedily, in an environment of its own: this says "solved"."""
    if options.test_episodes == 0:
        return
    agent = ptan.agent.DQNAgent(model, ptan.actions.ArgmaxActionSelector(), options.device)
    env = make_env(options, testing=True)
    returns = ptan.training.evaluate(env, agent, options.test_episodes, seed=TEST_SEED)
    print(f"The final network, greedy: mean reward {np.mean(returns):.1f}, {len(returns)} episodes")
