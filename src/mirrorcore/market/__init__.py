"""The market plane: what comes from outside, checked and cut into views agents may read.

Records arrive from data sources, the validator judges them, the merge orders them by the instant
they became available, features and categories are computed from them. Nothing here holds agent
state. May import: config, clock, errors.
"""
