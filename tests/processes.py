"""Commands in processes of their own that are ended by force, and the journals that they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path


class EndOfPowerError(BaseException):
    """Ends a run as a crash would: nothing catches it, and nothing is tidied up."""


def killed(arguments: list[str], seconds: float, after: Path | None = None) -> bool:
    """Whether the command could be killed so long after its start, or after a file was there, before it had ended."""
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while after and not after.exists() and process.poll() is None:
            time.sleep(0.0005)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            return True
        assert process.stderr
        assert process.returncode == 0, process.stderr.read()
    return False


def forge_setting(journal: Path, change: str) -> None:
    """Have the journal say another instruction set ("level"), or another version of lpr_fast."""
    content = json.loads(journal.read_text())
    name, value = ("instruction_set", "mmx") if change == "level" else ("version_of_lpr_fast", "0.0.1")
    content["settings"][name] = value
    journal.write_text(json.dumps(content))
