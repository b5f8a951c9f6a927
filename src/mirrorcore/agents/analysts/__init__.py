"""Analysts: agents that read the market alone, in blocks of ticks; some of them vote.

``decayed`` and ``votes`` hold what they share. May import: agents.base, market, clock, errors.
"""
