"""How people reach the swarm: the command line so far.

May import every other room; no other room imports this one. What is imported at the top of a
module here is light, so that ``mirrorcore --help`` answers at once.
"""
