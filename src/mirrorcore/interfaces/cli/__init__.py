"""The command line: ``mirrorcore``, one module per group of commands.

Each command returns an :class:`~mirrorcore.interfaces.cli.answer.Answer`: one JSON document, and
how to say the same to a person. Exit codes are those of :mod:`mirrorcore.errors`, 0 for success and
130 for an interruption. Nothing is asked, but by ``ctl`` and ``console`` where a command to a
running swarm has to be confirmed and a person is there.
"""

from mirrorcore.interfaces.cli.application import main

__all__ = ["main"]
