"""`manage.py attack`: the attacks of a security catalogue against a game of its own. See README.md."""
