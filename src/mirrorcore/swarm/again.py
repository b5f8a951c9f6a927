"""A replay in a process of its own, for the determinism check: configuration in, digests out."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from mirrorcore.config import load_config
from mirrorcore.swarm.checks import digests_of
from mirrorcore.swarm.sources import open_source


def main() -> None:
    """Read a configuration from standard input, leave out the agents named as arguments."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text(sys.stdin.read(), encoding="utf-8")
        config = load_config(file, {}).config
    parts, _ = digests_of(config, open_source(config), without=sys.argv[1:])
    sys.stdout.write(json.dumps(parts))


if __name__ == "__main__":
    main()
