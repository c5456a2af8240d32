"""Doors of the HTTP API: parse, one call, answer. Field tables: docs/api/README.md."""
