"""Whether the seeded market looks like a market: figures beside published ones and a real day's."""
