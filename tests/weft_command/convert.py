#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weft trace convert of a trace that Go wrote: convert.py WEFT."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))
WEFT = sys.argv[1]


def expect(wanted, got, what):
    if wanted != got:
        sys.exit(f"{what}: {got!r:.900} instead of {wanted!r:.900}")


def weft(*words, status=0):
    done = subprocess.run([WEFT, *words], capture_output=True, check=False, timeout=100)
    expect(status, done.returncode, f"weft {words}: {done.stderr.decode()}: the exit status")
    return done.stdout, done.stderr.decode()


class Tracks:
    """Slices by track, from Chrome's events."""

    def __init__(self, events):
        self.groups, self.names, self.slices, self.points = {}, {}, {}, {}
        self.counts, self.arrows = {}, {"s": set(), "f": set()}
        open_, last = {}, {}
        for event in events:
            phase, track = event["ph"], event.get("tid")
            if phase == "M":
                if event["name"] == "process_name":
                    self.groups[event["pid"]] = event["args"]["name"]
                else:
                    self.names[track] = event["args"]["name"]
                continue
            time = event["ts"]
            if time < last.get(track, 0):
                sys.exit(f"times of track {self.names[track]} go back at {event}")
            last[track] = time
            if phase == "B":
                open_.setdefault(track, []).append(event)
            elif phase == "E":
                if not open_.get(track):
                    sys.exit(f"a slice of {self.names[track]} ends that has not begun: {event}")
                begun = open_[track].pop()
                self.slices.setdefault(self.names[track], []).append(
                    (begun["name"], time - begun["ts"], begun.get("args", {}).get("note", "")))
            elif phase == "i":
                self.points.setdefault(self.names[track], []).append(event["name"])
            elif phase in "sf":
                self.arrows[phase].add(event["id"])
            elif phase == "C":
                self.counts.setdefault(event["name"], []).append(event["args"]["value"])
        expect({}, {self.names[t]: rest for t, rest in open_.items() if rest}, "slices left open")


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """Protobuf: [(number, value)]."""
    out, at = [], 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 1:
            value, at = data[at:at + 8], at + 8
        else:
            length, at = read_varint(data, at)
            value, at = data[at:at + length], at + length
        out.append((key >> 3, value))
    return out


def check_perfetto(data, tracks):
    """The same slices as in Chrome's form, with names and notes that are interned."""
    names, open_, slices = {}, {}, {}
    interned = {2: {}, 3: {}, 29: {}}  # InternedData: event names, annotations' names, their texts
    for number, packet in fields(data):
        expect(1, number, "a field of the trace")
        packet = dict(fields(packet))
        expect(2 if names else 3, packet[13], "sequence_flags")
        if 60 in packet:
            descriptor = dict(fields(packet[60]))
            names[descriptor[1]] = descriptor[2].decode()
            continue
        for kind, entry in fields(packet.get(12, b"")):
            entry = dict(fields(entry))
            expect(False, entry[1] in interned[kind], "a number that comes twice")
            interned[kind][entry[1]] = entry[2].decode()
        event = dict(fields(packet[11]))
        track = names[event[11]]  # one that was described
        if event[9] == 1:
            note = dict(fields(event.get(4, b"")))
            expect("note" if note else None, interned[3].get(note.get(1)), "an annotation's name")
            open_.setdefault(event[11], []).append(
                (interned[2][event[10]], packet[8], interned[29][note[17]] if note else ""))
        elif event[9] == 2:
            name, began, note = open_[event[11]].pop()
            slices.setdefault(track, []).append((name, round((packet[8] - began) / 1e3, 3), note))
        elif event[9] == 3:
            expect(True, interned[2][event[10]] in tracks.points[track], "a point")
    expect([], [rest for rest in open_.values() if rest], "slices left open")
    for texts in interned.values():
        expect(len(texts), len(set(texts.values())), "texts that are interned once")
    expect({name: [(kind, round(time, 3), note) for kind, time, note in of]
            for name, of in tracks.slices.items()}, slices, "slices")


