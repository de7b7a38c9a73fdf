#!/usr/bin/env python3
"""Resident memory of a seed while ten thousand connections are opened to it: from one address and from ten thousand, by
those who say nothing and those who shake hands and want to be served. Then how long somebody else takes to fetch 16 MiB
beside those who are still there. Loopback only; Linux; needs 12,000 file descriptors.

    cargo build --release && python3 benches/crowd_of_connections.py target/release/trackless
"""
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import time

ATTEMPTS, BYTES = 10_000, 16 << 20


def start(*arguments, cwd):
    return subprocess.Popen(arguments, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def event(process, name):
    for line in process.stdout:
        said = json.loads(line)
        if said["event"] == name:
            return said
    raise SystemExit(f"the program has ended before it said {name!r}")


def resident(pid):
    with open(f"/proc/{pid}/status") as lines:
        figures = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return int(figures["VmRSS"].split()[0]) / 1024, len(os.listdir(f"/proc/{pid}/fd"))


def handshake(info_hash, number):
    hello = b"\x13BitTorrent protocol" + bytes([0, 0, 0, 0, 0, 0x10, 0, 0x04]) + info_hash + b"-XX0001-%012d" % number
    return hello + (1).to_bytes(4, "big") + b"\x02"


def crowd(target, first_words, source):
    """Opens the connections and keeps them; those that are refused count as well."""
    connections = []
    for number in range(ATTEMPTS):
        connection = socket.socket()
        connection.settimeout(5)
        try:
            connection.bind((source(number), 0))
            connection.connect(target)
            connection.send(first_words(number))
        except OSError:
            pass
        connections.append(connection)
    return connections


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    program = str(pathlib.Path(sys.argv[1]).resolve())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def one(_):
        return "127.1.0.1"

    def many(number):
        return f"127.{2 + number // 2500}.{number // 10 % 250 + 1}.{number % 10 + 1}"

    with tempfile.TemporaryDirectory() as desk:
        (pathlib.Path(desk) / "film").write_bytes(os.urandom(BYTES))
        common = ["--json", "--bootstrap", "none"]
        for who, source in [("one address", one), (f"{ATTEMPTS} addresses", many)]:
            for manner in ["silent", "interested"]:
                seed = start(program, "seed", "film", *common, "--listen", "127.0.0.1:0", cwd=desk)
                try:
                    address, _, port = event(seed, "listening")["addr"].rpartition(":")
                    info_hash = bytes.fromhex(event(seed, "seeding")["info_hash"])
                    idle, _ = resident(seed.pid)

                    def words(number):
                        return b"" if manner == "silent" else handshake(info_hash, number)

                    began = time.monotonic()
                    connections = crowd((address, int(port)), words, source)
                    opened = time.monotonic() - began
                    full, descriptors = resident(seed.pid)
                    began = time.monotonic()
                    to = f"out-{who[:2]}-{manner}"
                    get = start(program, "get", info_hash.hex(), "--peer", f"{address}:{port}", *common,
                                "--listen", "127.99.0.1:0", "-o", to, cwd=desk)
                    event(get, "done")
                    took = time.monotonic() - began
                    get.wait()
                    print(f"from {who}, {manner}: opened in {opened:.1f} s; resident {idle:.1f} -> {full:.1f} MiB, "
                          f"{descriptors} descriptors; another one fetched {BYTES >> 20} MiB in {took:.2f} s")
                    for connection in connections:
                        connection.close()
                finally:
                    seed.kill()
                    seed.wait()


if __name__ == "__main__":
    main()
