"""The desk: agents that fuse votes, size positions, watch risk, orders and results.

They read analysts, minds and the read-only views of the order plane; ``trading`` alone enforces.
"""
