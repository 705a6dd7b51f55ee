#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The classic outage: the network between two services is cut without a word (no reset, no
unreachable), and heals after a while. How long does the caller need to come back?

partition.py PROGRAM. Two clients ask at the same time, one with timeouts, one without. The server
lives in a network namespace of its own, behind another one that is the router: there packets vanish
in a black hole, in both directions. Needs root (or CAP_NET_ADMIN) and `ip`; skipped otherwise.
"""
import os
import shutil
import subprocess
import sys
import threading
import time

SKIPPED = 77
# TCP sends again after 0.2 s, 0.4 s, ...: 12.6 s after the first, then 25.4 s. A cut that ends at
# 14 s leaves who relies on TCP waiting for the latter.
CUT_S = int(os.environ.get("WEFT_TEST_CUT_S", "14"))
# With timeouts of 1 s: one request that is lost, one dial, and a pause.
BACK_WITH_TIMEOUTS_S = 3


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


class Asker:
    """A client, and what it says."""

    def __init__(self, program, url, limits):
        self.lines = []
        self.process = subprocess.Popen([program, "ask", url, limits], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.strip()))

    def back_at(self, healed):
        """Seconds from `healed` to the first success that came after the cut."""
        for when, line in list(self.lines):
            if when >= healed and " ok" in line:
                return when - healed
        return None

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.thread.join()


class Network:
    """This machine - router - server."""

    def __init__(self):
        number = os.getpid()
        self.router = f"weftr{number % 100000}"
        self.server = f"wefts{number % 100000}"
        self.near = f"10.203.{number % 250}"
        self.far = f"10.204.{number % 250}"

    def within(self, namespace, *arguments, check=True):
        return ip("netns", "exec", namespace, "ip", *arguments, check=check)

    def make(self):
        """False: not allowed here."""
        for name in (self.router, self.server):
            if ip("netns", "add", name, check=False).returncode != 0:
                return False
        here, there = self.router + "a", self.router + "b"
        if ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self.router,
              check=False).returncode != 0:
            return False
        ip("addr", "add", f"{self.near}.1/24", "dev", here)
        ip("link", "set", here, "up")
        self.within(self.router, "addr", "add", f"{self.near}.2/24", "dev", there)
        self.within(self.router, "link", "set", there, "up")
        self.within(self.router, "link", "add", "far", "type", "veth", "peer", "name", "far",
                    "netns", self.server)
        self.within(self.router, "addr", "add", f"{self.far}.1/24", "dev", "far")
        self.within(self.router, "link", "set", "far", "up")
        self.within(self.server, "addr", "add", f"{self.far}.2/24", "dev", "far")
        self.within(self.server, "link", "set", "far", "up")
        self.within(self.server, "route", "add", "default", "via", f"{self.far}.1")
        ip("route", "add", f"{self.far}.0/24", "via", f"{self.near}.2")
        forward = subprocess.run(["ip", "netns", "exec", self.router, "sh", "-c",
                                  "echo 1 > /proc/sys/net/ipv4/ip_forward"], capture_output=True)
        return forward.returncode == 0

    def cut(self, how="add"):
        for host in (f"{self.near}.1/32", f"{self.far}.2/32"):
            self.within(self.router, "route", how, "blackhole", host)

    def heal(self):
        self.cut("del")

    def drop(self):
        ip("link", "del", self.router + "a", check=False)
        ip("netns", "del", self.server, check=False)
        ip("netns", "del", self.router, check=False)


def main():
    program, = sys.argv[1:]
    if shutil.which("ip") is None:
        print("ip is missing (Debian: apt-get install iproute2)")
        return SKIPPED
    net = Network()
    server = None
    askers = {}
    try:
        if not net.make():
            print("no network namespaces or forwarding here (root is needed)")
            return SKIPPED
        server = subprocess.Popen(["ip", "netns", "exec", net.server, program, "serve",
                                   f"{net.far}.2:8080"])
        for limits in ("on", "off"):
            askers[limits] = Asker(program, f"http://{net.far}.2:8080/", limits)
        until = time.monotonic() + 20
        while not all(any(" ok" in line for _, line in list(a.lines)) for a in askers.values()):
            if time.monotonic() > until:
                print({k: a.lines[-3:] for k, a in askers.items()})
                return 1
            time.sleep(0.05)
        net.cut()
        cut = time.monotonic()
        time.sleep(CUT_S)
        net.heal()
        healed = time.monotonic()
        while healed + 60 > time.monotonic():
            if all(a.back_at(healed) is not None for a in askers.values()):
                break
            time.sleep(0.1)
        back = {limits: a.back_at(healed) for limits, a in askers.items()}
        failed = sum(1 for when, line in askers["on"].lines if when > cut and "failed" in line)
        print(f"cut for {CUT_S} s; after it had healed requests succeeded again")
        print(f"  with timeouts of 1 s: after {back['on']:.1f} s "
              f"({failed} requests failed meanwhile)")
        print("  without timeouts:     after " +
              (f"{back['off']:.1f} s" if back["off"] is not None else "more than 60 s"))
        if back["on"] is None or back["on"] > BACK_WITH_TIMEOUTS_S:
            print("with timeouts it took too long")
            return 1
        if back["off"] is not None and back["off"] < 2 * back["on"]:
            print("without timeouts it should take longer: is the cut silent?")
            return 1
        return 0
    finally:
        for a in askers.values():
            a.stop()
        if server is not None:
            server.terminate()
            server.wait()
        net.drop()


if __name__ == "__main__":
    sys.exit(main())
