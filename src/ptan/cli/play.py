"""`ptan play`: watch the network of a run, in a window or as a video."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptan.cli.choosing import add_run
from ptan.cli.output import complain, tell
from ptan.runs.environments import close, make_one
from ptan.runs.errors import RunError
from ptan.runs.loading import load_agent
from ptan.runs.seeds import EVALUATED, derived_seed
from ptan.runs.video import VideoFile, frames_per_second

__all__ = ["add"]


def add(commands: Any, words: Sequence[str]) -> None:  # noqa: ARG001
    """Declare the command."""
    parser = commands.add_parser(
        "play",
        help="watch the network of a run",
        description="Play episodes with the newest network of a run, greedily, in a window or into "
        "a video file.",
    )
    add_run(parser, 1, "what the episodes are derived from")
    parser.add_argument(
        "--video",
        type=Path,
        metavar="FILE",
        help=f"write a video ({', '.join(VideoFile.KINDS)}) instead of showing a "
        "window; needs OpenCV, as in ptan[atari]",
    )
    parser.set_defaults(do=play)


def play(options: argparse.Namespace) -> int:
    """Play; returns the exit status."""
    VideoFile.check(options.video)
    loaded = load_agent(options.run, options.device)
    for warning in loaded.warnings:
        complain(warning)
    settings = loaded.config.settings
    env = make_one(settings, "human" if options.video is None else "rgb_array")
    seed = derived_seed(options.seed, EVALUATED)
    try:
        if options.video is None:
            _play(env, loaded.agent, options.episodes, seed, None)
        else:
            with VideoFile(options.video, frames_per_second(env, settings)) as video:
                _play(env, loaded.agent, options.episodes, seed, video)
            tell(f"{options.video}: {video.n_pictures} pictures")
    finally:
        close(env)
    return 0


def _play(env: Any, agent: Any, episodes: int, seed: int, video: VideoFile | None) -> None:
    """Play and print the return of each episode.

    Raises:
        RunError: there is no screen, or the environment draws no pictures.
    """
    for episode in range(episodes):
        observation, _ = _drawn(env.reset, seed=seed + episode)
        states, total, over = None, 0.0, False
        while not over:
            if video is not None:
                video.add(_drawn(env.render))
            actions, states = agent([observation], states)
            observation, reward, terminated, truncated, _ = _drawn(env.step, actions[0])
            total += float(reward)
            over = bool(terminated or truncated)
        tell(f"episode {episode + 1}: return {total:g}")


def _drawn(call: Any, *arguments: Any, **options: Any) -> Any:
    """What a call of the environment returns; what it raises about drawing, as one line."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RunError(f"the environment cannot be shown: {reason}") from error
