"""Signing in with another site's account: where a form of ours may lead, and what is said when it is away.

The sites are those of SIMGAME_SOCIAL; the protocols are django-allauth's.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base import Provider
from allauth.socialaccount.providers.oauth2.provider import OAuth2Provider
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.conf import settings
from django.http import HttpRequest

FORM = "_login"  # ends the name of the page with the form that leads to a site


def form_action(request: HttpRequest) -> list[str]:
    """For the CSP of the page that was asked for: the origin of the site that its form leads to, if it does.

    Browsers hold the redirect that answers a form against `form-action` too.
    """
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    if not settings.SOCIAL or not name.endswith(FORM):
        return []
    wanted = match.kwargs.get("provider_id") or name.removesuffix(FORM)
    sites = get_adapter(request).list_providers(request)
    return [
        origin for site in sites if wanted in (site.id, site.sub_id) for origin in _origins(request, site)
    ]


def _origins(request: HttpRequest, site: Provider) -> list[str]:
    if isinstance(site, OpenIDConnectProvider):  # what it says of itself is not asked for each page
        said = site.app.settings.get("openid_configuration_overrides", {})
        address = said.get("authorization_endpoint") or site.server_url
    elif isinstance(site, OAuth2Provider):
        address = site.get_oauth2_adapter(request).authorize_url
    else:
        return []
    parts = urlsplit(address)
    return [f"{parts.scheme}://{parts.netloc}"]
