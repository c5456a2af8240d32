"""What a person reads when the feed's commands cannot do what is asked."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command


def test_a_log_that_cannot_be_written_gives_one_sentence(seeded, settings, tmp_path):
    settings.WAL_DIR = tmp_path / "wal"
    settings.WAL_DIR.mkdir()
    (settings.WAL_DIR / "seeded").write_text("a file where the folder should be")
    with pytest.raises(CommandError, match=r"The feed cannot go on: .*wal/seeded") as refused:
        call_command("run_feed", "--world", "seeded")
    assert refused.value.returncode == 1
