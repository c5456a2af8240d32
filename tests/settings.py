"""SimGame's settings, on a home of this test run's own: nothing touches the developer's data."""

import os
import sys

from simgame import env
from tests import slot

HOME_OF_THIS_RUN = slot.claim()  # before the settings look at the environment

from simgame.settings import *  # noqa: E402, F403
from simgame.settings import DATABASE_URL, DATABASES, REDIS_URL  # noqa: E402

DATABASES["default"]["ENGINE"] = "tests.database"
DATABASES["default"]["TEST"] = {"NAME": slot.database_name(HOME_OF_THIS_RUN)}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # registering people is not what we test
LOGGING_CONFIG = None  # pytest captures and shows; what `ops.logging` does is tested there
# Read again by processes that tests start; see the fixture `child_env`.
os.environ["SIMGAME_HOME"] = str(HOME_OF_THIS_RUN)
env.keep_bytecode(os.environ, HOME_OF_THIS_RUN)
if prefix := os.environ.get("PYTHONPYCACHEPREFIX"):
    sys.dont_write_bytecode, sys.pycache_prefix = False, prefix
TEST_SERVER_URL = DATABASE_URL
TEST_REDIS_URL = REDIS_URL
