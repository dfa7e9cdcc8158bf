"""The settings of DQN's Atari preprocessing: one object for training and evaluation."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from ptan.common.checks import warn_user, whole_number

__all__ = ["AtariSettings", "is_atari_vector", "need_extra", "warn_if_clipped"]


@dataclass(frozen=True)
class AtariSettings:
    """How Atari games are preprocessed; the defaults are those of Mnih et al. 2015.

    `make_atari_vec("pong", 8, **settings.keywords())` trains, `settings.evaluation()` evaluates.

    Args:
        stack_frames: number of newest frames in one observation.
        episodic_life: whether a lost life ends the learning window (`terminated`), not the game.
        reward_clipping: whether rewards are replaced by their sign.
        noop_max: most no-ops at the start of a game (1 … noop_max are drawn); 0 for none.
        frame_skip: game frames per step; the action is held that long.
        screen_size: height and width of a frame in pixels.
        point_ends: whether any reward ends the learning window, as a lost life does.
    """

    stack_frames: int = 4
    episodic_life: bool = True
    reward_clipping: bool = True
    noop_max: int = 0
    frame_skip: int = 4
    screen_size: int = 84
    point_ends: bool = False

    def __post_init__(self) -> None:
        for name in ("stack_frames", "frame_skip", "screen_size"):
            whole_number(name, getattr(self, name))
        whole_number("noop_max", self.noop_max, 0)

    def evaluation(self) -> Self:
        """The same settings with the game's own rewards and episode ends."""
        return replace(self, episodic_life=False, reward_clipping=False, point_ends=False)

    def keywords(self) -> dict[str, Any]:
        """The settings as keyword arguments of `wrap_dqn` and `make_atari_vec`."""
        return asdict(self)


def need_extra(missing: ImportError) -> ImportError:
    """The error that tells how to install what Atari games need."""
    return ImportError(f'Atari games need {missing.name}: pip install "ptan[atari]"')


def is_atari_vector(env: object) -> bool:
    """Whether it is ALE's vector of games, known by name: ALE may not be installed."""
    kinds = type(getattr(env, "unwrapped", env)).__mro__
    return any(kind.__name__ == "AtariVectorEnv" for kind in kinds)


def warn_if_clipped(env: object) -> None:
    """Warn about an `AtariVectorEnv` that clips rewards or resets games at a lost life, or may.

    What `gymnasium.make_vec` made tells its settings, any other has only the attributes we set.
    """
    if not is_atari_vector(env):
        return
    env = getattr(env, "unwrapped", env)
    spec = getattr(env, "spec", None)
    known = {"reward_clipping": True, "episodic_life": False, **spec.kwargs} if spec else {}
    names = ("reward_clipping", "episodic_life")
    clips, ends = (getattr(env, name, known.get(name, "unknown")) for name in names)
    if clips or ends:
        warn_user(
            f"AtariVectorEnv has reward_clipping={clips} and episodic_life={ends}: episode rewards "
            "are not the game's if one is True. ptan.common.wrappers.make_atari_vec makes one with "
            "neither; env.reward_clipping = env.episodic_life = False states it of another"
        )
