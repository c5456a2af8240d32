"""From a bare Python to a complete environment, and every way that can be refused."""

from __future__ import annotations

import argparse
import importlib.machinery
import io
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from simgame import env
from simgame.bootstrap import door, environment, extras, request
from simgame.bootstrap.progress import Progress, SetupFailed
from simgame.embedded import Embedded


def manage(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=env.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "simgame.settings", **changes},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def asked(*words: str) -> argparse.Namespace:
    return door.play_parser().parse_args(words)


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(screen: io.StringIO) -> Progress:
    return Progress(screen)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "SIMGAME_ORDER_RATE",
            "abc",
            "Setting SIMGAME_ORDER_RATE='abc' cannot be used: expected a whole number.",
        ),
        ("SIMGAME_REPLAY_SPEED", "0", "expected a whole number of at least 1."),
        ("SIMGAME_DEBUG", "perhaps", "Setting SIMGAME_DEBUG='perhaps' cannot be used: expected 1 or 0."),
        ("DATABASE_URL", "mysql://db/game", "expected postgresql://user:password@host:port/name."),
        ("SIMGAME_SECRET_KEY_FILE", "/nowhere/key", "expected a readable file (No such file or directory)."),
    ],
)
def test_a_setting_that_cannot_be_used_gives_one_sentence(name: str, value: str, sentence: str):
    done = manage("check", **{name: value})
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_the_first_stage_needs_the_standard_library_only():
    """`-S -I`: no site-packages at all."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from simgame.bootstrap import door; door.play_parser()"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(env.BASE_DIR)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_it_makes_an_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SIMGAME_VENV", str(tmp_path / "venv"))
    assert not environment.is_ready()
    environment._make()
    prefix = [str(environment.python()), "-c", "import sys; print(sys.prefix)"]
    assert subprocess.run(prefix, capture_output=True, text=True, check=True).stdout.strip() == str(
        tmp_path / "venv"
    )
    assert not environment.is_ready(), "nothing is installed yet"


def test_without_pip_it_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def find_nothing(name: str) -> importlib.machinery.ModuleSpec | None:
        return None

    monkeypatch.setenv("SIMGAME_VENV", str(tmp_path / "venv"))
    monkeypatch.setattr(environment.importlib.util, "find_spec", find_nothing)
    with pytest.raises(SetupFailed, match="sudo apt install python3-venv"):
        environment._make()


def test_uv_itself_is_pinned_with_hashes():
    lines = environment.locked("uv").splitlines()
    assert lines[0].startswith("uv==")
    assert len(lines) > 3
    assert all("--hash=sha256:" in line for line in lines[1:])
    assert not lines[-1].endswith("\\")


def test_without_npm_the_game_still_runs(
    tmp_path: Path, screen: io.StringIO, progress: Progress, monkeypatch
):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    assert not extras.install_browser_libraries(progress, tmp_path)
    last = screen.getvalue().splitlines()[-1]
    assert last.startswith("  ! npm could not fetch them (")
    assert last.endswith("the game runs without charts until it can.")
    assert not (tmp_path / "npm" / "installed.sha256").exists()


def test_npm_trusts_whom_the_machine_trusts(
    tmp_path: Path, screen: io.StringIO, progress: Progress, monkeypatch
):
    """A company's proxy signs with a certificate that only the machine's store knows."""
    registry = f"https://localhost:{_registry_with_its_own_certificate(tmp_path)}/"
    monkeypatch.setenv("npm_config_registry", registry)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    assert not extras.install_browser_libraries(progress, tmp_path)
    assert "404" in screen.getvalue(), "npm got an answer: it took the certificate"


class Nothing(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_):
        """Say nothing."""


def _registry_with_its_own_certificate(folder: Path) -> int:
    """An HTTPS server that has nothing; its certificate is in `folder`/cert.pem. Its port."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(hours=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "cert.pem").write_bytes(built.sign(key, SHA256()).public_bytes(Encoding.PEM))
    (folder / "both.pem").write_bytes(secret + (folder / "cert.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def test_translations_are_compiled_without_gettext(tmp_path: Path, progress: Progress, monkeypatch):
    folder = tmp_path / "locale" / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n'
    (folder / "django.po").write_text(f'{header}\nmsgid "Buy"\nmsgstr "买入"\n', encoding="utf-8")
    monkeypatch.setattr(extras.env, "BASE_DIR", tmp_path)
    extras.compile_translations(progress)
    assert "买入".encode() in (folder / "django.mo").read_bytes()


# --- what a person asks of play -----------------------------------------------------------------


@pytest.mark.parametrize("world", ["moon", "replay:", "replay", ""])
def test_an_unknown_world_is_refused(world: str, tmp_path: Path, progress: Progress):
    with pytest.raises(SetupFailed, match="is not a world: use seeded, or replay:PATH"):
        request.checked(asked("--world", world), tmp_path, progress)


def test_a_recording_is_found_from_where_the_person_stands(tmp_path: Path, progress: Progress, monkeypatch):
    (tmp_path / "day.json").touch()
    monkeypatch.chdir(tmp_path)
    assert (
        request.checked(asked("--world", "replay:day.json"), tmp_path, progress).world
        == f"replay:{tmp_path}/day.json"
    )


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr(request, "DEFAULT_PORT", other.getsockname()[1])
        yield other.getsockname()[1]


def test_a_taken_port_that_was_asked_for_is_refused(taken: int, tmp_path: Path, progress: Progress):
    with pytest.raises(SetupFailed, match=f"Port {taken} is taken by another program"):
        request.checked(asked("--port", str(taken)), tmp_path, progress)


def test_else_the_next_free_port_is_used_and_named(taken: int, tmp_path: Path, screen, progress: Progress):
    port = request.checked(asked(), tmp_path, progress).port
    assert taken < port < taken + request.PORTS_TRIED
    assert f"Port {taken} is taken by another program: this game uses {port}." in screen.getvalue()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_a_host_that_is_not_ours_is_refused(host: str, tmp_path: Path, progress: Progress):
    with pytest.raises(SetupFailed, match="is not an address of this machine"):
        request.checked(asked("--host", host), tmp_path, progress)


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "8e3"])
def test_a_port_is_a_whole_number(port: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as refusal:
        asked(f"--port={port}")
    assert refusal.value.code == 2
    assert "is not a port: use a whole number from 1 to 65535" in capsys.readouterr().err


def test_a_second_game_says_where_the_first_one_is(tmp_path: Path):
    with request.only_game(tmp_path):
        state = {"pid": 42, "address": "http://127.0.0.1:8000/", "world": "seeded"}
        (tmp_path / env.STATE).write_text(json.dumps(state), encoding="utf-8")
        done = manage("play", "--no-browser", SIMGAME_HOME=str(tmp_path))
    assert done.returncode == 1
    assert (
        "already running from this folder: http://127.0.0.1:8000/ (world seeded, process 42)" in done.stderr
    )


def test_without_a_database_a_command_says_who_starts_one(tmp_path: Path):
    commands = [["reconcile"], ["feed", "status"], ["run_feed"], ["migrate", "--check"]]
    with ThreadPoolExecutor() as at_once:  # each of them needs seconds to begin
        wanted = {"SIMGAME_HOME": str(tmp_path), "DATABASE_URL": "", "REDIS_URL": ""}
        told = list(at_once.map(lambda words: manage(*words, **wanted), commands))
    for words, done in zip(commands, told, strict=True):
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), words
        assert "PostgreSQL cannot be used" in done.stderr, words
        assert "`manage.py play`" in done.stderr, words


