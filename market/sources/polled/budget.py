"""How often an account may ask an API: one bucket in Redis for all workers, taken in one atomic step.

The generic cell rate algorithm: a key holds the instant at which the bucket would be full again.
"""

from __future__ import annotations

import redis

PREFIX = "sg:budget:"
TAKE = """
local now, step, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = full + step - window - now
if wait > 0.000001 then return tostring(wait) end
redis.call('SET', KEYS[1], string.format('%.6f', full + step), 'EX', math.ceil(window) + 1)
return '0'
"""


def take(client: redis.Redis, account: str, api: str, per_minute: int, now_s: float) -> float:
    """0.0 when the request may go, else the seconds until it may. Raises redis.RedisError."""
    step = 60.0 / max(1, per_minute)
    script = client.register_script(TAKE)
    return float(script(keys=[f"{PREFIX}{account}:{api}"], args=[f"{now_s:.6f}", step, 60.0]))
