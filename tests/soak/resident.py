"""A node that stays for the whole run: what it holds, and what it must not hold any more at the end."""

import os
import re
import statistics
from dataclasses import dataclass

#: KiB that the memory of one that stays may grow by from the second quarter of the run to the last.
MAY_GROW = 1024
#: As /proc/net/tcp has them.
ESTABLISHED, LISTEN = "01", "0A"


@dataclass(frozen=True)
class Look:
    """What was seen at one time."""

    seconds: float
    memory: int  # anonymous, in KiB
    descriptors: int
    tasks: int | None


class Resident:
    """A process, and what was seen of it."""

    def __init__(self, name, process):
        self.name, self.process, self.looks = name, process, []
        self.ip = process.argv[process.argv.index("--listen") + 1].rpartition(":")[0]

    def look(self, seconds):
        """Sees how it stands."""
        self.looks.append(Look(seconds, self._memory(), len(self._descriptors()), self._tasks()))

    def growth(self):
        """KiB of memory in the last quarter of the run, less those of the second quarter."""
        quarter = len(self.looks) // 4
        early, late = self.looks[quarter : 2 * quarter], self.looks[3 * quarter :]
        if not early:
            return 0
        middle = lambda looks: statistics.median(look.memory for look in looks)
        return middle(late) - middle(early)

    def leaks(self, friends):
        """What is wrong with it in the quiet after the run, a sentence each. `friends` are the IPs of those that stay."""
        if self.process.status is not None:
            return [f"{self.name}: ended with {self.process.status}", *self.process.tail(3)]
        faults = []
        if self.growth() > MAY_GROW:
            faults.append(f"{self.name}: {self.growth():.0f} KiB more in the last quarter than in the second")
        connections = [(remote, state) for remote, state in self._connections() if state != LISTEN]
        for remote, state in connections:
            if state != ESTABLISHED or remote not in friends:
                faults.append(f"{self.name}: still holds a connection to {remote}, state {state}")
        before, now = self.looks[0], Look(0, self._memory(), len(self._descriptors()), self._tasks())
        # A task for each connection, and none for anything else that has come.
        if None not in (before.tasks, now.tasks) and now.tasks > before.tasks + len(connections):
            faults.append(f"{self.name}: {now.tasks} tasks with {len(connections)} connections, {before.tasks} at first")
        return faults

    def _memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

    def _descriptors(self):
        folder, found = f"/proc/{self.process.pid}/fd", []
        for number in os.listdir(folder):
            try:
                found.append(os.readlink(f"{folder}/{number}"))
            except FileNotFoundError:
                pass
        return found

    def _connections(self):
        """(IP, state) of each TCP socket that it has open."""
        inodes = {match[1] for name in self._descriptors() if (match := re.fullmatch(r"socket:\[(\d+)\]", name))}
        with open("/proc/net/tcp") as table:
            rows = [line.split() for line in table][1:]
        for row in rows:
            if row[9] in inodes:
                ip = ".".join(str(byte) for byte in reversed(bytes.fromhex(row[2].split(":")[0])))
                yield ip, row[3]

    def _tasks(self):
        """As its log said last."""
        with self.process.err.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 1_000_000))
            said = re.findall(rb"tasks=(\d+)", log.read())
        return int(said[-1]) if said else None
