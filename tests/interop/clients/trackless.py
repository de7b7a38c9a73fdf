"""trackless: the client that all this is about."""

import json

from clients.client import PORT, Client, existing


class Trackless(Client):
    name = "trackless"

    def program(self):
        return existing(self.tools.trackless)

    def node(self):
        return self._start("node")

    def seed(self, torrent):
        return self._start("seed", torrent, "--data", self.machine.content)

    def share(self, path):
        """Makes the torrent of a path, too, and serves it."""
        return self._start("seed", path)

    def shared(self, process):
        """The info-hash of what is shared, once it is known."""
        for event in events(process):
            if event["event"] == "seeding":
                return bytes.fromhex(event["info_hash"])
        return None

    def fetch(self, info_hash):
        return self._start("get", info_hash.hex(), "-o", self.machine.content, "--timeout", "150")

    def has_fetched(self, process):
        return process.status == 0 and any(event["event"] == "done" for event in events(process))

    def _start(self, command, *words):
        bootstrap = "{}:{}".format(*self.machine.bootstrap) if self.machine.bootstrap else "none"
        return self.machine.start(
            [
                self.program(),
                command,
                *words,
                "--json",
                "-vv",
                "--listen",
                f"{self.machine.address}:{PORT}",
                "--bootstrap",
                bootstrap,
                "--state-dir",
                self.machine.directory / "state",
            ]
        )


def events(process):
    """What it told so far with `--json`."""
    return [json.loads(line) for line in process.lines()]
