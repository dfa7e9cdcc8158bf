"""Scripted episodes, and what a TensorBoard folder holds."""

import pytest
from ignite.engine import Engine
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


class ScriptedSource:
    """Hands out a scripted list of finished episodes at each call, then nothing."""

    def __init__(self, *per_iteration):
        self._script = iter(per_iteration)

    def pop_rewards_steps(self):
        return list(next(self._script, []))


def rewards(*values):
    """One episode of ten steps with each reward, one per iteration."""
    return ScriptedSource(*[[(value, 10)] for value in values])


def make_engine(process=lambda engine, batch: {"loss": 0.5}):
    return Engine(process)


def record(engine, *events):
    """Note (event name, state.episode, reward) whenever one of the events is fired."""
    seen = []

    def note(engine, name):
        seen.append((name, engine.state.episode, engine.state.episode_reward))

    for event in events:
        engine.add_event_handler(event, note, event.name)
    return seen


def scalars(folder):
    """All scalars of a TensorBoard folder: tag -> [(step, value)]."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, pytest.approx(event.value, rel=1e-5)) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
