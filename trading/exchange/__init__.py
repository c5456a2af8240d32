from pathlib import Path

from simgame.kernel import compiled

__path__ = compiled.search_path(__name__, Path(__file__).parent)
