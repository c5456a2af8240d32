"""PostgreSQL and Valkey as child processes, so that a clone plays without installing a server.

`addresses` says where the pair of a home lives without starting anything (settings use it);
`Embedded` starts, reuses and stops it. Only Unix sockets, never a TCP port. `DATABASE_URL` and
`REDIS_URL`, when set, replace the pair. Standard library only.
"""

from __future__ import annotations

from .addresses import celery_url, database_url, django_database, redis_database, redis_url, run_dir
from .binaries import ServiceFailed, pg_binary
from .services import Embedded

__all__ = [
    "Embedded",
    "ServiceFailed",
    "celery_url",
    "database_url",
    "django_database",
    "pg_binary",
    "redis_database",
    "redis_url",
    "run_dir",
]
