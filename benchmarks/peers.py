"""Environments of the other libraries, made on demand beside the project's own.

The ancestor has the same import name as this library, so it gets an environment of its own.
Versions are pinned here and in `constraints.txt`; nothing is ever installed into the project's.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
TORCH = "torch==2.13.0"

# Environment -> the pip calls that fill it, in order. Torch comes first, so that nothing after it
# can pull in another build.
ENVIRONMENTS: dict[str, list[list[str]]] = {
    "peers": [
        [TORCH],
        ["stable-baselines3", "tianshou", "torchrl", "ale-py", "opencv-python-headless"],
    ],
    "ancestor": [
        [TORCH],
        ["stable-baselines3", "pytorch-ignite", "ale-py", "opencv-python-headless"],
        # Its metadata pins torch 2.5 and numpy < 2; the code itself runs on current versions.
        ["--no-deps", "ptan==0.8.1"],
    ],
}
FOLDERS = {"peers": ROOT / ".venv-bench", "ancestor": ROOT / ".venv-bench-ancestor"}


def python(environment: str) -> Path:
    """The interpreter of an environment, installing it first where it is missing or outdated.

    Args:
        environment: "ours" (the running interpreter), "peers" or "ancestor".
    """
    if environment == "ours":
        return Path(sys.executable)
    folder = FOLDERS[environment]
    interpreter = folder / "bin" / "python"
    stamp = folder / "ready"
    wanted = _fingerprint(environment)
    if not stamp.exists() or stamp.read_text() != wanted:
        _install(environment, folder, interpreter)
        stamp.write_text(wanted)
    return interpreter


def _install(environment: str, folder: Path, interpreter: Path) -> None:
    print(f"installing the environment {folder.name} …", file=sys.stderr, flush=True)
    venv.create(folder, clear=True, with_pip=True)
    for packages in ENVIRONMENTS[environment]:
        command = [interpreter, "-m", "pip", "install", "--quiet", "-c", CONSTRAINTS, *packages]
        subprocess.run(command, check=True)
    probe = "import torch; print(torch.__version__, torch.version.cuda)"
    print(subprocess.check_output([interpreter, "-c", probe], text=True), file=sys.stderr)


def _fingerprint(environment: str) -> str:
    text = CONSTRAINTS.read_text() + repr(ENVIRONMENTS[environment])
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    for name in ENVIRONMENTS:
        print(name, python(name))
