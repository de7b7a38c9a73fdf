#!/usr/bin/env python3
"""How soon a seed is found after its start, a peer by a cold `lookup` and a cold `get`, and how soon an announce is complete: 16 DHT nodes
on loopback, all alive, then half of them killed. Prints medians of the runs, seconds from the start of the process.

    cargo build --release && python3 benches/findable.py target/release/trackless
"""
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

NODES, RUNS, PATIENCE = 16, 3, 30.0
FOLDERS = []


def start(program, *arguments):
    # Nobody knows anything from an earlier run.
    folder = tempfile.TemporaryDirectory()
    FOLDERS.append(folder)
    command = [program, *arguments, "--json", "--state-dir", folder.name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def event(process, name):
    for line in process.stdout:
        said = json.loads(line)
        if said["event"] == name:
            return said
    raise SystemExit(f"{process.args}: ended without saying '{name}'")


def end(process):
    process.kill()
    process.wait()


def network(program):
    """Nodes and their addresses, each started from the first one."""
    nodes = []
    for index in range(NODES):
        first = nodes[0][1] if nodes else "none"
        node = start(program, "node", "--listen", f"127.0.0.{50 + index}:0", "--bootstrap", first)
        nodes.append((node, event(node, "listening")["addr"]))
    time.sleep(1.5)
    return nodes


def seconds_until_found(info_hash, nodes, since):
    """Asks all nodes for peers, every 20 ms."""
    query = b"d1:ad2:id20:" + b"q" * 20 + b"9:info_hash20:" + info_hash + b"e1:q9:get_peers2:roi1e1:t2:aa1:y1:qe"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind(("127.0.0.4", 0))
        asker.settimeout(0.005)
        while time.monotonic() - since < PATIENCE:
            for _, address in nodes:
                host, port = address.rsplit(":", 1)
                asker.sendto(query, (host, int(port)))
            round_ends = time.monotonic() + 0.02
            while time.monotonic() < round_ends:
                try:
                    if b"6:values" in asker.recv(4096):
                        return time.monotonic() - since
                except socket.timeout:
                    pass
    raise SystemExit("nobody found the seed")


def run(program, kill_half):
    nodes = network(program)
    first = nodes[0][1]
    if kill_half:
        dead = random.sample(nodes[1:], NODES // 2)
        for node, _ in dead:
            end(node)
        nodes = [node for node in nodes if node not in dead]
    with tempfile.TemporaryDirectory() as folder:
        content = os.path.join(folder, "content.bin")
        with open(content, "wb") as file:
            file.write(os.urandom(100_000))
        begun = time.monotonic()
        seed = start(program, "seed", content, "--listen", "127.0.0.3:0", "--bootstrap", first)
        info_hash = event(seed, "seeding")["info_hash"]
        findable = seconds_until_found(bytes.fromhex(info_hash), nodes, begun)
        begun = time.monotonic()
        lookup = start(program, "lookup", info_hash, "--listen", "127.0.0.6:0", "--bootstrap", first)
        event(lookup, "peers")
        looked_up = time.monotonic() - begun
        end(lookup)
        begun = time.monotonic()
        announce = start(program, "announce", os.urandom(20).hex(), "--port", "5000", "--once",
                         "--listen", "127.0.0.7:0", "--bootstrap", first)
        holders = event(announce, "announced")["nodes"]
        announced = time.monotonic() - begun
        end(announce)
        begun = time.monotonic()
        get = start(program, "get", info_hash, "--listen", "127.0.0.5:0", "--bootstrap", first, "-o", folder + "/out")
        event(get, "connected")
        peer = time.monotonic() - begun
        event(get, "metadata")
        metadata = time.monotonic() - begun
        get.communicate()
        end(seed)
    for node, _ in nodes:
        end(node)
    return findable, peer, metadata, looked_up, announced, holders


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    for kill_half in (False, True):
        runs = [run(sys.argv[1], kill_half) for _ in range(RUNS)]
        findable, peer, metadata, looked_up, announced, holders = (statistics.median(column) for column in zip(*runs))
        label = "half of the nodes dead" if kill_half else "all nodes alive"
        print(f"{label:24} seed findable {findable:.3f}   get: first peer {peer:.3f}, metadata {metadata:.3f}   "
              f"lookup: first peer {looked_up:.3f}   announce complete {announced:.3f} at {holders:.0f} nodes")


if __name__ == "__main__":
    main()
