"""Says at once that an agent holds up the run; nothing else can, while it does."""

from __future__ import annotations

import sys

from mirrorcore.syncbus import Stall


def name_stall(stall: Stall) -> None:
    """One line to standard error; called from the thread that watches."""
    sys.stderr.write(f"agent {stall.agent_id}: call {stall.call} {stall.describe()}\n")
    sys.stderr.flush()
