"""What it costs to show a swarm: ``python -m benchmarks.interfaces.live``."""
