"""The swarm: assembles the rooms from a configuration and runs them.

``assembly`` builds, ``analysis`` computes what depends on the market alone, ``engine`` is the tick,
``replay``, ``paper`` and ``rerun`` are the ways to run, ``recorder`` and ``scribe`` write down what
happened, ``checks`` prove it. May import every room but the interfaces.
"""
