"""aria2."""

from clients.client import PORT, Client, find, magnet

# Its DHT runs only while there is a torrent: one that nobody has.
NOBODYS = b"nobody has this one."


class Aria2(Client):
    name = "aria2"
    patience = 120

    def program(self):
        return find("aria2c")

    def node(self):
        return self._start(magnet(NOBODYS))

    def seed(self, torrent):
        return self._start("--check-integrity=true", "--seed-ratio=0.0", torrent)

    def fetch(self, info_hash):
        return self._start("--seed-time=0", magnet(info_hash))

    def _start(self, *words):
        directory = self.machine.directory
        entry = ["--dht-entry-point={}:{}".format(*self.machine.bootstrap)] if self.machine.bootstrap else []
        return self.machine.start(
            [
                self.program(),
                "--no-conf=true",
                f"--dir={self.machine.content}",
                f"--listen-port={PORT}",
                f"--dht-listen-port={PORT}",
                "--enable-dht=true",
                "--enable-dht6=false",
                f"--dht-file-path={directory}/dht.dat",
                "--bt-enable-lpd=false",
                "--enable-peer-exchange=false",
                "--file-allocation=none",
                "--summary-interval=0",
                "--show-console-readout=false",
                "--enable-color=false",
                f"--log={directory}/aria2.log",
                "--log-level=info",
                *entry,
                *words,
            ]
        )
