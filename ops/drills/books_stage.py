"""What `manage.py drill books` starts: a home, a PostgreSQL and a database of its own. Options as JSON."""

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
        from ops.drills.books import drill, make_world

        asked = json.loads(sys.argv[1])
        on_margin = asked.pop("on_margin")
        report = drill(make_world(on_margin=on_margin), **asked, on_margin=on_margin)
        print(json.dumps(report, default=str))
