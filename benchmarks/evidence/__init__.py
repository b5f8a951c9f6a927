"""The evidence: one module a point of what the swarm must show, one JSON file each.

``python -m benchmarks.evidence [NAME ...]`` runs them and writes ``docs/evidence/NAME.json`` and
the summary table beside it. Every file has the commit, the seeds, hashes of the data, versions,
the class of processor, the figures and whether the bar was reached. A point whose data is not
there is skipped and says so. Nothing in here is a test: timings differ from machine to machine.
"""
