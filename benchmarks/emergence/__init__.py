"""A bench with known answers: quiet worlds that are traps, and planted effects, by seed."""
