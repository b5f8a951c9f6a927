"""The seeded market: what it is made of, and the truth behind it.

``model`` puts together volatility, regimes, jumps, calendar, channels and candles; ``presets``
holds every constant; ``oracle`` and ``facts`` measure what came out. May import ``market``,
``clock`` and ``errors``. Nothing here draws a random number but through ``streams``.
"""
