"""Where a launch in this process spends its time: ``python bench/split.py PROGRAM``, a line of JSON to standard error.

imports  of what every launch needs
map      finding, opening and mapping image and userland, and the engine's start
kernel   handlers of system calls
guest    all the rest of the run: guest code, its page faults, the hand-off
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> None:
    """Launch the program and tell."""
    mark = time.perf_counter()
    from lswd.nt.dispatch import Dispatcher
    from lswd.service.launch import Options, launch

    imported = time.perf_counter()
    in_handlers = 0.0
    original = Dispatcher.handler

    def handler(self: Dispatcher, thread: Any) -> Any:
        answer = original(self, thread)

        def timed(*call: int) -> int | None:
            nonlocal in_handlers
            began = time.perf_counter()
            result = answer(*call)
            in_handlers += time.perf_counter() - began
            return result

        return timed

    Dispatcher.handler = handler  # type: ignore[method-assign, assignment]
    outcome = launch(Options(sys.argv[1]))
    phases = dict(outcome.phases)
    split = {
        "imports": imported - mark,
        "map": sum(seconds for name, seconds in phases.items() if name != "run"),
        "kernel": in_handlers,
        "guest": phases["run"] - in_handlers,
    }
    print(json.dumps(split), file=sys.stderr, flush=True)
    os._exit(0)  # as lswctl ends


if __name__ == "__main__":
    main()
