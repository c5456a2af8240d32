"""A web worker that leaves a part of the front door out, for `bench cost` alone: see cost_settings."""

from __future__ import annotations

if __name__ == "__main__":
    from simgame import web  # first: it sets Django up, as what serves players

    # isort: split
    from django.conf import settings

    from accounts import logins
    from ops.load import cost_trust

    if "auth" in settings.WITHOUT:
        cost_trust.believe_orders()
    if "memory" in settings.WITHOUT:
        logins.recent.ttl_s = 0.0
    web.main()
