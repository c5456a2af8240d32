"""Where ticks come from: one module per source, `base` their life cycle. See market/README.md."""
