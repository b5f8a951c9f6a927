"""What it costs, measured: a script for each row of the table of speeds, and the evidence.

Each script runs by itself (``python -m benchmarks.NAME [--quick]``), prints a table and, as its
last line, one JSON object. ``smoke`` runs them all briefly and judges facts, never timings;
``evidence`` holds what `make evidence` shows. May import everything of mirrorcore.
"""
