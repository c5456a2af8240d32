"""How the pages look to one person: language, theme, and which colour rises. No money here."""

from __future__ import annotations

from functools import cache
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.utils.translation.trans_real import DjangoTranslation

from accounts.models import Player
from simgame.kernel.errors import Invalid

THEMES: Final = ("", "dark", "light")  # "" follows the system
COLOURS: Final = ("", "green-up", "red-up", "blue-up")  # "" follows the language
THEME_COOKIE: Final = "theme"
YEAR_S: Final = 60 * 60 * 24 * 365


def default() -> dict[str, str]:
    language = get_language() or "en"
    return {
        "lang": "zh-Hans" if language == "zh-hans" else language,
        "theme": "",
        "updown": "red-up" if language == "zh-hans" else "green-up",
    }


def of_request(request: HttpRequest) -> dict[str, str]:
    """This device's theme (cookie) wins over the player's; colours follow player, then language."""
    look = default()
    player = getattr(request, "user", None)
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    look["theme"] = chosen if chosen in THEMES else ""
    if player is not None and player.is_authenticated:
        look["theme"] = look["theme"] or player.theme
        look["updown"] = player.colours or look["updown"]
    return look


def choose(player: Player, language: str, theme: str, colours: str) -> None:
    """Remember the player's wishes. Raises Invalid for a value that does not exist."""
    if language not in ("", *dict(settings.LANGUAGES)):
        raise Invalid("This language is not there yet.", pointer="/language")
    if theme not in THEMES:
        raise Invalid("A theme is dark, light, or the system's.", pointer="/theme")
    if colours not in COLOURS:
        raise Invalid("Colours are green-up, red-up or blue-up.", pointer="/colours")
    player.language, player.theme, player.colours = language, theme, colours
    player.save(update_fields=["language", "theme", "colours"])


def remember(response: HttpResponse, player: Player) -> HttpResponse:
    """Put the player's wishes on this device."""
    for name, value in ((settings.LANGUAGE_COOKIE_NAME, player.language), (THEME_COOKIE, player.theme)):
        if value:
            response.set_cookie(name, value, max_age=YEAR_S, samesite="Lax", secure=settings.SECURE)
        else:
            response.delete_cookie(name, samesite="Lax")
    return response


@cache
def phrases(language: str) -> dict[str, str]:
    """The script's strings in a language: domain `djangojs`; what is missing stays English."""
    if language == "en":
        return {}
    catalogue = DjangoTranslation(language, domain="djangojs", localedirs=settings.LOCALE_PATHS)
    known = getattr(catalogue, "_catalog", {})
    return {key: text for key, text in known.items() if isinstance(key, str) and key and text}
