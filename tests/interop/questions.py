#!/usr/bin/env python3
"""The same datagrams to a DHT node of ours and to one of libtorrent, over IPv4 and IPv6: both have to answer alike.

Both are in a network namespace that has no way out. Needs a Python that has the `libtorrent` module: that of the tools which
`install` makes.
"""

import argparse
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bencode
import network
from process import Process, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 20
#: An answer that takes longer is none.
SILENCE = 0.5
OURS, THEIRS = 6881, 7000
HOSTS = {socket.AF_INET: "10.78.0.1", socket.AF_INET6: "fd78::1"}
ID = b"\x01" * 20
#: Where they answer otherwise, and why we do as we do.
KNOWN = {
    "get_peers with scrape": "BEP 33 adds filters to an answer; they leave its peers out",
    "put without a signature": "BEP 44 signs what has a key; they take it for immutable",
    "a method that nobody knows": "BEP 5 has a code for that, 204",
}
#: What signs nothing.
SIGNATURE = b"s" * 64


class Asker:
    """Asks one node over one family, and keeps the token that it gives."""

    def __init__(self, family, port):
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(SILENCE)
        self._socket.connect((HOSTS[family], port))
        # One node keeps what it hears over either family in one store.
        self.info_hash = hashlib.sha1(family.name.encode()).digest()
        self.value = family.name
        self.key = hashlib.sha256(family.name.encode()).digest()
        self.token = b""

    def ask(self, method, **arguments):
        return self.send(bencode.encode({"t": b"aa", "y": "q", "q": method, "ro": 1, "a": {"id": ID, **arguments}}))

    def send(self, datagram):
        """What the answer amounts to: the names of what it holds, or the code of the error."""
        self._socket.send(datagram)
        try:
            answer = bencode.decode(self._socket.recv(65536))
        except (TimeoutError, ConnectionError):
            return "silence"
        if b"e" in answer:
            return f"error {answer[b'e'][0]}"
        values = answer[b"r"]
        self.token = values.get(b"token", self.token)
        values.pop(b"p", None)  # The asker's port, which nobody asks for.
        # Whom a node has to name is a matter of its table; that it names a family at all is not.
        return " ".join(sorted(key.decode() for key in values if key != b"id")) or "nothing but its id"


def interview(asker):
    """(question, answer) of all questions, in turn."""
    for name, want in [("", None), (" want n4", ["n4"]), (" want n6", ["n6"]), (" want both", ["n4", "n6"])]:
        wanted = {"want": want} if want else {}
        yield f"find_node{name}", asker.ask("find_node", target=b"\x02" * 20, **wanted)
        yield f"get_peers{name}", asker.ask("get_peers", info_hash=asker.info_hash, **wanted)
    yield "ping", asker.ask("ping")
    token = asker.token
    announce = {"info_hash": asker.info_hash, "token": token}
    yield "announce_peer with a wrong token", asker.ask("announce_peer", **{**announce, "token": b"wrong"}, port=7003)
    yield "announce_peer without a token", asker.ask("announce_peer", info_hash=asker.info_hash, port=7003)
    yield "announce_peer without a port", asker.ask("announce_peer", **announce)
    yield "announce_peer with port 0", asker.ask("announce_peer", **{**announce, "info_hash": b"\x04" * 20}, port=0)
    yield "announce_peer", asker.ask("announce_peer", **announce, port=7003)
    yield "announce_peer of a seed at the port that is seen", asker.ask("announce_peer", **announce, port=1, implied_port=1, seed=1)
    yield "get_peers of what was announced", asker.ask("get_peers", info_hash=asker.info_hash)
    yield "get_peers with scrape", asker.ask("get_peers", info_hash=asker.info_hash, scrape=1)
    yield "sample_infohashes", asker.ask("sample_infohashes", target=b"\x05" * 20)
    yield "get_peers without info_hash", asker.ask("get_peers")
    yield "find_node with a short target", asker.ask("find_node", target=b"\x02" * 19)
    yield "get without a target", asker.ask("get")
    immutable = hashlib.sha1(bencode.encode(asker.value)).digest()
    yield "get of nothing", asker.ask("get", target=immutable)
    yield "put", asker.ask("put", token=asker.token, v=asker.value)
    yield "put with a wrong token", asker.ask("put", token=b"wrong", v=asker.value)
    yield "put of more than 1,000 bytes", asker.ask("put", token=asker.token, v=b"x" * 1001)
    yield "get", asker.ask("get", target=immutable)
    mutable = hashlib.sha1(asker.key).digest()
    yield "get of nothing mutable", asker.ask("get", target=mutable)
    signed = {"token": asker.token, "k": asker.key, "seq": 1, "sig": SIGNATURE, "v": asker.value}
    yield "put with a wrong signature", asker.ask("put", **signed)
    yield "put without a signature", asker.ask("put", **{name: signed[name] for name in ("token", "k", "seq", "v")})
    yield "put with a salt of more than 64 bytes", asker.ask("put", **signed, salt=b"s" * 65)
    yield "a method that nobody knows", asker.ask("vote")
    yield "a method that nobody knows, with a target", asker.ask("vote", target=b"\x07" * 20)
    yield "garbage", asker.send(b"d1:q4:ping")
    yield "ping at the end", asker.ask("ping")


