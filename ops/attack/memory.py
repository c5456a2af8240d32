"""How much memory the attacked web server holds."""

from __future__ import annotations

from pathlib import Path

from ops.attack.stage import Stage

FLAT_MB = 96.0  # what Python keeps for itself after a storm, and nothing like the storm


def of_web(stage: Stage) -> float:
    """MB that are resident; 0 where the server is not ours to look at."""
    if stage.web_pid is None:
        return 0.0
    for line in Path(f"/proc/{stage.web_pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
