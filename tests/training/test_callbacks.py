"""Callbacks are told everything once, in order, whichever of the methods they have."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ptan.training.callbacks import Callback, Callbacks
from ptan.training.loop import Record

RECORD = Record(40, 7, {"loss": 0.5}, [(1.0, 12), (-2.5, 8)])


class Told(Callback):
    def __init__(self, told: list, name: str) -> None:
        self.told, self.name = told, name

    def on_episode(self, env_steps, reward, steps, /) -> None:
        self.told.append((self.name, env_steps, reward, steps))

    def on_update(self, record, /) -> None:
        self.told.append((self.name, record.updates))


def test_a_record_is_its_episodes_and_then_its_update_for_all_in_their_order() -> None:
    told: list = []
    inner = Callbacks([Told(told, "b"), Told(told, "c")])
    callbacks = Callbacks([Told(told, "a"), inner])
    callbacks.record(RECORD)
    first, second = ([(name, 40, *episode) for name in "abc"] for episode in RECORD.episodes)
    assert told == [*first, *second, *((name, 7) for name in "abc")]
    told.clear()
    callbacks.record(Record(50, 7, {}, [(3.0, 9)], updated=False))
    assert told == [(name, 50, 3.0, 9) for name in "abc"]


def test_plain_objects_have_any_of_the_methods() -> None:
    told: list = []
    events = {
        "on_start": ("training",),
        "on_episode": (3, 1.0, 3),
        "on_update": (RECORD,),
        "on_evaluation": (5, SimpleNamespace(mean=1.0)),
        "on_checkpoint": (6, Path("x")),
        "on_end": ("steps",),
    }
    each = [SimpleNamespace(**{name: lambda *a, n=name: told.append((n, a))}) for name in events]
    callbacks = Callbacks(each)
    for name, arguments in events.items():
        getattr(callbacks, name)(*arguments)
        getattr(Callback(), name)(*arguments)  # does nothing
    assert told == [*events.items()]


@pytest.mark.parametrize("other", [print, "tracker", SimpleNamespace(on_update=3)])
def test_an_object_without_any_of_them_is_refused(other) -> None:
    with pytest.raises(TypeError, match=r"callbacks must have any of .*on_update.* got "):
        Callbacks([Callback(), other])
