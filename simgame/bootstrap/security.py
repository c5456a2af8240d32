"""What `verify` asks about safety: known holes in packages, secrets in the repository. Standard library only.

python -m simgame.bootstrap.security      the scan for secrets alone
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from simgame import env

PIP_AUDIT = "pip-audit==2.10.1"  # run by uv when it is asked, not part of the environment
SERVICES = ("osv", "pypi")  # of known holes, the first that answers
AUDIT_S = 120
# Words that only look like a secret (hashes, test passwords) cost more trust than they give.
SILENT = ("KeywordDetector", "HexHighEntropyString", "Base64HighEntropyString", "BasicAuthDetector")
HASHES = r"^(requirements\.txt|docs/api/|ops/frontend/|market/sources/.*requirements)"
BANDIT = ("accounts", "market", "ops", "realtime", "simgame", "trading", "manage.py")


class Audit(NamedTuple):
    """`holes`: lines for people. `why`: why nobody could be asked; "" when somebody was."""

    holes: list[str]
    why: str


def bandit() -> list[str]:
    """The command: risky code of medium severity and more. SQL is made of our own constants (B608)."""
    return [
        *(sys.executable, "-m", "bandit", "--quiet", "-ll", "--skip", "B608"),
        *("--exclude", "*/migrations/*", "--recursive", *BANDIT),
    ]


def packages() -> Audit:
    """Known holes of the locked packages. Asks over the network; says why when it cannot."""
    why = "no service of known holes answered"
    for service in SERVICES:
        said = _pip_audit(service)
        if isinstance(said, str):
            why = said
            continue
        known = [each for each in said if "skip_reason" not in each]
        if len(known) < len(said) // 2:
            why = f"{service} knows only {len(known)} of {len(said)} packages here"
            continue
        return Audit([_hole(each, one) for each in known for one in each["vulns"]], "")
    return Audit([], why)


def _pip_audit(service: str) -> list[dict[str, Any]] | str:
    """Its list of packages, or why there is none."""
    uv = str(Path(sys.executable).parent / "uv")
    words = ["--requirement", "requirements.txt", "--require-hashes", "--disable-pip", "--format", "json"]
    tool = ["tool", "run", "--from", PIP_AUDIT, "pip-audit", *words]
    try:
        done = subprocess.run(
            [uv, *tool, "--vulnerability-service", service, "--progress-spinner", "off"],
            cwd=env.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=AUDIT_S,
            check=False,
        )
        return list(json.loads(done.stdout)["dependencies"])
    except subprocess.TimeoutExpired:
        return f"{service} did not answer within {AUDIT_S} s"
    except (OSError, ValueError, KeyError):
        last = done.stderr.strip().splitlines()[-1:] or ["no answer"]
        return f"{service}: {last[0][:200]}"


def _hole(package: dict[str, Any], one: dict[str, Any]) -> str:
    fixed = ", ".join(one.get("fix_versions", ())) or "no version yet"
    return f"{package['name']} {package['version']}: {one['id']}, mended in {fixed}"


def secrets() -> list[str]:
    """`file:line: kind` of every secret in the repository."""
    silent = [word for name in SILENT for word in ("--disable-plugin", name)]
    done = subprocess.run(
        [sys.executable, "-m", "detect_secrets", "scan", *silent, "--exclude-files", HASHES],
        cwd=env.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)["results"]
    return [f"{path}:{one['line_number']}: {one['type']}" for path in sorted(found) for one in found[path]]


if __name__ == "__main__":
    print(*(lines := secrets()), sep="\n")
    sys.exit(1 if lines else 0)
