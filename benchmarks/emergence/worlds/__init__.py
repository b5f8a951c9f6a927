"""Generators, one module a kind of finding. Each ``SCENARIOS`` maps a name to a maker of worlds."""
