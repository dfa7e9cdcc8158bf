"""What do stacked Atari frames cost in a replay buffer: bytes, insertion, sampling?

Pong, 8 environments, n = 4, 20,000 rows. A recording of a random player is played back, so that the
emulator's time is nobody's. Our insertion time is that of `populate` less that of a loop that only
steps the recording, so it holds the whole way from the environment into the buffer; the others
store what such a loop hands them, without cutting windows.
"""

import ctypes
import gc
import statistics
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arena import Arena, Contestant, Finding, Slice, now, ratio, seconds
from benchmarks.recording import ACTIONS, OBSERVATIONS, STACK, Recording

ROWS, ENVS, STEPS_COUNT, BATCH = 20_000, 8, 4, 32
RECORDED_STEPS = 2 * ROWS // ENVS  # so long that the buffer has forgotten what comes again
INSERTED = 2_000  # rows of one slice
SAMPLES = 100  # of one slice
BYTES_BOUND, MEMCPY_BOUND, INSERT_BOUND = 7_200, 0.90, 25e-6


def _recording() -> Recording:
    return Recording(ENVS, RECORDED_STEPS)


def resident() -> int:
    """Bytes of memory that this process occupies."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


# Ours.


def _source() -> Any:
    from ptan import experience

    def agent(observations: Any, agent_states: Any = None) -> Any:
        return np.zeros(len(observations), np.int64), agent_states

    agent.initial_state = lambda: None  # type: ignore[attr-defined]
    return experience.VectorExperienceSourceFirstLast(
        _recording(), agent, 0.99, steps_count=STEPS_COUNT
    )


@cache
def _buffer() -> Any:
    from ptan import experience

    buffer = experience.ExperienceReplayBuffer(_source(), ROWS, rng=0)
    buffer.populate(ROWS)
    return buffer


def ours(task: str) -> Slice:
    return {
        "bytes": _our_resident_bytes,
        "nbytes": lambda: lambda: _buffer().nbytes / len(_buffer()),
        "insert": _our_insertion,
        "add": _our_add,
        "sample": _our_sample,
    }[task]()


def _our_resident_bytes() -> Slice:
    from ptan import experience

    source = _source()
    # Compile and load everything first: code is not part of a transition.
    experience.ExperienceReplayBuffer(source, 100, rng=0).populate(200)
    before = resident()
    buffer = experience.ExperienceReplayBuffer(source, ROWS, rng=0)
    buffer.populate(ROWS)
    per_row = (resident() - before) / len(buffer)
    return lambda: per_row


def _our_insertion() -> Slice:
    buffer, env = _buffer(), _recording()
    env.reset()
    actions = np.zeros(ENVS, np.int64)
    loop = seconds(lambda: env.step(actions), INSERTED // ENVS)
    populate = seconds(lambda: buffer.populate(INSERTED), 1)
    return lambda: populate() / INSERTED - loop() / ENVS


def _our_add() -> Slice:
    buffer, rows = _buffer(), iter(_source())

    def measure() -> float:
        fresh = [next(rows) for _ in range(INSERTED)]
        start = now()
        for row in fresh:
            buffer.add(row)
        return (now() - start) / INSERTED

    return measure


def _our_sample() -> Slice:
    buffer = _buffer()

    def sample() -> Any:
        batch = buffer.sample(BATCH)
        return batch.states, batch.last_states

    assert sum(column.nbytes for column in sample()) == 2 * BATCH * OBSERVATIONS.sample().nbytes
    return seconds(sample, SAMPLES)


def memcpy(task: str) -> Slice:  # noqa: ARG001 - it can do nothing else
    """As many bytes, frame by frame, from random places of our store, by the C library."""
    import numba

    copy = ctypes.CDLL(None).memcpy
    copy.argtypes, copy.restype = (ctypes.c_size_t,) * 3, ctypes.c_size_t
    store = _buffer()._table.stores[0].frames
    rng = np.random.default_rng(0)

    @numba.njit
    def gather(to: Any, frames: Any, places: Any) -> None:
        size = frames.strides[0]
        for i, place in enumerate(places):
            copy(to.ctypes.data + i * size, frames.ctypes.data + place * size, size)

    def fill() -> None:
        places = rng.integers(ROWS, size=2 * BATCH * STACK[0])
        gather(np.empty((len(places), store.shape[1]), store.dtype), store, places)

    fill()
    return seconds(fill, SAMPLES)


# The others store (observations, actions, rewards, next observations) of all environments at once.


def _theirs(task: str, put: Any, sample: Any) -> Slice:
    env = _recording()
    observations, _ = env.reset()
    before = resident()
    actions = np.zeros(ENVS, np.int64)

    def insert(rows: int) -> float:
        nonlocal observations
        spent = 0.0
        for _ in range(rows // ENVS):
            after, rewards, terminated, _, _ = env.step(actions)
            start = now()
            put(observations, actions, rewards, after, terminated)
            spent += now() - start
            observations = after
        return spent / rows

    insert(ROWS)
    per_row = (resident() - before) / ROWS
    return {
        "bytes": lambda: per_row,
        "insert": lambda: insert(INSERTED),
        "sample": seconds(sample, SAMPLES),
    }[task]


def ancestor(task: str) -> Slice:
    from ptan import experience

    buffer = experience.ExperienceReplayBuffer(None, ROWS)

    def put(states: Any, actions: Any, rewards: Any, after: Any, ends: Any) -> None:
        for i in range(ENVS):
            last_state = None if ends[i] else after[i]
            buffer._add(
                experience.ExperienceFirstLast(states[i], actions[i], rewards[i], last_state)
            )

    def sample() -> Any:
        batch = buffer.sample(BATCH)
        after = [row.state if row.last_state is None else row.last_state for row in batch]
        return np.asarray([row.state for row in batch]), np.asarray(after)

    return _theirs(task, put, sample)


def stable_baselines3(task: str) -> Slice:
    from stable_baselines3.common.buffers import ReplayBuffer

    buffer = ReplayBuffer(ROWS, OBSERVATIONS, ACTIONS, device="cpu", n_envs=ENVS)
    infos: list[dict[str, Any]] = [{}] * ENVS

    def put(states: Any, actions: Any, rewards: Any, after: Any, ends: Any) -> None:
        buffer.add(states, after, actions, rewards, ends, infos)

    return _theirs(task, put, lambda: buffer.sample(BATCH))


def tianshou(task: str) -> Slice:
    from tianshou.data import Batch, VectorReplayBuffer

    buffer = VectorReplayBuffer(ROWS, ENVS)
    ids, never = np.arange(ENVS), np.zeros(ENVS, bool)

    def put(states: Any, actions: Any, rewards: Any, after: Any, ends: Any) -> None:
        row = {"obs": states, "act": actions, "rew": rewards, "obs_next": after}
        buffer.add(Batch(**row, terminated=ends, truncated=never, info={}), buffer_ids=ids)

    return _theirs(task, put, lambda: buffer.sample(BATCH))


CONTESTANTS = {
    "ours": Contestant("ours", ours, "ours"),
    "ours, process memory": Contestant("ours", ours, "memory"),
    "memcpy": Contestant("ours", memcpy, "ours"),
    "ancestor": Contestant("ancestor", ancestor, "ancestor"),
    "Stable-Baselines3": Contestant("peers", stable_baselines3, "sb3"),
    "Tianshou": Contestant("peers", tianshou, "tianshou"),
}
OTHERS = ["ancestor", "Stable-Baselines3", "Tianshou"]


def run(repeats: int) -> list[Finding]:
    """Measure bytes, insertion and sampling."""
    with Arena(__name__) as arena:
        return [*_memory(arena), *_insertion(arena, repeats), *_sampling(arena, repeats)]


def _memory(arena: Arena) -> list[Finding]:
    findings = []
    names = {"nbytes": "ours", "bytes": "ours, process memory"}
    for task, name in names.items():
        figure = arena.ask(name, {"task": task})
        title = "bytes per transition, " + ("nbytes" if task == "nbytes" else "process memory")
        bound = f"≤ {BYTES_BOUND:,}"
        findings.append(Finding(title, "ours", f"{figure:,.0f}", bound, figure <= BYTES_BOUND))
    for name in OTHERS:
        figure = arena.ask(name, {"task": "bytes"})
        findings.append(Finding("bytes per transition, process memory", name, f"{figure:,.0f}"))
    return findings


def _insertion(arena: Arena, repeats: int) -> list[Finding]:
    findings = []
    figures = arena.rounds(["ours", *OTHERS], {"task": "insert"}, repeats)
    figures["ours, add(row) by hand"] = arena.rounds(["ours"], {"task": "add"}, repeats)["ours"]
    for name, values in figures.items():
        median = statistics.median(values)
        text = f"{median * 1e6:.1f} µs ({min(values) * 1e6:.1f}–{max(values) * 1e6:.1f})"
        bounded = name.startswith("ours")
        bound = f"≤ {INSERT_BOUND * 1e6:.0f} µs" if bounded else ""
        holds = median <= INSERT_BOUND if bounded else None
        findings.append(Finding("insertion per row", name, text, bound, holds))
    return findings


def _sampling(arena: Arena, repeats: int) -> list[Finding]:
    findings = []
    for others, rounds in (["memcpy"], 3 * repeats), (OTHERS, repeats):
        figures = arena.rounds(["ours", *others], {"task": "sample"}, rounds)
        for other in others:
            # Speed over speed is time over time the other way round.
            against = ratio(figures[other], figures["ours"])
            mine, theirs = (statistics.median(figures[name]) * 1e6 for name in ("ours", other))
            text = f"{against} times its speed, {mine:.0f} µs against {theirs:.0f}"
            bounded = other == "memcpy"
            bound = f"≥ {MEMCPY_BOUND:.2f}" if bounded else ""
            holds = against.median >= MEMCPY_BOUND if bounded else None
            findings.append(Finding("sample(32), both stacks", other, text, bound, holds))
    return findings
