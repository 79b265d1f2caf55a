"""The allocator setting is taken or declined, never an error."""

import subprocess
import sys


def test_setting_is_taken_or_declined() -> None:
    code = "from dojocc.allocator import keep_freed_memory as k; print(k())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("True", "False")
    assert not done.stderr
