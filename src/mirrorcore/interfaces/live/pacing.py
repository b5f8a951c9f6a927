"""Some of a picture is made less often than the picture."""

from __future__ import annotations

_SLACK_S = 1e-6
"""Ten tenths of a second are a second."""


class Paced:
    """Lets something through once in so many seconds, at once the first time.

    Time is what it is told has passed, so that it is the same for who has no clock.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = self._age = seconds

    def passed(self, seconds: float) -> None:
        """So much time has gone by."""
        self._age += seconds

    def due(self) -> bool:
        """Whether it is time; asked once where it is."""
        if self._age < self._seconds - _SLACK_S:
            return False
        self._age = 0.0
        return True
