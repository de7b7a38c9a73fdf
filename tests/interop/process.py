"""A program that is run: its output in files, its life bounded."""

import os
import signal
import subprocess
import time


#: Those that run.
RUNNING = set()


class Process:
    """Standard output and standard error go to `NAME.out` and `NAME.err` in a directory."""

    def __init__(self, name, argv, directory):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.out = directory / f"{name}.out"
        self.err = directory / f"{name}.err"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TRACKLESS_")}
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._child = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=directory,
                env={**clean, "LC_ALL": "C.UTF-8", "HOME": str(directory)},
            )
        RUNNING.add(self)

    @property
    def pid(self):
        return self._child.pid

    @property
    def status(self):
        """The exit status; None while it runs."""
        return self._child.poll()

    def lines(self):
        """The whole lines of its standard output so far."""
        return self.out.read_text("utf8", "replace").split("\n")[:-1]

    def stop(self, patience=5):
        """Ends it: asked first, then killed."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.status is None:
                self._child.send_signal(sign)
                try:
                    self._child.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
        RUNNING.discard(self)

    def kill(self):
        """Ends it at once."""
        self._child.kill()

    def interrupt(self):
        """What Ctrl-C does."""
        self._child.send_signal(signal.SIGINT)

    def tail(self, lines=8):
        """The last lines of what it said."""
        said = []
        for path in (self.out, self.err):
            # One that was never started has said nothing.
            if not path.exists():
                continue
            text = path.read_text("utf8", "replace").strip().splitlines()
            said += [f"    {path.name}: {line[:300]}" for line in text[-lines:]]
        return said


def wait_until(condition, seconds, interval=0.05):
    """The first truthy value of `condition()`, or None when there was none in time."""
    end = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            return None
        time.sleep(interval)
