"""The operator's hand on a running swarm: thread-safe, journalled, repeated by a replay.

Imports what ``swarm`` may import. Doors (web, terminal, console, signal, file) call
:class:`~mirrorcore.swarm.control.control.Control`; what they ask for is an *action*
(:mod:`~mirrorcore.swarm.control.actions`), carried out between two ticks
(:mod:`~mirrorcore.swarm.control.effects`). A stop alone is faster: it closes the order gateway in
the call that accepts it.
"""
