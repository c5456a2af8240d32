"""What every page needs to look right: theme, colours, language, the script's phrases."""

from __future__ import annotations

from itertools import chain
from typing import Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.translation import get_language

from accounts import impersonation
from simgame import bundle
from trading import appearance as looks

register = template.Library()


@register.simple_tag(takes_context=True)
def appearance(context: template.Context) -> dict[str, str]:
    request = context.get("request")
    return looks.of_request(request) if request else looks.default()


@register.simple_tag(takes_context=True)
def acting(context: template.Context) -> dict[str, Any] | None:
    """For the banner: who looks at the game here as somebody else."""
    request = context.get("request")
    return impersonation.acting(request) if request else None


@register.simple_tag
def asset(name: str) -> str:
    """Address of a script, style sheet or font (`js/desk.js`): of its packed file, else of the source."""
    found = settings.PACKED.get(name)
    return _packed(found["file"]) if found else static(name)


@register.simple_tag
def needs(*names: str) -> list[str]:
    """Addresses of the scripts that these import; none while they are not packed."""
    found = [settings.PACKED[name]["needs"] for name in names if name in settings.PACKED]
    return [_packed(file) for file in dict.fromkeys(chain.from_iterable(found))]


@register.simple_tag
def is_packed() -> bool:
    return bool(settings.PACKED)


def _packed(file: str) -> str:
    return static(f"{bundle.FOLDER}/{file}")


@register.simple_tag
def phrases() -> dict[str, str]:
    return looks.phrases(get_language() or "en")


@register.filter
def initials(username: str) -> str:
    """Two letters for the round mark: `ada_voss` → AV, `quietriver` → QU."""
    parts = [part for part in username.replace("-", " ").replace("_", " ").replace(".", " ").split() if part]
    letters = "".join(part[0] for part in parts[:2]) if len(parts) > 1 else username[:2]
    return letters.upper()


BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
SYSTEMS = {sign: sign for sign in ("Android", "iPhone", "iPad", "Windows")} | {"Mac OS X": "macOS"}
SYSTEMS["Linux"] = "Linux"  # last: Android says it too


@register.filter
def device(user_agent: str) -> str:
    """`Mozilla/5.0 (X11; Linux x86_64) … Chrome/155.0` → `Chrome, Linux`; an unknown one stays as it is."""
    signs = (BROWSERS, SYSTEMS)
    found = [next((name for sign, name in of.items() if sign in user_agent), "") for of in signs]
    return ", ".join(name for name in found if name) or user_agent


@register.filter
def message_of(errors: dict[str, Any], name: str) -> str:
    """The sentence about one field, "" when it is fine."""
    return errors.get(name, "") if errors else ""


@register.filter
def grouped(decimal: str | None) -> str:
    """`-1084217.36` → `−1,084,217.36`: for reading, never for reckoning."""
    if not decimal:
        return ""
    whole, point, rest = decimal.removeprefix("-").partition(".")
    return ("\u2212" if decimal.startswith("-") else "") + f"{int(whole):,}" + point + rest


@register.filter
def unsigned(number: str | int) -> str:
    """How far, without saying which way: `-4.10` → `4.10`."""
    return str(number).removeprefix("-")


@register.filter
def signed(decimal: str | None) -> str:
    text = grouped(decimal)
    return text if way(decimal) != "up" else f"+{text}"


@register.filter
def way(decimal: str | None) -> str:
    """up, down or flat: the class of a figure's colour and mark."""
    if not decimal or not any(digit in "123456789" for digit in decimal):
        return "flat"
    return "down" if decimal.startswith("-") else "up"
