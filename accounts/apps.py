from importlib import import_module

from django.apps import AppConfig, apps


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        import_module("accounts.logins")  # connects Django's sign-in and sign-out signals
        if apps.is_installed("allauth.account"):  # not in feed and exchange
            import_module("accounts.factors")  # connects allauth's
