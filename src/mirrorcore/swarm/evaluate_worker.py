"""A replay in a process of its own, for ``mirrorcore evaluate``: a job in, daily returns out.

Its folder lies within that of whoever asked, who clears it away, and goes with it all the same. It
ends early when told to (SIGTERM) and when whoever asked is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from mirrorcore.config import load_config
from mirrorcore.errors import MirrorCoreError
from mirrorcore.report.trials import daily_of
from mirrorcore.swarm.identity import trial_key
from mirrorcore.swarm.replay import replay_history

STOPPED = 130


def main() -> int:
    """One job as JSON on standard input: ``config`` (TOML), ``delay``, the ``folder`` to work in
    and the process that asks, ``asked_by``; the answer as JSON."""
    signal.signal(signal.SIGTERM, _interrupt)
    job = json.load(sys.stdin)
    # Told, not looked up: whoever asked may be gone before this process has begun.
    asked_by = int(job["asked_by"])

    def still_wanted(_done: int, _total: int | None) -> None:
        if os.getppid() != asked_by:
            raise KeyboardInterrupt

    try:
        with tempfile.TemporaryDirectory(dir=job["folder"]) as folder:
            answer = _replay(job, Path(folder), still_wanted)
    except KeyboardInterrupt:
        return STOPPED
    except MirrorCoreError as error:
        sys.stderr.write(str(error))
        return error.exit_code
    finally:
        if os.getppid() != asked_by:
            with contextlib.suppress(
                OSError
            ):  # the others are still in it; the last one removes it
                Path(job["folder"]).rmdir()
    if answer is None:
        return STOPPED
    sys.stdout.write(json.dumps(answer))
    return 0


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _replay(job: dict[str, Any], folder: Path, progress: Any) -> dict[str, Any] | None:
    file = folder / "config.toml"
    file.write_text(job["config"], encoding="utf-8")
    config = load_config(file, {}, [("storage.runs", str(folder))]).config
    outcome = replay_history(config, delay=job["delay"], progress=progress)
    if outcome.results.identity.status != "finished":
        return None
    return {
        "trial": trial_key(config, (), job["delay"]),
        "returns": daily_of(outcome.results).tolist(),
        "residual": str(outcome.results.accounting_residual),
    }


if __name__ == "__main__":
    sys.exit(main())
