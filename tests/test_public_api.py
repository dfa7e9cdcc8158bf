"""The public surface is what is listed here, and importing it brings nothing heavy."""

import importlib
import importlib.resources
import json
import subprocess
import sys

import pytest

SURFACE = {
    "ptan": """
        actions agent algorithms cli collectors common conformance envs experience ignite losses nn
        replay runs training
    """,
    "ptan.actions": """
        ActionBounds ActionSelector Agent ArgmaxActionSelector EpsilonGreedyActionSelector
        EpsilonTracker GaussianNoise OrnsteinUhlenbeckProcess Policy PolicyStep
        ProbabilityActionSelector Selector ValuePolicy as_generator
    """,
    "ptan.agent": """
        ActorCriticAgent AgentStates BaseAgent DDPGAgent DQNAgent PolicyAgent SACAgent States
        TargetNet default_states_preprocessor float32_preprocessor
    """,
    "ptan.experience": """
        Batch Collector EpisodeCollector Episodes Experience ExperienceFirstLast
        ExperienceReplayBuffer ExperienceSource ExperienceSourceBuffer ExperienceSourceFirstLast
        ExperienceSourceRollouts PrioReplayBufferNaive PrioritizedReplayBuffer ReplayCollector
        Rollout RolloutCollector Rollouts SourceOptions TransitionCollector Update
        VectorExperienceSourceFirstLast batch_generator unpack_batch
    """,
    "ptan.collectors": """
        Collector Stepping SteppingCollector Update
    """,
    "ptan.common": """
        memory utils wrappers wrappers_simple
    """,
    "ptan.common.bfloat16": """
        computes_in_bfloat16
    """,
    "ptan.common.memory": """
        keep_freed_memory
    """,
    "ptan.common.utils": """
        MinSegmentTree RewardTracker SMAQueue SumSegmentTree TBMeanTracker
    """,
    "ptan.common.wrappers": """
        AtariSettings BufferWrapper ImageToPyTorch make_atari_vec wrap_dqn
    """,
    "ptan.common.wrappers_simple": """
        FrameStack1D
    """,
    "ptan.envs": """
        AtariSettings BufferWrapper CannotSave FrameStack1D ImageToPyTorch MadeAnew NotRepeated
        Probe RepeatEpisodes load_envs make_atari_vec make_env make_vector probe_repeats
        save_envs wrap_dqn
    """,
    "ptan.conformance": """
        Episode ScriptedAgent ScriptedEnv check_buffer check_env check_frame_stack
        check_prioritized check_source check_vector_env check_wrapper
    """,
    "ptan.ignite": """
        EndOfEpisodeHandler EpisodeEvents EpisodeFPSHandler EpisodeSource PeriodEvents
        PeriodicEvents setup_ignite
    """,
    "ptan.nn": """
        AtariA2C BodyNetwork DQNNet DistributionalDQN DuelingDQN NoisyDQN NoisyFactorizedLinear
        NoisyLayer NoisyLinear QMLP QNetwork RainbowDQN atari_body mlp_body resample_noise
    """,
    "ptan.losses": """
        A2CLoss Advantages CriticLoss DistributionalNetwork Loss SACPolicyLoss ShapeError
        a2c_loss categorical_entropies categorical_log_probs categorical_loss
        categorical_projection clipped_value_loss ddpg_critic_loss ddpg_policy_loss dqn_loss
        entropy_loss gaussian_entropies gaussian_log_probs generalized_advantages
        mean_state_value policy_gradient_loss ppo_policy_loss sac_critic_loss sac_policy_loss
        sac_temperature_loss tanh_gaussian value_loss
    """,
    "ptan.algorithms": """
        Algorithm DQN DQNConfig OptimizerStep PRESETS Preset Setting list_settings
    """,
    "ptan.training": """
        Callback Callbacks CheckpointError Checkpoints EpisodeStatistics JsonLinesLog
        LoadedCheckpoint Log Played Record TensorBoardLog ThreadTuner Tracker evaluate
        play_parallel process_function train
    """,
    "ptan.runs": """
        CATALOGUE Entry Run RunConfig RunError RunFolder RunSettings
    """,
    "ptan.cli": """
        main
    """,
}

HEAVY = [
    "ignite",
    "safetensors",
    "ale_py",
    "cv2",
    "tensorboard",
    "matplotlib",
    "rich",
    "pygame",
    "hypothesis",
]


@pytest.mark.parametrize("name", SURFACE)
def test_public_names_are_exactly_these(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert sorted(module.__all__) == SURFACE[name].split()
    assert [public for public in SURFACE[name].split() if not hasattr(module, public)] == []


def test_the_package_says_that_it_is_typed() -> None:
    assert importlib.resources.files("ptan").joinpath("py.typed").is_file()


def imported_by(statement: str) -> set[str]:
    """Top-level modules that are loaded after a statement in a fresh interpreter."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    return {name.partition(".")[0] for name in json.loads(output)}


def test_import_ptan_loads_no_extra() -> None:
    names = "actions, agent, algorithms, experience, losses, nn"
    loaded = imported_by(f"from ptan import {names}; experience.ExperienceReplayBuffer")
    assert {"ptan", "torch", "gymnasium", "numba"} <= loaded
    assert loaded & set(HEAVY) == set()
    # Help and lists of settings need nothing of all this.
    assert imported_by("import ptan") & {"torch", "gymnasium", "numba", "numpy"} == set()


def test_settings_and_presets_are_read_without_pytorch() -> None:
    statement = "import ptan; from ptan.algorithms import PRESETS, DQNConfig, list_settings"
    assert not imported_by(statement) & {"torch", "gymnasium", "numba", *HEAVY}


def test_ptan_ignite_is_loaded_on_first_use_and_is_not_pytorch_ignite() -> None:
    code = (
        "import ptan, sys; print({'ignite', 'ptan.ignite', 'ptan.conformance'} & {*sys.modules});"
        "print(ptan.ignite.__name__, 'setup_ignite' in dir(ptan.ignite))"
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    output = subprocess.check_output(command, text=True)
    assert output.split() == ["set()", "ptan.ignite", "True"]


def test_an_unknown_attribute_of_ptan_raises_attribute_error() -> None:
    ptan = importlib.import_module("ptan")
    with pytest.raises(AttributeError, match="no attribute 'ignit'"):
        ptan.ignit  # noqa: B018