def start(arguments, directory):
    """Two nodes of ours and one of libtorrent who know each other over both families; what to stop and keep alive."""
    import libtorrent

    for command in [
        ["ip", "addr", "add", "10.78.0.1/32", "dev", "lo"],
        ["ip", "addr", "add", "fd78::1/128", "dev", "lo", "nodad"],
    ]:
        subprocess.run(command, check=True)
    program = arguments.trackless.resolve()
    ours = Process("ours", [program, "node", "--json", "--bootstrap", "none", "--state-dir", directory / "ours"], directory)
    if not wait_until(lambda: any('"listening"' in line for line in ours.lines()), PATIENCE):
        sys.exit("our node does not listen")
    entrances = [f"--bootstrap={host}:{OURS}" for host in ("10.78.0.1", "[fd78::1]")]
    second = Process("second", [program, "node", "--json", *entrances, "--state-dir", directory / "second"], directory)
    session = libtorrent.session(
        {
            "listen_interfaces": f"10.78.0.1:{THEIRS},[fd78::1]:{THEIRS}",
            "dht_bootstrap_nodes": f"10.78.0.1:{OURS}",
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "dht_restrict_routing_ips": False,
            "dht_restrict_search_ips": False,
            "dht_block_ratelimit": 1000,
        }
    )
    for host in HOSTS.values():
        session.add_dht_node((host, OURS))
    return [ours, second], session


def is_ready(port, family):
    """Whether the node names somebody of the asker's family."""
    return "nodes" in Asker(family, port).ask("find_node", target=ID)


def compare(family):
    """Prints where the answers differ; whether they do not."""
    answers = zip(interview(Asker(family, OURS)), interview(Asker(family, THEIRS)), strict=True)
    count = differences = 0
    for (question, ours), (_, theirs) in answers:
        count += 1
        if ours == theirs:
            continue
        differences += question not in KNOWN
        verdict = f"known: {KNOWN[question]}" if question in KNOWN else "FAILED"
        print(f"  {question}: we say {ours}; they say {theirs} ({verdict})", flush=True)
    print(f"{'FAILED' if differences else 'passed'}  {family.name}: {count} questions asked of both", flush=True)
    return not differences


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trackless", type=Path, default=target / "release/trackless")
    arguments = parser.parse_args()
    network.enter()
    directory = Path(tempfile.mkdtemp(prefix="trackless-questions-"))
    running = []
    try:
        running, _session = start(arguments, directory)
        for port in (OURS, THEIRS):
            for family in HOSTS:
                if not wait_until(lambda: is_ready(port, family), PATIENCE):
                    print(f"FAILED  the node at port {port} names nobody over {family.name}")
                    return 1
        time.sleep(1)
        return 0 if all([compare(family) for family in HOSTS]) else 1
    finally:
        for process in running:
            process.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
