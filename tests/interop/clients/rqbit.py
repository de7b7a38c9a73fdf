"""rqbit."""

import krpc
import network
from clients.client import PORT, Client, existing, magnet


class Rqbit(Client):
    name = "rqbit"
    # It remembers nodes that other nodes name, and not the one that it starts from.
    neighbours = 4
    only_near_nodes = True

    def program(self):
        return existing(self.tools.directory / "rqbit/bin/rqbit")

    def node(self):
        return self._start("server", "start", "--disable-persistence", self.machine.content)

    def node_address(self, process):
        # Its DHT takes any port, and does not say which.
        for port in network.udp_ports(process.pid):
            if krpc.node_id((self.machine.address, port)):
                return (self.machine.address, port)
        return None

    def seed(self, torrent):
        return self._start("download", "--overwrite", "-o", self.machine.content, torrent)

    def fetch(self, info_hash):
        return self._start("download", "--exit-on-finish", "-o", self.machine.content, magnet(info_hash))

    def _start(self, *words):
        return self.machine.start(
            [
                self.program(),
                "--disable-lsd",
                "--disable-trackers",
                "--disable-upnp-port-forward",
                "--disable-dht-persistence",
                "--dht-bootstrap-addrs",
                "{}:{}".format(*self.machine.bootstrap),
                "--http-api-listen-addr",
                "127.0.0.1:3030",
                "--listen-ip",
                self.machine.address,
                "--listen-port",
                str(PORT),
                *words,
            ]
        )
