from importlib import import_module

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class OpsConfig(AppConfig):
    name = "ops"
    verbose_name = "Watchtower"

    def ready(self) -> None:
        """The wall is built after each migration, when the last app with tables has its own."""
        wall = import_module("simgame.database.wall")
        last = apps.get_app_config("trading")
        post_migrate.connect(wall.build, sender=last, dispatch_uid="simgame.database.wall")
