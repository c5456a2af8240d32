"""From a bare Python to a running game: `manage.py play`, and to a checked one: `manage.py verify`.

Standard library only, except `data`, which runs inside `.venv` as a process of its own.
"""
