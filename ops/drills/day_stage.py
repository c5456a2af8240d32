"""What `manage.py drill day` starts: a home, a PostgreSQL and a database of its own. Options as JSON."""

from __future__ import annotations

import json
import sys

import django
from django.core.management import call_command

from simgame import env
from simgame.embedded import Embedded

if __name__ == "__main__":
    with Embedded(env.home(), durable=False):  # the drill's crashes are of memory, not of the machine
        django.setup()
        call_command("migrate", verbosity=0, skip_checks=True)
        from market.errors import MarketError
        from ops.drills.day import drill, make_world

        asked = json.loads(sys.argv[1])
        try:
            world = make_world(asked)
        except MarketError as error:
            sys.exit(f"drill day: {error.detail}")
        print(json.dumps(drill(world, asked), default=str))
