"""libtorrent 2, driven through its Python module by a process of its own."""

from pathlib import Path

from clients.client import PORT, Client, existing, magnet

DRIVER = Path(__file__).parent.parent / "libtorrent_driver.py"


class Libtorrent(Client):
    name = "libtorrent"

    def program(self):
        return existing(self.tools.directory / "venv/bin/python")

    def node(self):
        return self._start("node")

    def seed(self, torrent):
        return self._start("seed", "--torrent", torrent)

    def fetch(self, info_hash):
        return self._start("fetch", "--magnet", magnet(info_hash))

    def has_fetched(self, process):
        return "done" in process.lines()

    def _start(self, command, *words):
        bootstrap = ["--bootstrap", "{}:{}".format(*self.machine.bootstrap)] if self.machine.bootstrap else []
        listen = f"{self.machine.address}:{PORT}"
        return self.machine.start(
            [self.program(), DRIVER, command, *words, "--listen", listen, "--save", self.machine.content, *bootstrap]
        )
