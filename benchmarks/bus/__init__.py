"""What a delivery costs, and what one agent can do to another: SyncBus beside its rivals.

``python -m benchmarks.bus [--quick]`` runs every scenario (``scenarios/``) with every rival that is
installed (``rivals/``; the extra ``bench`` brings them) and prints tables, the rows of the design
with their bars, and one line of JSON. All in one process and one event loop: the rivals take turns
within each round, figures are medians over rounds with best and worst, costs are CPU time of the
process, and multiples are of the bare call loop in the same round. Every delivery is counted and
checked.
"""