def test_a_given_database_that_is_not_there_is_named_without_its_password(tmp_path: Path):
    url = "postgresql://alice:opensesame@127.0.0.1:1/game"
    done = manage("migrate", "--check", SIMGAME_HOME=str(tmp_path), DATABASE_URL=url)
    assert (done.returncode, "Traceback" in done.stderr, "opensesame" in done.stderr) == (1, False, False)
    assert 'server at "127.0.0.1", port 1 failed: Connection refused' in done.stderr


def test_later_commands_speak_of_the_world_that_is_played(tmp_path: Path):
    (tmp_path / env.STATE).write_text(json.dumps({"pid": 1, "address": "", "world": "replay:/a/b"}))
    shown = ["shell", "--no-imports", "-c", "from django.conf import settings; print(settings.WORLD)"]
    home = {"SIMGAME_HOME": str(tmp_path)}
    assert manage(*shown, **home, SIMGAME_WORLD="").stdout == "replay:/a/b\n"
    assert manage(*shown, **home, SIMGAME_WORLD="lakeside").stdout == "lakeside\n"
    assert manage(*shown, SIMGAME_HOME=str(tmp_path / "new"), SIMGAME_WORLD="").stdout == "seeded\n"


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_a_broken_note_of_a_game_is_none(text: str, tmp_path: Path):
    (tmp_path / env.STATE).write_text(text)
    assert env.running_game(tmp_path) == {}


def test_a_reset_asks_first(tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    (tmp_path / "postgres").mkdir()
    (tmp_path / "keys").mkdir()
    monkeypatch.setattr(request.sys, "stdin", io.StringIO())
    with pytest.raises(SetupFailed, match="add --yes to agree"):
        request.begin_anew(Embedded(tmp_path), False, progress)
    assert (tmp_path / "postgres").exists()


def test_a_given_database_is_never_reset(tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/game")
    with pytest.raises(SetupFailed, match="the embedded databases only"):
        request.begin_anew(Embedded(tmp_path), True, progress)


def test_a_step_shows_its_end_and_its_failure(screen: io.StringIO, progress: Progress):
    with progress.step("Pack"):
        pass
    with pytest.raises(ValueError, match="heavy"), progress.step("Lift"):
        raise ValueError("heavy")
    first, second = screen.getvalue().splitlines()
    assert first.startswith("  ✓ Pack")
    assert second.startswith("  ✗ Lift")
    assert "\x1b" not in screen.getvalue()


def test_compiled_modules_lie_in_the_home_where_none_may_lie_beside_the_code():
    forbidden, free = {"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/h"}, {"HOME": "/h"}
    for given in (forbidden, free):
        env.keep_bytecode(given, Path("/games"))
    assert forbidden == {"PYTHONPYCACHEPREFIX": "/games/pycache", "HOME": "/h"}
    assert free == {"HOME": "/h"}


def test_who_wants_no_files_beside_the_sources_has_them_compiled_once_all_the_same(tmp_path):
    """Django and what is ours is not compiled anew by each process of the game."""
    kept = tmp_path / "bytecode"
    said = manage("check", PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX=str(kept))
    assert said.returncode == 0, said.stderr
    assert list(kept.rglob("django/core/management/__init__.*.pyc"))
    assert list(kept.rglob("simgame/settings/*.pyc")) or list(kept.rglob("simgame/settings.*.pyc"))
