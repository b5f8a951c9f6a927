"""One indicator a file: its formula over columns, elementwise, so any cut in time is the same.

What needs a past (averages, windows) comes in already filtered. May import: market.block, filters.
"""
