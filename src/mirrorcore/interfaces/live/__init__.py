"""What an onlooker sees of a running swarm, while it runs.

``panel`` builds a :class:`~mirrorcore.interfaces.live.picture.Picture` in the swarm's own loop,
``difference`` says what changed between two of them, ``channel`` numbers and encodes that once for
all clients of one rate, ``hub`` hands it to them from the server's thread, and ``model`` is a
client's side. The format is docs/wire.md. Pictures never change once made: they are all that the
two threads share.
"""
