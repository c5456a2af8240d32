"""Commands whose `--help` teaches: its lines and examples stay as they were written."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class TeachingCommand(BaseCommand):
    def create_parser(self, prog_name: str, subcommand: str, **more: Any) -> CommandParser:
        asked = {"formatter_class": RawDescriptionHelpFormatter, **more}
        return super().create_parser(prog_name, subcommand, **asked)
