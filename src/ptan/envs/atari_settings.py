"""The settings of DQN's Atari preprocessing, kept in one place for training and evaluation."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from ptan.common._caution import warn_user

__all__ = ["AtariSettings", "alias_of_clipping", "need_extra", "warn_if_clipped"]


@dataclass(frozen=True)
class AtariSettings:
    """How Atari games are preprocessed; the defaults are those of Mnih et al. 2015.

    Training and evaluation environments are made from one object and cannot drift apart:

        settings = AtariSettings(noop_max=30)
        train = make_atari_vec("pong", 8, **settings.keywords())
        test = wrap_dqn(gymnasium.make("PongNoFrameskip-v4"), **settings.evaluation().keywords())

    Args:
        stack_frames: number of newest frames in one observation.
        episodic_life: whether a lost life ends the learning window (`terminated`), not the game.
        reward_clipping: whether rewards are replaced by their sign.
        noop_max: most no-ops at the start of a game (1 … noop_max are drawn); 0 for none.
        frame_skip: game frames per step; the action is held that long.
        screen_size: height and width of a frame in pixels.
        point_ends: whether any reward ends the learning window, as a lost life does.

    Raises:
        ValueError: a number outside its range.
    """

    stack_frames: int = 4
    episodic_life: bool = True
    reward_clipping: bool = True
    noop_max: int = 0
    frame_skip: int = 4
    screen_size: int = 84
    point_ends: bool = False

    def __post_init__(self) -> None:
        for name, low in (
            ("stack_frames", 1),
            ("noop_max", 0),
            ("frame_skip", 1),
            ("screen_size", 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ValueError(f"{name} must be an int of at least {low}, got {value!r}")

    def evaluation(self) -> Self:
        """The same settings with the game's own rewards and episode ends."""
        return replace(self, episodic_life=False, reward_clipping=False, point_ends=False)

    def keywords(self) -> dict[str, Any]:
        """The settings as keyword arguments of `wrap_dqn` and `make_atari_vec`."""
        return asdict(self)


def alias_of_clipping(reward_clipping: bool, clip_reward: bool | None) -> bool:
    """Whether rewards are clipped, `clip_reward` being the older name of `reward_clipping`."""
    if clip_reward and not reward_clipping:
        raise TypeError("clip_reward is another name of reward_clipping: give one of them")
    return reward_clipping if clip_reward is None else clip_reward


def need_extra(missing: ImportError) -> ImportError:
    """The error that tells how to install what Atari games need."""
    return ImportError(
        f'Atari games need {missing.name}: pip install "ptan[atari]"', name=missing.name
    )


def warn_if_clipped(env: Any) -> None:
    """Warn about an `AtariVectorEnv` that clips rewards or resets games at a lost life.

    Both falsify episode statistics. What `gymnasium.make_vec` made knows its settings; another one
    is warned about unless its attributes `reward_clipping` and `episodic_life` say otherwise.
    """
    while hasattr(env, "env"):
        env = env.env
    if not any(kind.__qualname__ == "AtariVectorEnv" for kind in type(env).__mro__):
        return
    spec = getattr(env, "spec", None)
    known = {} if spec is None else {"reward_clipping": True, "episodic_life": False, **spec.kwargs}
    clips = getattr(env, "reward_clipping", known.get("reward_clipping"))
    ends = getattr(env, "episodic_life", known.get("episodic_life"))
    advice = "ptan.common.wrappers.make_atari_vec makes one that does neither"
    if clips or ends:
        wrong = ["clips rewards"] * bool(clips) + ["resets the game at a lost life"] * bool(ends)
        said = " and ".join(wrong)
        warn_user(f"this AtariVectorEnv {said}: episode rewards are not the game's; {advice}")
    elif clips is None or ends is None:
        warn_user(
            "AtariVectorEnv clips rewards unless made with reward_clipping=False, and resets the "
            "game at a lost life if made with episodic_life=True; neither can be read back from "
            f"it. {advice}; or set env.reward_clipping = env.episodic_life = False to state it"
        )
