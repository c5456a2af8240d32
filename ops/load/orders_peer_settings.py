"""The settings of the peer of `bench orders`: a small Django project of its own."""

from __future__ import annotations

from typing import Any

from simgame import embedded, env

DATABASES = {"default": embedded.django_database(embedded.database_url(env.home()))}
INSTALLED_APPS: list[str] = []
ROOT_URLCONF = "ops.load.orders_peer"
SECRET_KEY = "only for the bench"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
LOGGING_CONFIG = None
REST_FRAMEWORK: dict[str, Any] = {"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []}
