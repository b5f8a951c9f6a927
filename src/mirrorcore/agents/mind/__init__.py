"""The mind: agents that watch the swarm's own record, and the gate made of what they feel.

Each emotion is measured on the ungated shadow book, bounded, and forgets in time, not in ticks; a
gate made of them can only shrink risk. May import: agents.base, clock, errors.
"""
