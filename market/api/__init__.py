"""The market's doors: `v1` is ours, `alpaca` wears Alpaca's dress, `asked` reads what was asked."""
