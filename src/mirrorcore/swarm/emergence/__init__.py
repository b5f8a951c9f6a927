"""The emergence monitor beside a run: what it is fed with, what explains a finding away, the watch.

It reads finished ticks, commands, lives and messages of a run and changes none of them; the
detectors themselves are in :mod:`mirrorcore.emergence`.
"""
