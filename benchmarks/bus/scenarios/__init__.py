"""What the rivals are put through, one scenario a file."""
