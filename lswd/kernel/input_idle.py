"""Whether a program waits for input for the first time: WaitForInputIdle. Source: Microsoft "WaitForInputIdle"."""

from __future__ import annotations

from lswd.kernel.object import Waitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weakref import WeakKeyDictionary

    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread


class InputIdle(Waitable):
    """Signalled once a thread of the process has waited for a message."""

    type_name = "InputIdle"

    def __init__(self) -> None:
        super().__init__()
        self.reached = False

    def is_signalled(self, thread: Thread) -> bool:
        return self.reached

    def reach(self) -> None:
        """From now on it is so."""
        if not self.reached:
            self.reached = True
            self.wake()


class InputIdles:
    """Those of all processes; a part of the System."""

    def __init__(self, system: System) -> None:
        from weakref import WeakKeyDictionary

        self._of: WeakKeyDictionary[Process, InputIdle] = WeakKeyDictionary()

    def of(self, process: Process) -> InputIdle:
        """A process's."""
        found = self._of.get(process)
        if found is None:
            found = self._of[process] = InputIdle()
        return found