def check_go(program, folder):
    binary, trace = folder + "/tracer", folder + "/go.trace"
    env = dict(os.environ, GO111MODULE="off", GOTOOLCHAIN="local")
    subprocess.run([program, "build", "-o", binary, HERE + "/tracer.go"], check=True, env=env)
    subprocess.run([binary, trace], check=True, timeout=60)
    said = json.loads(weft("trace", "convert", trace, "-o", folder + "/go.json", "--json")[0])
    wire = subprocess.run([program, "tool", "trace", "-d=wire", trace], check=True, env=env,
                          capture_output=True, text=True).stdout
    generations = len(re.findall(r"^EndOfGeneration", wire, re.M))
    expect(generations, said["generations"], "generations")
    expect(True, said["generations"] >= 2, "two generations")
    with open(folder + "/go.json", encoding="utf-8") as file:
        tracks = Tracks(json.load(file)["traceEvents"])
    expect({"Ps", "goroutines", "program", "tasks"}, set(tracks.groups.values()), "groups")
    receivers = [name for name in tracks.slices if name.endswith(" main.receiver")]
    expect(3, len(receivers), f"tracks of receivers of {sorted(tracks.slices)}")
    main = [name for name in tracks.slices if name.endswith(" main.main")][0]
    for name in receivers:
        kinds = {kind for kind, _, _ in tracks.slices[name]}
        expect(True, {"running", "runnable", "waiting: chan receive"} <= kinds, f"{name}: {kinds}")
    note = [n for kind, _, n in tracks.slices[receivers[0]] if kind == "waiting: chan receive"][0]
    expect(True, "main.receiver" in note, f"the stack of a wait: {note}")
    regions = tracks.slices[main + ": regions"]
    expect(["sending"], [kind for kind, _, _ in regions], "regions")
    expect(["order: 17"], [p for p in tracks.points[main] if "order" in p], "logs")
    task = [name for name in tracks.slices if name.startswith("checkout ")]
    expect(True, len(task) == 1 and tracks.slices[task[0]][0][1] > 1.1e6, f"the task {task}")
    expect(True, any(kind == "waiting: network" for name in tracks.slices
                     for kind, _, _ in tracks.slices[name] if name.endswith(" main.echo")),
           "waiting for the network")
    expect(True, "GC" in tracks.slices and max(tracks.counts["heap"]) > 100_000, "GC and heap")
    ps = [name for name in tracks.slices if re.fullmatch(r"P\d+", name)]
    expect(True, len(ps) >= 1, "Ps")
    expect(True, len(tracks.arrows["f"] & tracks.arrows["s"]) > 300, "arrows with both ends")
    check_delays(program, trace, env, tracks)
    weft("trace", "convert", trace, "-o", folder + "/go.perfetto")
    with open(folder + "/go.perfetto", "rb") as file:
        check_perfetto(file.read(), tracks)


def check_delays(program, trace, env, tracks):
    """What goroutines waited for on channels and locks, as Go's own tool adds it up."""
    profile = trace + ".sync"
    with open(profile, "wb") as file:
        subprocess.run([program, "tool", "trace", "-pprof=sync", trace], check=True, env=env,
                       stdout=file)
    theirs = json.loads(weft("flame", profile, "--json", "--sample", "delay")[0])["total"] / 1e3
    # Those that still wait at the end are not in Go's sum.
    ours = sum(time for slices in tracks.slices.values() for kind, time, _ in slices[:-1]
               if kind.startswith("waiting: ") and re.search("chan|sync|select", kind))
    if abs(ours - theirs) > 0.02 * theirs:
        sys.exit(f"waited {ours} us here, {theirs} us by Go's tool")
    print(f"waited {ours:.0f} us here, {theirs:.0f} us by Go's tool")


def check_errors(folder):
    with open(folder + "/go.trace", "rb") as file:
        whole = file.read()

    def said(data, status):
        with open(folder + "/part.trace", "wb") as file:
            file.write(data)
        return weft("trace", "convert", folder + "/part.trace", "-o", folder + "/part.json",
                    status=status)[1]

    expect(True, "what is before it was converted" in said(whole[:-20], 0), "a trace cut off")
    expect(True, "not a whole trace" in said(whole[:1000], 1), "its beginning")
    expect(True, "not an execution trace" in said(b"hello", 1), "no trace")
    expect(True, "version 1.22" in said(b"go 1.22 trace\0\0\0" + whole[16:], 1), "an old version")
    expect(True, "must end in" in weft("trace", "convert", "x", "-o", "y.svg", status=2)[1],
           "a form that is none")


def run():
    go = shutil.which("go")
    if go is None:
        print("go is missing (Debian: apt-get install golang)")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    with tempfile.TemporaryDirectory() as folder:
        check_go(go, folder)
        check_errors(folder)


run()
