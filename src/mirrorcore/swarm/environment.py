"""What a run ran on: versions, processor, numeric kernels. Equality holds within one of them."""

from __future__ import annotations

import contextlib
import platform
import resource
import sys
from importlib import metadata
from typing import Any

import numpy as np

_PACKAGES = ("mirrorcore-x", "numpy", "msgspec", "pydantic", "polars")


def package_versions() -> dict[str, str]:
    """Versions of what the numbers of a run depend on."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def processor_class() -> str:
    """Machine and the vector features numpy dispatches to: they decide the last bits."""
    shown: Any = np.show_config(mode="dicts")
    features = shown.get("SIMD Extensions", {})
    used = [*features.get("baseline", []), *features.get("found", [])]
    return f"{platform.machine()} {used[-1] if used else 'baseline'}"


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
