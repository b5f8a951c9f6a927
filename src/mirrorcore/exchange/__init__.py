"""A local exchange: Binance spot's public and trading subset over our own matching engine.

Whoever speaks to that venue through the unmodified ccxt client speaks to this one by a change of
addresses alone; paper trading and tests do. ``matching`` and ``accounts`` are the engine, ``venue``
the market made of them, ``participants`` who trades on it, everything else is the protocol. May
import: market, config, clock, errors. ``LocalExchange`` in ``server`` needs the extra ``exchange``.
"""
