"""The hot road of orders: an ASGI route in front of Django's request cycle, and the verbs behind it.

`application` answers `POST DELETE /v2/orders` and `PATCH DELETE /v2/orders/{id}`; `matches` tells
whether a request is one of these. The DRF views that document the same addresses call the same
verbs (`place`, `replace`, `cancel`, `cancel_all`, `close`), so both give the same answer.
"""

from trading.gateway.placing import Answer, Call
from trading.gateway.route import application, matches
from trading.gateway.verbs import cancel, cancel_all, close, place, replace

__all__ = ["Answer", "Call", "application", "cancel", "cancel_all", "close", "matches", "place", "replace"]
