"""Features of the market in blocks with carried state: the same bits however the blocks are cut.

``filters`` holds the building blocks (agents use them too), ``indicators`` one formula a file,
``engine`` runs them on the time grid. May import: market, config, clock, errors.
"""

from mirrorcore.market.features.catalogue import Feature, features, silence_limit
from mirrorcore.market.features.engine import FeatureEngine

__all__ = ["Feature", "FeatureEngine", "features", "silence_limit"]
