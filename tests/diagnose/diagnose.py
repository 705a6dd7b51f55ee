#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The guide's commands find a planted fault: diagnose.py SICKNESS SHOP WEFT LOAD.

Names and shares are compared, never times.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

CASE, SHOP, WEFT, LOAD = sys.argv[1:]
TEA = '{"customer":"grace","items":[{"sku":"tea","quantity":1,"unit_price_cents":499}]}'
HOUSE = '{"customer":"ada","items":[{"sku":"house","quantity":1,"unit_price_cents":40000000}]}'
ADA = '{"customer":"ada","items":[{"sku":"tea","quantity":1,"unit_price_cents":499}]}'


def expect(condition, what, shown=""):
    if not condition:
        sys.exit(f"{what}\n{shown:.4000}")


class Shop:
    """The three services in one process, for a `with`."""

    def __init__(self, folder, sick):
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("WEFT_")}
        self.environment.update(XDG_RUNTIME_DIR=folder, LC_ALL="C.UTF-8")
        if CASE == "stall":
            self.environment["WEFT_TRACE_DIR"] = folder
        self.settings("http://127.0.0.1:1", "http://127.0.0.1:1")  # until they are known
        self.process = subprocess.Popen(
            [SHOP, "--config", f"{folder}/shop.json", *(["--sick", sick] if sick else []), "all"],
            stdout=subprocess.PIPE, text=True, env=self.environment, cwd=folder)
        urls = {}
        while len(urls) < 3:
            line = self.process.stdout.readline()
            expect(line, "the shop ended before it was ready")
            ready = re.match(r"(\w+) ready on (\S+)", line)
            if ready:
                urls[ready[1]] = ready[2]
        self.pid = str(self.process.pid)
        self.url = urls["gateway"]
        self.settings(urls["risk"], urls["ledger"])
        while self.stats()["settings_reloaded"] == 0:
            time.sleep(0.01)

    def settings(self, risk, ledger):
        any_port = "127.0.0.1:0"
        with open(f"{self.folder}/new", "w", encoding="utf-8") as file:
            json.dump({"gateway": {"listen": any_port, "deadline_ms": 60000, "risk_url": risk,
                                   "ledger_url": ledger},
                       "risk": {"listen": any_port, "orders_per_minute_max": 1000000000},
                       "ledger": {"listen": any_port}}, file)
        os.rename(f"{self.folder}/new", f"{self.folder}/shop.json")

    def stats(self):
        with urllib.request.urlopen(self.url + "/stats", timeout=30) as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def load(self, *words, connections=16):
        return subprocess.Popen(
            [LOAD, "-q", "-c", str(connections), *words, "-H", "Content-Type: application/json",
             "--body", TEA, self.url + "/v1/orders"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment)

    def weft(self, *words):
        done = subprocess.run([WEFT, *words], capture_output=True, text=True, check=False,
                              timeout=120, env=self.environment, cwd=self.folder)
        expect(done.returncode == 0, f"weft {words} ended with {done.returncode}", done.stderr)
        return done.stdout

    def order(self, body, timeout=30):
        """The status; None: no answer in time."""
        request = urllib.request.Request(self.url + "/v1/orders", body.encode(),
                                         {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except (TimeoutError, urllib.error.URLError):
            return None


def share(table, function):
    """The cumulative share of a function in a table of `weft profile --text`, in percent."""
    found = [float(line.split()[4].rstrip("%")) for line in table.splitlines()
             if re.match(r"\s*\d", line) and function in line.split(None, 5)[-1]]
    expect(found, f"{function} is not in the table", table)
    return max(found)


def goroutines(shop, *words):
    return json.loads(shop.weft("goroutines", shop.pid, "--json", *words))["groups"]


def functions(group):
    return " ".join(frame["function"] for frame in group["frames"])


def cpu(shop):
    load = shop.load("-d", "6s")
    table = shop.weft("profile", "cpu", shop.pid, "--seconds", "3", "--text")
    expect(share(table, "edit_distance") > 30, "edit_distance has no third of the CPU", table)
    shop.weft("profile", "cpu", shop.pid, "--seconds", "1", "-o", "cpu.pb.gz")
    shop.weft("flame", "cpu.pb.gz", "-o", "cpu.svg")
    with open(f"{shop.folder}/cpu.svg", encoding="utf-8") as file:
        expect("edit_distance" in file.read(), "the flame graph does not show edit_distance")
    load.wait()


def lock(shop):
    shop.load("-n", "3000").wait()
    table = shop.weft("profile", "mutex", shop.pid, "--text")
    expect(share(table, "shop::audit") > 50, "audit has not half of the waiting for locks", table)


def memory(shop):
    shop.load("-n", "4000").wait()
    table = shop.weft("profile", "heap", shop.pid, "--text")
    expect(share(table, "shop::remember") > 50, "remember has not half of the memory", table)


def leaked(shop):
    return sum(group["count"] for group in goroutines(shop, "--reason", "chan send")
               if "quote_shipping" in functions(group))


def leak_of_goroutines(shop):
    shop.load("-n", "500").wait()
    before = leaked(shop)
    expect(before >= 500, f"{before} goroutines of quote_shipping stay after 500 orders")
    shop.load("-n", "500").wait()
    after = leaked(shop)
    expect(after >= before + 500, f"{before} goroutines of quote_shipping became {after}")
    table = shop.weft("profile", "goroutine", shop.pid, "--text")
    expect(share(table, "quote_shipping") > 50, "quote_shipping has not half of them", table)


def stall(shop):
    expect(shop.order(ADA) == 201, "an order is not accepted")
    expect(shop.order(HOUSE) == 422, "a large order is not denied")
    # Nothing answers this one, however long it waits.
    expect(shop.order(ADA, timeout=2) is None, "the order after a denied one is answered")
    expect(shop.order(TEA) == 201, "another customer waits as well")
    found = goroutines(shop, "--min-age", "1s", "--label", "route:/v1/orders")
    expect(len(found) == 1 and "shop::begin_turn" in functions(found[0]),
           "the goroutine that waits is not shown as one in begin_turn", json.dumps(found))
    # The shop has noticed by itself, and left the seconds before.
    until = time.monotonic() + 20
    while not (left := glob.glob(f"{shop.folder}/*.latency-1.trace")):
        expect(time.monotonic() < until, "no trace of the order that takes too long")
        time.sleep(0.1)
    if not shutil.which("go"):
        return
    unfinished(shop, left[0])
    trace = subprocess.Popen([WEFT, "trace", shop.pid, "--seconds", "3", "-o", "stall.out"],
                             env=shop.environment, cwd=shop.folder)
    while trace.poll() is None:
        shop.order(ADA, timeout=0.2)
    expect(trace.returncode == 0, "weft trace failed")
    unfinished(shop, "stall.out")


def unfinished(shop, path):
    """An order that has begun its turn and ends neither that nor itself."""
    parsed = subprocess.run(["go", "tool", "trace", "-d=parsed", path], check=True,
                            capture_output=True, text=True, cwd=shop.folder, timeout=120).stdout
    begun = set(re.findall(r'TaskBegin .*ID=(\d+).*Type="order"', parsed))
    ended = set(re.findall(r'TaskEnd .*ID=(\d+)', parsed))
    expect(begun - ended, "no order is left unfinished in the trace", parsed[-3000:])
    expect(re.search(r'RegionBegin .*Type="turn"', parsed), "no region turn in the trace")


def healthy(shop):
    """The same signs without the fault."""
    if CASE == "goroutines":
        shop.load("-n", "500").wait()
        expect(leaked(shop) == 0, "a healthy shop leaks")
    elif CASE == "stall":
        expect(shop.order(HOUSE) == 422, "a large order is not denied")
        expect(shop.order(ADA) == 201, "an order after a denied one is not answered")
    else:
        expect(shop.order(ADA) == 201, "an order is not accepted")


def main():
    check = {"cpu": cpu, "lock": lock, "memory": memory, "goroutines": leak_of_goroutines,
             "stall": stall}[CASE]
    for sick, look in ((CASE, check), (None, healthy)):
        with tempfile.TemporaryDirectory() as folder, Shop(folder, sick) as shop:
            look(shop)


main()
