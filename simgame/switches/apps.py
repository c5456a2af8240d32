from django.apps import AppConfig


class SwitchesConfig(AppConfig):
    name = "simgame.switches"
    label = "switches"
