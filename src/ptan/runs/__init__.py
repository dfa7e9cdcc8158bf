"""Training runs: their settings, environments and folders; how they are made, stopped and resumed.

* `Run`: trains an algorithm in a folder of its own, and goes on where it was stopped
* `RunSettings`, `RunConfig`: all that a run is made of, as it is written to `config.json`
* `RunFolder`: the files of a run
* `CATALOGUE`: the algorithms that can be trained, by name
* `RunError`: what is wrong with a request, in one line
"""

from typing import TYPE_CHECKING

from ptan.common.lazy import lazy_names

if TYPE_CHECKING:
    from ptan.runs.catalogue import CATALOGUE, Entry
    from ptan.runs.errors import RunError
    from ptan.runs.folder import RunFolder
    from ptan.runs.run import Run
    from ptan.runs.settings import RunConfig, RunSettings

__all__ = ["CATALOGUE", "Entry", "Run", "RunConfig", "RunError", "RunFolder", "RunSettings"]

# Settings are read without PyTorch, which `Run` imports.
__getattr__ = lazy_names(
    __name__,
    {
        "ptan.runs.catalogue": ["CATALOGUE", "Entry"],
        "ptan.runs.errors": ["RunError"],
        "ptan.runs.folder": ["RunFolder"],
        "ptan.runs.run": ["Run"],
        "ptan.runs.settings": ["RunConfig", "RunSettings"],
    },
)
