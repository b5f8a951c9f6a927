"""Where market data comes from: simulated or recorded history, services asked on request.

A source yields records or validated blocks of the market plane and knows nothing of agents. May
import: market, config, clock, errors. ``RecordedSource`` reads files, ``DataSourceManager`` asks
several sources in parallel.
"""

from mirrorcore.data_sources.manager import Collection, DataSourceManager, HistoryFeed
from mirrorcore.data_sources.recorded import RecordedSource
from mirrorcore.data_sources.side_channels import SeriesFile
from mirrorcore.data_sources.source import HistorySource

__all__ = [
    "Collection",
    "DataSourceManager",
    "HistoryFeed",
    "HistorySource",
    "RecordedSource",
    "SeriesFile",
]
