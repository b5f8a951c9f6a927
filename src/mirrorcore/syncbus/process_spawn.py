"""How a child begins, and how its end is put into words."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

from mirrorcore.syncbus.process_limits import ProcessPolicy

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


def spawn(policy: ProcessPolicy) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A fresh interpreter, not a fork: threads and an event loop do not survive one."""
    ours, theirs = socket.socketpair()
    try:
        ours.setblocking(False)
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        threads = dict.fromkeys(_THREADS, str(policy.threads))
        process = subprocess.Popen(
            [
                sys.executable,
                # No directory of the caller's goes before the library's own modules.
                "-P",
                "-u",
                "-m",
                "mirrorcore.syncbus.process_worker",
                str(theirs.fileno()),
                str(os.getpid()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs.fileno(),),
            env={**threads, **os.environ, "PYTHONPATH": path},
            # Its own group, so that what it starts is ended with it, and Ctrl-C is ours alone.
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def ending(code: int | None) -> str:
    """Exit code, or minus the signal, in words; None where neither is known."""
    if code is None:
        return "its process hung up"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"its process was ended by {name}"
    return f"its process ended with code {code}"
