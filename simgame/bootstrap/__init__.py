"""From a bare Python to a running game. Standard library only."""
