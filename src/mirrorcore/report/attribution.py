"""Who a run's result is owed to, as found by replaying it with other agents in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from mirrorcore.errors import DataError
from mirrorcore.journal import write_atomic

FILE = "attribution.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentShare:
    """What one agent is owed, in settlement currency.

    ``shapley`` is its share of whole minus empty, ``error`` the standard error where it was
    sampled; ``left_out`` what the whole run loses without this one agent.
    """

    id: str
    shapley: float
    error: float | None
    left_out: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CoalitionResult:
    """The net result of one replay; ``result`` is the exact decimal as text."""

    agents: tuple[str, ...]
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The Shapley values of a run; they sum to ``whole`` - ``empty`` in exact arithmetic.

    ``orders`` is 0 where all coalitions were played; ``residual`` is what is lost by writing the
    values as floating-point numbers.
    """

    run_id: str
    fingerprint: str
    method: str  # exact or sampled
    orders: int
    seed: int
    currency: str
    initial_equity: float
    whole: float
    empty: float
    residual: float
    agents: tuple[AgentShare, ...]
    coalitions: tuple[CoalitionResult, ...]
    notes: tuple[str, ...] = ()

    def of(self, agent_id: str) -> AgentShare | None:
        """The share of one agent; None where it was no player."""
        return next((share for share in self.agents if share.id == agent_id), None)


def save_attribution(found: Attribution, folder: Path) -> Path:
    """Write it into the folder of its run, whole or not at all."""
    path = folder / FILE
    write_atomic(path, msgspec.json.format(msgspec.json.encode(found)).decode())
    return path


def load_attribution(folder: Path) -> Attribution | None:
    """What was found for the run in ``folder``; None where nobody has asked yet."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Attribution)
    except (msgspec.MsgspecError, OSError) as error:
        raise DataError(
            f"{path} cannot be read: {error}",
            hint="delete it, or make it again with 'mirrorcore attribution'",
        ) from error
