from importlib import import_module

from django.apps import AppConfig, apps


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        if not apps.is_installed("channels"):  # an exchange serves nobody's socket and no page
            return
        import_module("trading.topics").register_topics()
        import_module("market.caller").register_resolver(import_module("trading.portfolios").world_of)
