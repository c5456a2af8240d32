from importlib import import_module

from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        import_module("trading.topics").register_topics()
        import_module("market.caller").register_resolver(import_module("trading.portfolios").world_of)
