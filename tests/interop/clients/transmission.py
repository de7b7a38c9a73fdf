"""Transmission, its daemon."""

import http.client
import json

from clients.client import PORT, Client, find, magnet
from process import wait_until

RPC_PORT = 9091


class Transmission(Client):
    name = "transmission"
    patience = 180
    # "broken" is what it calls a DHT in which it knows no more than eight nodes.
    neighbours = 12
    # Version 3 does not.
    makes_empty_files = False

    def __init__(self, tools, machine):
        super().__init__(tools, machine)
        self._session = ""

    def program(self):
        return find("transmission-daemon")

    def node(self):
        return self._start()

    def seed(self, torrent):
        process = self._start()
        self._add(str(torrent))
        return process

    def fetch(self, info_hash):
        process = self._start()
        self._add(magnet(info_hash))
        return process

    def has_fetched(self, process):
        if process.status is not None:
            return False
        fields = ["metadataPercentComplete", "leftUntilDone", "percentDone"]
        answer = self._call("torrent-get", {"fields": fields})
        return any(
            torrent["metadataPercentComplete"] == 1 and torrent["leftUntilDone"] == 0 and torrent["percentDone"] == 1
            for torrent in (answer or {}).get("torrents", [])
        )

    def _start(self):
        configuration = self.machine.directory / "configuration"
        configuration.mkdir()
        (configuration / "settings.json").write_text(json.dumps(self._settings()))
        if self.machine.bootstrap:
            (configuration / "dht.bootstrap").write_text("{} {}\n".format(*self.machine.bootstrap))
        return self.machine.start([self.program(), "--foreground", "--config-dir", configuration, "--log-info"])

    def _settings(self):
        """As it comes, but peers from the DHT alone, and the remote control open to the suite."""
        return {
            "bind-address-ipv4": self.machine.address,
            "peer-port": PORT,
            "download-dir": str(self.machine.content),
            "dht-enabled": True,
            "lpd-enabled": False,
            "pex-enabled": False,
            # Where uTP is refused, version 3 closes the TCP connection that it opens instead, and tries no other for a
            # quarter of an hour.
            "utp-enabled": False,
            "port-forwarding-enabled": False,
            "rpc-bind-address": self.machine.address,
            "rpc-port": RPC_PORT,
            "rpc-whitelist-enabled": False,
            "rpc-host-whitelist-enabled": False,
        }

    def _add(self, what):
        arguments = {"filename": what, "download-dir": str(self.machine.content), "paused": False}
        if not wait_until(lambda: self._call("torrent-add", arguments), 20):
            raise TimeoutError("transmission-daemon does not take the torrent")

    def _call(self, method, arguments):
        """What it answers to a request; None when it does not."""
        body = json.dumps({"method": method, "arguments": arguments})
        connection = http.client.HTTPConnection(self.machine.address, RPC_PORT, timeout=3)
        try:
            for _ in range(2):
                connection.request("POST", "/transmission/rpc", body, {"X-Transmission-Session-Id": self._session})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    return json.loads(text)["arguments"]
                # The first time it names the session that it wants to hear.
                self._session = answer.getheader("X-Transmission-Session-Id", "")
            return None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
