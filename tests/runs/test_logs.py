"""Event files, read back by TensorBoard itself."""

import io
import itertools
import sys

import gymnasium
import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ptan.algorithms import DQN, DQNConfig
from ptan.runs.logs import TensorBoardLog
from ptan.training import run
from ptan.training.images import draw_distributions
from ptan.training.json_lines import JsonLinesLog, read_json_lines
from ptan.training.tracking import Tracker

EVERYTHING = DQNConfig(
    dueling=True,
    noisy=True,
    prioritized=True,
    distributional=True,
    n_atoms=11,
    v_min=0.0,
    v_max=50.0,
    batch_size=8,
    replay_size=400,
    warm_up=40,
    hidden=8,
    beta_steps=200,
)


def events(folder) -> EventAccumulator:
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    reader.Reload()
    return reader


def points(reader: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in reader.Scalars(tag)]


def pictures(reader: EventAccumulator, tag: str) -> list[tuple[int, np.ndarray]]:
    return [
        (event.step, np.array(Image.open(io.BytesIO(event.encoded_image_string))))
        for event in reader.Images(tag)
    ]


def parts(config: DQNConfig):
    env = gymnasium.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync")
    algorithm = DQN(env.single_observation_space, env.single_action_space, config)
    source = algorithm.make_source(env)
    return algorithm, source, algorithm.make_buffer(source)


def singles(tagged: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """TensorBoard keeps float32."""
    return [(step, float(np.float32(value))) for step, value in tagged]


def test_scalars_and_images_come_back(tmp_path) -> None:
    log = TensorBoardLog(str(tmp_path / "deep" / "run"))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    log.scalars(10, {"train/avg_loss": 0.1, "train/fps": 1e9})
    log.scalars(20, {"train/avg_loss": np.float32(2), "episodes/steps": 7})
    log.image(20, "distributions/state_0", pixels)
    log.close()
    log.close()
    reader = events(tmp_path / "deep" / "run")
    assert points(reader, "train/avg_loss") == singles([(10, 0.1), (20, 2.0)])
    assert points(reader, "train/fps") == [(10, 1e9)]
    assert points(reader, "episodes/steps") == [(20, 7.0)]
    ((step, found),) = pictures(reader, "distributions/state_0")
    assert step == 20
    np.testing.assert_array_equal(found, pixels)


def test_a_resumed_run_hides_what_was_written_after_its_checkpoint(tmp_path) -> None:
    first = TensorBoardLog(tmp_path)
    for step in (10, 20, 30, 40):
        first.scalars(step, {"a": float(step), "b": 1.0})
        first.image(step, "c", np.full((2, 2, 3), step, np.uint8))
    first.close()
    second = TensorBoardLog(tmp_path, truncate_after=20)
    second.scalars(30, {"a": -30.0})
    second.image(35, "c", np.zeros((2, 2, 3), np.uint8))
    second.close()
    reader = events(tmp_path)
    assert points(reader, "a") == [(10, 10.0), (20, 20.0), (30, -30.0)]
    assert points(reader, "b") == [(10, 1.0), (20, 1.0)]
    assert [step for step, _ in pictures(reader, "c")] == [10, 20, 35]


def test_a_closed_log_does_not_begin_another_file(tmp_path) -> None:
    log = TensorBoardLog(tmp_path)
    log.close()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match="closed"):
        log.scalars(1, {"a": 1.0})
    with pytest.raises(ValueError, match="closed"):
        log.image(1, "a", np.zeros((2, 2, 3), np.uint8))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 2), np.uint8), np.zeros((3, 2, 2), np.uint8), np.zeros((2, 2, 3))]
)
def test_pixels_that_are_no_image_are_refused(tmp_path, pixels) -> None:
    log = TensorBoardLog(tmp_path)
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        log.image(1, "a", pixels)
    log.close()


@pytest.mark.parametrize(("steps", "error"), [(-1, ValueError), (1.5, TypeError)])
def test_a_truncation_that_makes_no_sense_leaves_no_file(tmp_path, steps, error) -> None:
    with pytest.raises(error, match="truncate_after"):
        TensorBoardLog(tmp_path / "run", truncate_after=steps)
    assert not (tmp_path / "run").exists()


