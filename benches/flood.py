#!/usr/bin/env python3
"""How well an honest asker is served while a DHT node is flooded: from one address, from one /24, and from everywhere.

In a network namespace of its own, in which the node believes to be on the public network. Linux, as root or where
unprivileged user namespaces are allowed.

    cargo build --release && python3 benches/flood.py target/release/trackless
"""
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time

NODE = "50.0.0.1"
SECONDS, ASKED_A_SECOND, SILENCE = 20, 3, 1.0
ENTERED = "TRACKLESS_BENCH_ENTERED"
# The whole of the address space is this machine's.
SETUP = 'ip link set lo up && ip addr add 50.0.0.1/32 dev lo && ip route add local 0.0.0.0/1 dev lo && exec "$0" "$@"'
FLOODS = {
    "nobody else": 0,
    "one address": 1,
    "a /24, 250 addresses": 250,
    "everywhere, 4,000 addresses": 4000,
}


def enter():
    """Goes on in a network that has no way out."""
    if os.environ.get(ENTERED):
        return
    unshare = ["unshare", "--net"] + (["--map-root-user"] if os.geteuid() else [])
    os.environ[ENTERED] = "yes"
    os.execvp("unshare", [*unshare, "sh", "-c", SETUP, sys.executable, *sys.argv])


def query(method, arguments, transaction):
    own = os.urandom(20)
    return b"d1:ad2:id20:%s%se1:q%d:%s2:roi1e1:t4:%s1:y1:qe" % (own, arguments, len(method), method, transaction)


def address(count, number):
    if count <= 250:
        return f"70.1.1.{number + 1}"
    return f"{random.randrange(60, 120)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"


class Flood:
    """Queries for peers from these addresses in turn, as fast as one process sends them."""

    def __init__(self, target, count):
        self.child = os.fork() if count else None
        if self.child == 0:
            self.send(target, count)

    def send(self, target, count):
        senders = []
        for number in range(count):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.bind((address(count, number), 6881))
            sender.connect(target)
            sender.setblocking(False)
            senders.append(sender)
        question = query(b"get_peers", b"9:info_hash20:" + os.urandom(20), b"flod")
        sent = 0
        end = time.monotonic() + SECONDS + 1
        while time.monotonic() < end:
            for sender in senders:
                try:
                    sender.send(question)
                    sent += 1
                except OSError:
                    pass
        print(f"    {sent / (SECONDS + 1):,.0f} a second were sent", flush=True)
        os._exit(0)

    def wait(self):
        if self.child:
            os.waitpid(self.child, 0)


class Asker:
    """Asks now and then, and notes how soon it was answered."""

    def __init__(self, target):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("55.5.5.5", 0))
        self.socket.connect(target)
        self.sent, self.answered = {}, []

    def listen(self):
        self.socket.settimeout(SILENCE)
        while True:
            try:
                datagram = self.socket.recv(4096)
            except (TimeoutError, ConnectionError):
                return
            now = time.monotonic()
            start = datagram.find(b"1:t4:")
            sent = self.sent.get(datagram[start + 5:start + 9])
            if sent is not None and b"1:y1:r" in datagram:
                self.answered.append(now - sent)

    def ask(self):
        listener = threading.Thread(target=self.listen)
        listener.start()
        for number in range(SECONDS * ASKED_A_SECOND):
            transaction = number.to_bytes(4, "big")
            self.sent[transaction] = time.monotonic()
            self.socket.send(query(b"get_peers", b"9:info_hash20:" + os.urandom(20), transaction))
            time.sleep(1 / ASKED_A_SECOND)
        listener.join()


def cpu(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    enter()
    node = subprocess.Popen([sys.argv[1], "node", "--listen", f"{NODE}:6881", "--bootstrap", "none", "--json"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        json.loads(node.stdout.readline())
        target = (NODE, 6881)
        for name, count in FLOODS.items():
            print(f"flooded by {name}", flush=True)
            flood, asker = Flood(target, count), Asker(target)
            time.sleep(1)
            before = cpu(node.pid)
            asker.ask()
            share = (cpu(node.pid) - before) / (SECONDS + SILENCE)
            answered = len(asker.answered) / len(asker.sent)
            middle = statistics.median(asker.answered) * 1000 if asker.answered else float("nan")
            print(f"    {answered:.1%} of an honest asker's queries are answered, half of them within {middle:.1f} ms; "
                  f"the node takes {share:.0%} of a core and {resident(node.pid):.1f} MiB", flush=True)
            flood.wait()
    finally:
        node.kill()
        node.wait()


if __name__ == "__main__":
    main()
