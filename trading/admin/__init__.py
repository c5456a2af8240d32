"""The admin's doors of trading: the books, to read; and what staff do, through commands only."""

from trading.admin import books, staff

__all__ = ["books", "staff"]
