"""The console: commands typed, or read from a pipe, for the swarm in this or another process.

``catalogue`` knows the commands as the swarm describes them, ``reading`` makes a call of a line,
``doors`` carry calls to a swarm, ``telling`` says what came of them, ``console`` is all of it.
``emergency`` is how a stop reaches a swarm whose server is dead.
"""
