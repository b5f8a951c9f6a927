"""What a coin is made of: supply, use of its network, unlocks and events that are due."""
