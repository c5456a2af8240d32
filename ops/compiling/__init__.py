"""The engine's compiled twin: built, proved against the sources, published. See `simgame.kernel.compiled`."""
