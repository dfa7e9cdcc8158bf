"""Every example runs at a small size, and the README's program is the one in `examples/`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"

# Script and arguments -> what its output must hold.
SMALL = {
    "blocks_1_actions.py": ([], "argmax: [2 0]"),
    "blocks_2_agents.py": ([], "DQNAgent: (array([1, 2]), [None, None])"),
    "blocks_3_sources.py": (
        [],
        "ExperienceFirstLast(state=2, action=1, reward=1.9, last_state=None) "
        "discount 0.81, final state 4",
    ),
    "blocks_4_replay.py": ([], "discounts: [0.   0.81 0.81 0.81]"),
    "cartpole_ignite.py": (["--steps", "300"], "Episode 1: reward="),
    "pong_dqn.py": (
        ["--steps", "2500", "--initial", "1000", "--every", "50", "--device", "cpu"],
        "the buffer holds 2500 rows",
    ),
    "cartpole_demo.py": (
        ["--max-steps", "1500", "--seed", "3", "--runs", "logs"],
        "CartPole-v1 is not solved",
    ),
}


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # One thread: two are many times slower where other processes are busy.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def programs_in(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def readme_program() -> str:
    return next(one for one in programs_in(ROOT / "README.md") if "batch_generator" in one)


GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_the_code_in_a_guide_runs(guide: Path, tmp_path: Path) -> None:
    programs = programs_in(guide)
    assert programs
    for program in programs:
        result = run(["-c", program], tmp_path)
        assert result.returncode == 0, result.stderr


def test_every_example_is_tested() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    assert scripts == {*SMALL, "cartpole_dqn.py", "toy.py"}


@pytest.mark.parametrize("script", SMALL)
def test_example_runs_at_small_size(script: str, tmp_path: Path) -> None:
    arguments, expected = SMALL[script]
    result = run([str(EXAMPLES / script), *arguments], tmp_path)
    unsolved = script == "cartpole_demo.py"  # too small to solve anything, and it says so
    assert result.returncode == int(unsolved), result.stdout + result.stderr
    assert expected in result.stdout
    for folder in (tmp_path / "logs").glob("*") if unsolved else ():
        assert str(folder.relative_to(tmp_path)) in result.stdout
        assert (folder / "learning.png").read_bytes().startswith(b"\x89PNG")
        assert [*folder.glob("*tfevents*")]


def test_the_program_of_the_readme_is_the_example_has_25_lines_and_runs(tmp_path: Path) -> None:
    docstring, program = (EXAMPLES / "cartpole_dqn.py").read_text("utf-8").split("\n\n", 1)
    assert docstring.startswith('"""')
    assert readme_program() == program
    assert len([line for line in program.splitlines() if line]) == 25
    assert program.count("range(50_000)") == 1
    result = run(["-c", program.replace("range(50_000)", "range(300)")], tmp_path)
    assert result.returncode == 0, result.stderr
    assert re.search(r"^step \d+: an episode of (\d+) steps, reward \1$", result.stdout, re.M)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_of_the_repository_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text("utf-8"))
    local = [link for link in links if not link.startswith("http")]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []
