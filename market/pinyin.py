"""The initials of Chinese names, as people type them: 浦发银行 → pfyh. A pure function.

The first level of GB 2312 stands in the order of pinyin, so the code of a character tells its first
letter; rarer characters, which stand by radical, are left out. A few read otherwise in names.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

# The first code of each letter (i, u and v begin no syllable), and the end of the first level.
LETTERS: Final = "abcdefghjklmnopqrstwxyz"
STARTS: Final = (
    0xB0A1, 0xB0C5, 0xB2C1, 0xB4EE, 0xB6EA, 0xB7A2, 0xB8C1, 0xB9FE, 0xBBF7, 0xBFA6, 0xC0AC, 0xC2E8,
    0xC4C3, 0xC5B6, 0xC5BE, 0xC6DA, 0xC8BB, 0xC8F6, 0xCBFA, 0xCDDA, 0xCEF4, 0xD1B9, 0xD4D1,
)  # fmt: skip
END: Final = 0xD7F9
IN_NAMES: Final = {"行": "h", "长": "c", "重": "c", "厦": "x", "乐": "l", "曾": "z", "单": "d"}


def initials(name: str) -> str:
    """Letters and digits stay, in lower case; what has no known reading is left out."""
    return "".join(_initial(char) for char in name)


def _initial(char: str) -> str:
    if char.isascii():
        return char.lower() if char.isalnum() else ""
    if char in IN_NAMES:
        return IN_NAMES[char]
    try:
        code = int.from_bytes(char.encode("gb2312"), "big")
    except UnicodeEncodeError:
        return ""
    return LETTERS[bisect_right(STARTS, code) - 1] if STARTS[0] <= code < END else ""
