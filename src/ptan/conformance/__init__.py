"""Checks for environments, wrappers, sources and buffers of your own.

Each returns findings in plain words, an empty list if nothing is wrong; no test library is needed:

    for finding in check_env(lambda: gymnasium.make("CartPole-v1")):
        print(finding)
    assert not check_frame_stack(lambda env: FrameStackObservation(env, 4))

A finding reads like this: `step 1 of environment 0 (episode 2): the row's last_state is step 0 of
environment 0 (episode 3), right is step 2 of environment 0 (episode 2) (1 steps, the episode was
truncated at 1)`.
"""

from ptan.conformance.buffers import check_buffer, check_prioritized
from ptan.conformance.environments import (
    check_env,
    check_frame_stack,
    check_vector_env,
    check_wrapper,
)
from ptan.conformance.scripted import Episode, ScriptedAgent, ScriptedEnv
from ptan.conformance.sources import check_source

__all__ = ["Episode", "ScriptedAgent", "ScriptedEnv", "check_buffer", "check_env"]
__all__ += ["check_frame_stack", "check_prioritized", "check_source", "check_vector_env"]
__all__ += ["check_wrapper"]