def test_without_tensorboard_the_error_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r'pip install "ptan\[tensorboard\]"'):
        TensorBoardLog(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_event_files_of_a_real_run_say_what_its_records_say(tmp_path) -> None:
    algorithm, source, buffer = parts(EVERYTHING)
    logs = [TensorBoardLog(tmp_path / "tb"), JsonLinesLog(tmp_path / "metrics.jsonl")]
    now = 50.0
    tracker = Tracker(
        algorithm,
        buffer,
        logs,
        window=3,
        every=20,
        diagnostics_every=30,
        images_every=60,
        held_out=25,
        image_states=2,
        rng=7,
        clock=lambda: now,
    )
    records, values, drawn = [], {}, {}
    for record in itertools.islice(run(algorithm, source, buffer), 130):
        now = 50.0 + record.updates / 8
        tracker.record(record)
        records.append(record)
        states = tracker.state_dict()["states"]
        if record.updates % 30 == 0:
            values[record.env_steps] = said_of(algorithm, states)
        if record.updates % 60 == 0:
            drawn[record.env_steps] = [picture_of(algorithm, states[i]) for i in range(2)]
    for log in logs:
        log.close()
    assert states.shape == (25, 4)
    reader = events(tmp_path / "tb")
    lines = records[19::20]
    losses = [float(record.metrics["loss"]) for record in records]

    finished = [(r.env_steps, *episode) for r in records for episode in r.episodes]
    assert len(finished) > 3
    returns = [reward for _, reward, _ in finished]
    means = [np.mean(returns[max(0, i - 2) : i + 1]) for i in range(len(returns))]
    wanted = {
        "episodes/reward": [(step, reward) for step, reward, _ in finished],
        "episodes/steps": [(step, steps) for step, _, steps in finished],
        "episodes/mean_reward": [(finished[i][0], means[i]) for i in range(len(means))],
        "train/avg_loss": [
            (r.env_steps, np.mean(losses[20 * i : 20 * i + 20])) for i, r in enumerate(lines)
        ],
        "train/beta": [(r.env_steps, 0.4 + 0.6 * min(1, (r.env_steps - 40) / 200)) for r in lines],
        # 20 steps in 20/8 seconds; in the first line 19, as the warm-up before them is no training.
        "train/fps": [(r.env_steps, 8.0) for r in lines],
        **{
            f"values/{name}": [(step, found[name]) for step, found in values.items()]
            for name in next(iter(values.values()))
        },
    }
    assert {tag.split("/")[1] for tag in wanted if tag.startswith("values")} == {
        *("values", "adv", "val"),
        *(f"snr_{i}" for i in range(1, 5)),
    }
    scalars = reader.Tags()["scalars"]
    assert sorted(scalars) == sorted(wanted)  # noise in the place of ε
    for tag, curve in wanted.items():
        assert points(reader, tag) == [
            (step, pytest.approx(value, rel=1e-5)) for step, value in curve
        ], tag
    in_text = read_json_lines(tmp_path / "metrics.jsonl")
    for tag in wanted:
        found = singles([(line["env_steps"], line[tag]) for line in in_text if tag in line])
        assert points(reader, tag) == found
    for i in range(2):
        found = pictures(reader, f"distributions/state_{i}")
        assert [step for step, _ in found] == list(drawn)
        for (_, pixels), expected in zip(found, drawn.values(), strict=True):
            np.testing.assert_array_equal(pixels, expected[i])


def said_of(algorithm: DQN, states: np.ndarray) -> dict[str, float]:
    """Values and noise of the network's means, worked out layer by layer."""
    chances = chances_of(algorithm, states)
    values = (chances * np.linspace(0, 50, 11)).sum(-1)
    ratios = {
        f"snr_{i}": float(rms(layer.weight) / rms(layer.sigma_weight))
        for i, layer in enumerate(algorithm.net.noisy_layers, start=1)
    }
    best, mean = values.max(1).mean(), values.mean()
    return {"values": best, "adv": best - mean, "val": mean, **ratios}


def rms(weights: torch.Tensor) -> float:
    return np.sqrt((weights.detach().numpy().astype(np.float64) ** 2).mean())


def chances_of(algorithm: DQN, states: np.ndarray) -> np.ndarray:
    """Probabilities (N, 2, 11) from the means of the weights, by NumPy."""

    def layers(module, x):
        for layer in module.modules():
            if hasattr(layer, "weight"):
                means = layer.weight, layer.bias
                weight, bias = (mean.detach().numpy().astype(np.float64) for mean in means)
                x = x @ weight.T + bias
            elif isinstance(layer, torch.nn.ReLU):
                x = np.maximum(x, 0)
        return x

    net = algorithm.net
    features = layers(net.body, states.astype(np.float64))
    advantage = layers(net.fc_adv, features).reshape(len(states), 2, 11)
    value = layers(net.fc_val, features)[:, None]
    logits = value + advantage - advantage.mean(1, keepdims=True)
    exp = np.exp(logits - logits.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def picture_of(algorithm: DQN, state: np.ndarray) -> np.ndarray:
    chances, atoms = algorithm.return_distributions(state[None])
    np.testing.assert_allclose(chances.numpy(), chances_of(algorithm, state[None]), atol=1e-5)
    return draw_distributions(chances[0], atoms)
