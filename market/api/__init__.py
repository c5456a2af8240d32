"""The market's doors: `v1` is ours, `alpaca` and `udf` wear others' dress, `asked` reads what was asked."""
