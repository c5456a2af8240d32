"""Is a browser's Origin ours? Without this check any page could open a socket with our cookie."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import is_same_domain, validate_host


def is_ours(origin: bytes | None, host: bytes | None) -> bool:
    """The page comes from the host that the socket was opened at, or from a trusted origin
    (`SIMGAME_TRUSTED_ORIGINS`). Missing counts as foreign."""
    if not origin or not host:
        return False
    try:
        page = urlsplit(origin.decode("ascii").lower())
        here = urlsplit("//" + host.decode("ascii").lower())
        page_at, here_at = (page.hostname, page.port), (here.hostname, here.port)
    except ValueError:
        return False
    if page.scheme not in {"http", "https"} or not page.hostname or not here.hostname:
        return False
    if page.netloc == here.netloc and page_at == here_at:
        return validate_host(here.hostname, settings.ALLOWED_HOSTS) or _is_v6_ours(here.hostname)
    return any(_trusts(trusted, page.scheme, page.netloc) for trusted in settings.CSRF_TRUSTED_ORIGINS)


def _is_v6_ours(hostname: str) -> bool:
    return ":" in hostname and validate_host(f"[{hostname}]", settings.ALLOWED_HOSTS)


def _trusts(trusted: str, scheme: str, netloc: str) -> bool:
    """`https://game.example` exactly, or `https://*.example` with its subdomains."""
    wanted = urlsplit(trusted.lower())
    if wanted.scheme != scheme:
        return False
    if wanted.netloc.startswith("*"):
        return is_same_domain(netloc, wanted.netloc[1:])
    return wanted.netloc == netloc
