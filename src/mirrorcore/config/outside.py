"""What a configuration names outside itself, and is not there: files, and venues nobody knows.

It is looked for when a configuration is checked, and not each time one is loaded: a run that is
told of or repeated needs none of it. Who opens a file or a venue says where it is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path as FilePath

from mirrorcore.config.mistakes import near, shown
from mirrorcore.config.model import RunConfig
from mirrorcore.config.scan import Path
from mirrorcore.config.source_params import CalendarParams, ExchangeParams, params_of
from mirrorcore.config.verdicts import Verdict


def missing_outside(
    config: RunConfig, venues: Collection[str] | None
) -> Iterator[tuple[Path, Verdict]]:
    """What is not there, of what the market of ``config`` would read.

    Parameters
    ----------
    config: valid by itself.
    venues: the exchanges there are; None where that cannot be known, and none is then wrong.
    """
    market = config.market
    if market.source == "recorded":
        if market.directory is not None and not market.directory.exists():
            yield ("market", "directory"), ("there is no such file or folder", "")
        for index, series in enumerate(market.series):
            if not series.path.is_file():
                yield ("market", "series", index, "path"), ("there is no such file", "")
    if market.source != "exchange":
        return
    named: list[tuple[Path, str]] = [(("exchange", "venue"), config.exchange.venue)]
    for index, source in enumerate(config.sources):
        params = params_of(source)
        if isinstance(params, ExchangeParams):
            named.append((("sources", index, "params", "venue"), params.venue))
        if isinstance(params, CalendarParams) and not FilePath(params.file).is_file():
            yield ("sources", index, "params", "file"), ("there is no such file", "")
    for path, venue in named:
        if venues is not None and venue not in venues:
            meant = near(venue, venues)
            yield path, ("CCXT knows no such venue with sockets", shown(meant) if meant else "")
