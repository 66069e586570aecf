"""Commands in processes of their own that are ended by force."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path


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
