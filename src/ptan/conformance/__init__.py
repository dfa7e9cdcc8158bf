"""Checks for environments, wrappers, sources and buffers of your own.

* `check_env`, `check_vector_env`: what sources need of an environment; the auto-reset modes
* `check_wrapper`, `check_frame_stack`: seeds and ends pass through, nothing crosses an end
* `check_source`: windows, ends, discounts, lost lives and statistics, row by row
* `check_buffer`, `check_prioritized`: what is kept, sampled, weighted and handed out

Each returns findings in plain words, an empty list if nothing is wrong. No test library is needed:

    import gymnasium
    from gymnasium.wrappers import FrameStackObservation
    from ptan.conformance import check_env, check_frame_stack

    for finding in check_env(lambda: gymnasium.make("CartPole-v1")):
        print(finding)
    assert not check_frame_stack(lambda env: FrameStackObservation(env, 4))

A finding reads like this: `step 1 of environment 0 (episode 2): the episode was truncated at 2, but
the row's last state is the reset observation`.
"""

from ptan.conformance.buffers import check_buffer, check_prioritized
from ptan.conformance.environments import check_env, check_vector_env
from ptan.conformance.scripted import Episode, ScriptedAgent, ScriptedEnv
from ptan.conformance.sources import check_source
from ptan.conformance.wrappers import check_frame_stack, check_wrapper

__all__ = [
    "Episode",
    "ScriptedAgent",
    "ScriptedEnv",
    "check_buffer",
    "check_env",
    "check_frame_stack",
    "check_prioritized",
    "check_source",
    "check_vector_env",
    "check_wrapper",
]
