#!/usr/bin/env python3
"""What a node takes that serves many torrents which nobody fetches: resident memory, and CPU and turns over a
minute. They are announced in a DHT of sixteen nodes meanwhile. Loopback only; Linux.

    cargo build --release && python3 benches/many_torrents.py target/release/trackless [TORRENTS]
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

NODES, BYTES, MINUTE = 16, 64 << 10, 60
LOOPBACK = ["--listen", "127.0.0.1:0", "--json", "--quiet"]


def start(*arguments):
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def event(process, name):
    for line in process.stdout:
        said = json.loads(line)
        if said["event"] == name:
            return said
    raise SystemExit(f"the node has ended before it said {name!r}")


def network(program):
    """Nodes that know each other, and the address of the first."""
    nodes = [start(program, "node", *LOOPBACK, "--bootstrap", "none")]
    first = event(nodes[0], "listening")["addr"]
    nodes += [start(program, "node", *LOOPBACK, "--bootstrap", first) for _ in range(NODES - 1)]
    return nodes, first


def status(pid):
    with open(f"/proc/{pid}/status") as lines:
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def mebibytes(pid, field):
    return int(status(pid)[field].split()[0]) / 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def turns(pid):
    """How often the thread of the network has gone to sleep of itself."""
    return int(status(pid)["voluntary_ctxt_switches"])


def main():
    if not 2 <= len(sys.argv) <= 3:
        raise SystemExit(__doc__)
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 1000
    with tempfile.TemporaryDirectory() as desk:
        paths = [pathlib.Path(desk) / f"file-{number}" for number in range(count)]
        for path in paths:
            path.write_bytes(os.urandom(BYTES))
        nodes, first = network(program)
        began = time.monotonic()
        seed = start(program, "seed", *map(str, paths), *LOOPBACK, "--bootstrap", first)
        try:
            announced = 0
            for line in seed.stdout:
                announced += json.loads(line)["event"] == "announced"
                if announced == count:
                    break
            print(f"{count} torrents announced after {time.monotonic() - began:.1f} s, {cpu_seconds(seed.pid):.1f} s of CPU")
            time.sleep(10)
            before = cpu_seconds(seed.pid), turns(seed.pid)
            time.sleep(MINUTE)
            cpu, switches = cpu_seconds(seed.pid) - before[0], turns(seed.pid) - before[1]
            print(f"resident {mebibytes(seed.pid, 'VmRSS'):.1f} MiB (anonymous {mebibytes(seed.pid, 'RssAnon'):.1f}), "
                  f"at its peak {mebibytes(seed.pid, 'VmHWM'):.1f}")
            print(f"idle for a minute: {cpu:.2f} s of CPU, {switches} turns")
        finally:
            for process in [seed, *nodes]:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
