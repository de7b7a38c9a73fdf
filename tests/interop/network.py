"""A network for each case: three machines on a switch, and nothing else in the world.

A machine is a network namespace. The suite itself runs in a namespace of its own in which the switches are, so that
nothing here can reach the internet and nothing is left behind: it all ends with the suite.
"""

import os
import subprocess
import sys
from pathlib import Path

ENTERED = "TRACKLESS_INTEROP_ENTERED"
SETUP = 'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip link set lo up && exec "$0" "$@"'


def enter():
    """Goes on in a network of the suite's own; does nothing the second time. Raises OSError, SystemExit."""
    if os.environ.get(ENTERED):
        return
    unshare = ["unshare", "--mount", "--net"]
    setup = SETUP
    if os.geteuid() != 0:
        unshare.append("--map-root-user")
        setup = f"mount -t tmpfs tmpfs /run && {SETUP}"
    if subprocess.run([*unshare, "true"], check=False).returncode != 0:
        sys.exit("The interop suite needs network namespaces: run it as root, or allow unprivileged user namespaces.")
    os.environ[ENTERED] = "yes"
    os.execvp("unshare", [*unshare, "sh", "-c", setup, sys.executable, *sys.argv])


class Network:
    """Machines 10.77.N.1, .2 and so on, on a switch where the suite itself is 10.77.N.254."""

    def __init__(self, number):
        self.number = number
        self._switch = f"sw{number}"
        self._namespaces = []

    def __enter__(self):
        _ip("link", "add", self._switch, "type", "bridge", "stp_state", "0")
        _ip("addr", "add", f"10.77.{self.number}.254/24", "dev", self._switch)
        _ip("link", "set", self._switch, "up")
        return self

    def machine(self):
        """Adds a machine; its namespace and address."""
        host = len(self._namespaces) + 1
        namespace = f"n{self.number}-{host}"
        port = f"p{self.number}-{host}"
        address = f"10.77.{self.number}.{host}"
        _ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "address", self._mac(host), "netns", namespace)
        _ip("link", "set", port, "master", self._switch, "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        return namespace, address

    def introduce(self):
        """Tells every machine where the others are. A crowd cannot ask: the system bounds what all machines together
        remember of neighbours that they asked for."""
        hosts = range(1, len(self._namespaces) + 1)
        for host, namespace in enumerate(self._namespaces, 1):
            entries = [
                f"neigh replace 10.77.{self.number}.{other} lladdr {self._mac(other)} dev eth0 nud permanent\n"
                for other in hosts
                if other != host
            ]
            subprocess.run(["ip", "-n", namespace, "-batch", "-"], input="".join(entries), text=True, check=True)

    def _mac(self, host):
        return f"02:00:00:00:{self.number:02x}:{host:02x}"

    def __exit__(self, *_):
        for namespace in self._namespaces:
            _ip("netns", "del", namespace)
        _ip("link", "del", self._switch)


def inside(namespace, argv):
    """The command line that runs `argv` on a machine; it becomes `argv`, under the same process id."""
    return ["ip", "netns", "exec", namespace, *argv]


def udp_ports(pid):
    """The local UDP ports that are open on the machine of a process."""
    ports = set()
    for table in ("udp", "udp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            ports.add(int(row.split()[1].rsplit(":", 1)[1], 16))
    return ports


def _ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
