"""The agents: one small class a file, and the roster that finds and builds them.

``analysts`` read the market and vote, ``mind`` watches the swarm itself, ``desk`` turns votes into
a book and watches it. May import: syncbus, market, config, clock, errors, types of trading.
"""
