"""What a source is in the middle of, as plain data: the state of its environments and streams."""

from collections.abc import Mapping
from typing import Any

from ptan.common._object_graph import run_changes
from ptan.common.env_state import changes_to, pack, states_of, unpack
from ptan.experience.stepping import Stepper
from ptan.experience.stream import FinishedEpisodes, Seat
from ptan.experience.tape_state import restored_rows, restored_tape, rows_state, tape_state


class ResumableSource:
    """What all sources that step environments share: one stops, and another one goes on."""

    _stepper: Stepper
    _finished: FinishedEpisodes
    _seat: Seat

    def state_dict(self) -> dict[str, Any]:
        """Everything that the items to come depend on, except the agent's weights and randomness.

        That is: the environments in the middle of their episodes, windows in progress, rows that
        were cut and not asked for yet, observations and agent states, returns so far, and the
        finished episodes that nobody has popped.

        Returns:
            A state tree (nested dicts, lists and tuples of plain values and arrays) that shares no
            memory with the source.

        Raises:
            CannotSave: an environment, named by its number, or an agent state holds something that
                is no plain data. See `ptan.common.env_state`.
        """
        stepper, stream = self._stepper, dict(self._seat.progress())
        rows = stream.pop("rows", None)
        values = {
            "stepper": stepper.progress(),
            "tape": None if stepper.tape is None else tape_state(stepper.tape, rows),
            "stream": stream,
            "rows": rows_state(rows),
            "finished": list(self._finished),
        }
        return {
            "made": self._made(),
            "environments": states_of(*stepper.environments()),
            "run": pack(values, "state"),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the source whose state it is was stopped.

        The iterator that began last goes on there; if none began yet, the first one that begins
        does so. Any later one starts everything afresh, as ever. With an agent that acts equally,
        the items are those that the other source would have given, to the bit.

        Args:
            state: From `state_dict` of a source with equal arguments and equally made environments;
                it is not changed.

        Raises:
            ValueError: it is of another source, or of other environments. Nothing is changed.
        """
        stepper = self._stepper
        try:
            _check_made(state["made"], self._made())
            changes = changes_to(stepper.environments()[0], state["environments"])
            values = unpack(state["run"])
            tape = restored_tape(values["tape"], stepper.count, stepper.cut)
            if (rows := restored_rows(values["rows"], tape)) is not None:
                values["stream"]["rows"] = rows
            if values["stepper"].keys() != stepper.progress().keys():
                raise ValueError(f"state must be of a {type(stepper).__name__}")
            finished = [(total, steps) for total, steps in values["finished"]]
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(f"state is no state of a source: {error!r}") from error
        run_changes(changes)
        stepper.go_on(values["stepper"], tape)
        self._finished[:] = finished
        self._seat.go_on(values["stream"])

    def _made(self) -> dict[str, Any]:
        """The arguments that must be equal for a state to fit."""
        cut = self._stepper.cut
        return {
            "items": cut.row_class.__name__,
            "environments": self._stepper.kind(),
            "steps_count": cut.n,
            "steps_delta": cut.delta,
            "gamma": cut.gamma,
            "truncation": "terminal" if self._stepper.terminal else "bootstrap",
        }


def _check_made(made: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for name, value in expected.items():
        if made[name] != value:
            raise ValueError(
                f"state is of a source with {name}={made[name]!r}, this one has {value!r}"
            )
