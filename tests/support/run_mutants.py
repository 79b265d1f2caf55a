"""`python run_mutants.py FIRST STOP`: judges mutants one by one, a line of JSON each.

A process of its own, so that a crash of native code is seen and memory can be bounded: 6 GB. Each
mutant has 20 seconds of processor time.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
import traceback
import warnings
from typing import NoReturn

from onnx_mutants import judged, mutant

MEMORY = 6 << 30
SECONDS = 20


class TimeIsUp(BaseException):
    """Not an Exception, so that nothing between swallows it."""


def time_is_up(number: int, frame: object) -> NoReturn:
    raise TimeIsUp


def main(first: int, stop: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, time_is_up)
    warnings.simplefilter("ignore")
    for seed in range(first, stop):
        content = mutant(seed)
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            word, text = judged(content)
        except TimeIsUp:
            word, text = "hung", traceback.format_exc()[-900:]
        except Exception:
            word, text = "crashed", traceback.format_exc()[-900:]
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = round(time.process_time() - begun, 2)
        print(json.dumps({"seed": seed, "is": word, "text": text, "s": seconds}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
