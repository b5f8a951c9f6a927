"""One registry of commands behind every door: Python, console, terminal, web, HTTP.

What there is stands in :mod:`~mirrorcore.interfaces.commands.catalogue`; what a reading one answers
in ``answers``, what a changing one would do in ``plans``; who may, what has to be confirmed, what
was asked twice, and the record of it all in :class:`~mirrorcore.interfaces.commands.registry.
Commands`. May import everything below ``interfaces``, and ``interfaces/live`` for what is seen.
"""

from mirrorcore.interfaces.commands.calls import ROLES, Call, Caller, Outcome, Role
from mirrorcore.interfaces.commands.catalogue import SPECS
from mirrorcore.interfaces.commands.failures import CommandError
from mirrorcore.interfaces.commands.interface import CommandInterface
from mirrorcore.interfaces.commands.registry import Commands
from mirrorcore.interfaces.commands.specs import Param, Spec

__all__ = [
    "ROLES",
    "SPECS",
    "Call",
    "Caller",
    "CommandError",
    "CommandInterface",
    "Commands",
    "Outcome",
    "Param",
    "Role",
    "Spec",
]
