"""``why`` of a run that goes on: worked out in a process of its own, from what is on disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from mirrorcore.interfaces.commands.failures import CommandError

_MAIN = "from mirrorcore.interfaces.cli import main; raise SystemExit(main())"
_LEAST_S = 60.0
"""It runs a part of the run again, which takes longer than any other answer."""


async def why(folder: Path, question: str, timeout_s: float) -> dict[str, Any]:
    """What ``mirrorcore why QUESTION --json`` says of the run in ``folder``.

    Raises
    ------
    CommandError: not_found where the run has nothing of that name, busy where it takes too long.
    """
    asked = [sys.executable, "-c", _MAIN, "why", "--json", "--run", folder.name,
             "--runs", str(folder.parent), "--", question]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *asked, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(max(timeout_s, _LEAST_S)):
            out, _ = await process.communicate()
    except TimeoutError:
        raise CommandError(
            "busy", "running it again takes too long now", hint="ask 'mirrorcore why' afterwards"
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    document: dict[str, Any] = json.loads(out)
    if "error" in document:
        error = document["error"]
        raise CommandError("not_found", error["message"], hint=error.get("hint", ""))
    return document
