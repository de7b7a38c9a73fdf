#!/usr/bin/env python3
"""Resident memory of a DHT node: idle with a full routing table, then with a million peers stored for others, each from
a source of its own, fifty for each of 20,000 info-hashes. Loopback only; Linux.

    cargo build --release && python3 benches/memory.py target/release/trackless
"""
import json
import os
import random
import selectors
import socket
import subprocess
import sys
import time

NEIGHBOURS, HASHES, PEERS, WINDOW = 600, 20_000, 50, 200
SOURCES = 16


def text(raw):
    return b"%d:%s" % (len(raw), raw)


def field(datagram, key):
    """The string after a key; good enough for what a node of ours sends."""
    start = datagram.find(key)
    if start < 0:
        return None
    digits, _, rest = datagram[start + len(key):].partition(b":")
    return rest[:int(digits)]


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


class Neighbours:
    """Nodes that answer every query, and name others of them."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.nodes = []
        for number in range(NEIGHBOURS):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
            sock.setblocking(False)
            self.selector.register(sock, selectors.EVENT_READ, number)
            self.nodes.append((os.urandom(20), sock))
        self.compact = [own + socket.inet_aton(sock.getsockname()[0]) + sock.getsockname()[1].to_bytes(2, "big")
                        for own, sock in self.nodes]

    def answer(self, seconds):
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            for key, _ in self.selector.select(rest):
                own, sock = self.nodes[key.data]
                datagram, sender = sock.recvfrom(4096)
                transaction = field(datagram, b"1:t")
                if b"1:y1:q" in datagram and transaction is not None:
                    nodes = b"".join(random.sample(self.compact, 8))
                    sock.sendto(b"d1:rd2:id20:%s5:nodes%se1:t%s1:y1:re" % (own, text(nodes), text(transaction)), sender)


class Asker:
    """Sends queries, so many at a time, until all of them are answered."""

    def __init__(self, ip, target):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((ip, 0))
        self.sock.connect(target)
        self.sock.settimeout(0.5)
        self.own = os.urandom(20)

    def ask(self, queries):
        """`queries` are pairs of a method and its arguments after the id. Answers in their order."""
        answers, waiting, following = [None] * len(queries), set(), 0
        while waiting or following < len(queries):
            while len(waiting) < WINDOW and following < len(queries):
                self.send(following, queries[following])
                waiting.add(following)
                following += 1
            try:
                datagram = self.sock.recv(4096)
            except TimeoutError:
                for number in waiting:
                    self.send(number, queries[number])
                continue
            if b"1:y1:q" in datagram:
                continue
            number = int.from_bytes(field(datagram, b"1:t"), "big")
            if number in waiting:
                waiting.remove(number)
                answers[number] = datagram
        return answers

    def send(self, number, query):
        method, arguments = query
        head = b"d1:ad2:id20:" + self.own + arguments + b"e1:q" + text(method)
        # Read-only, so that the node need not get to know us.
        self.sock.send(head + b"2:roi1e1:t4:" + number.to_bytes(4, "big") + b"1:y1:qe")


def fill(target):
    stored = 0
    for source in range(SOURCES):
        asker = Asker(f"127.2.0.{source + 1}", target)
        hashes = [os.urandom(20) for _ in range(HASHES // SOURCES)]
        answers = asker.ask([(b"get_peers", b"9:info_hash20:" + info_hash) for info_hash in hashes])
        announces, port = [], 1024
        for info_hash, answer in zip(hashes, answers):
            token = text(field(answer, b"5:token"))
            for _ in range(PEERS):
                announces.append((b"announce_peer",
                                  b"9:info_hash20:%s4:porti%de5:token%s" % (info_hash, port, token)))
                port += 1
        stored += sum(b"1:y1:r" in answer for answer in asker.ask(announces))
    return stored


def report(node):
    """What the node said last about itself, and what it takes."""
    os.set_blocking(node.stdout.fileno(), False)
    said = [json.loads(line) for line in (node.stdout.read() or "").splitlines()]
    figures = [event for event in said if event["event"] == "dht"][-1]
    print(f"{figures['nodes_v4']} contacts, {figures['peers_stored']} peers stored: {resident(node.pid):.1f} MiB")


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    neighbours = Neighbours()
    bootstrap = "%s:%d" % neighbours.nodes[0][1].getsockname()
    node = subprocess.Popen([sys.argv[1], "node", "--listen", "127.0.0.1:0", "--bootstrap", bootstrap, "--no-limits", "--json"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        listening = json.loads(node.stdout.readline())
        ip, _, port = listening["addr"].rpartition(":")
        target = (ip, int(port))
        neighbours.answer(40)
        report(node)
        start = time.monotonic()
        print(f"{fill(target)} announces accepted in {time.monotonic() - start:.0f} s")
        neighbours.answer(11)
        report(node)
    finally:
        node.kill()
        node.wait()


if __name__ == "__main__":
    main()
