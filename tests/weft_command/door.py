#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command against a running program: door.py CASE WEFT PROGRAM (tests/debughttp's)."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

SKIPPED = 77
CASE, WEFT, PROGRAM = sys.argv[1:]


def expect(wanted, got, what):
    if wanted != got:
        sys.exit(f"{what}: {got!r:.900} instead of {wanted!r:.900}")


def has(part, text, what):
    if part not in text:
        sys.exit(f"{what}: {part!r} is not in {text!r:.2000}")


def environment(folder):
    out = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    return dict(out, XDG_RUNTIME_DIR=folder, LANG="C.UTF-8", LC_ALL="C.UTF-8")


class Program:
    """tests/debughttp/program.cpp, for a `with`: 30 goroutines in recv, 5 at a mutex."""

    def __init__(self, folder, *words, **more):
        # A name that no other test's program has: weft ps sees them all.
        self.name = "door-" + os.path.basename(folder)
        if not os.path.exists(f"{folder}/{self.name}"):
            os.symlink(PROGRAM, f"{folder}/{self.name}")
        self.process = subprocess.Popen(
            [f"{folder}/{self.name}", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=dict(environment(folder), **more))
        expect("ready\n", self.process.stdout.readline(), "the program's first line")
        self.pid = str(self.process.pid)
        self.socket = f"{folder}/weft/{self.pid}.sock"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.communicate("", timeout=30)
            if kind is None:
                expect(0, self.process.returncode, "the program's exit status")


def weft(folder, *words, status=0, text=True, **more):
    done = subprocess.run([WEFT, *words], capture_output=True, check=False, timeout=90, cwd=folder,
                          env=dict(environment(folder), **more))
    said = done.stderr.decode()
    expect(status, done.returncode, f"weft {' '.join(words)}: {said}: the exit status")
    return (done.stdout.decode() if text else done.stdout), said


def ps(folder):
    os.makedirs(folder + "/weft", mode=0o700, exist_ok=True)
    # One whose listener is gone: not shown.
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(folder + "/weft/1.sock")
    stale.close()
    with Program(folder) as one, Program(folder) as other:
        # There may be programs of other tests, in /tmp/weft-UID.
        rows = []

        def answered():
            nonlocal rows  # a busy machine may take longer than weft ps waits
            rows = json.loads(weft(folder, "ps", "--json")[0])
            expect(False, 1 in [row["pid"] for row in rows], "a socket without a listener")
            rows = [row for row in rows if row["program"] == one.name]
            return all(row["problem"] == "" for row in rows)

        until(answered, "an answer of each")
        expect(sorted([one.process.pid, other.process.pid]), [row["pid"] for row in rows], "pids")
        for row in rows:
            expect(True, row["goroutines"] >= 37 and row["threads"] >= 2, f"numbers of {row}")
            expect(True, 0 < row["uptime_seconds"] < 60, f"the uptime of {row}")
        expect(True, {one.pid, other.pid} <= set(weft(folder, "ps", "--pids")[0].split()), "--pids")
        has("unix:" + one.socket, weft(folder, "ps")[0], "the table")
        has("runs more than once", weft(folder, "goroutines", one.name, status=1)[1],
            "a name that two have")
        # A stopped process is there, and does not answer.
        os.kill(one.process.pid, signal.SIGSTOP)
        has("does not answer", weft(folder, "ps")[0], "a stopped process")
        os.kill(one.process.pid, signal.SIGCONT)
    expect(False, one.name in weft(folder, "ps")[0], "programs that have ended")


def targets(folder):
    with Program(folder) as at:
        for name in (at.pid, at.name, at.socket, "unix:" + at.socket):
            has("chan receive", weft(folder, "goroutines", name)[0], name)
    with Program(folder, "options", "127.0.0.1:0") as at:
        # Port 0 is nothing that one can guess: the kernel says which it is.
        port = listening(at.pid)
        for name in (f"127.0.0.1:{port}", f":{port}", f"http://127.0.0.1:{port}/"):
            has("chan receive", weft(folder, "goroutines", name)[0], name)
    with Program(folder, WEFT_DEBUG_ADDR=f"unix:{folder}/door") as at:
        has("chan receive", weft(folder, "goroutines", at.pid)[0], "the environment's address")
    with Program(folder, WEFT_DEBUG_TOKEN="sesame") as at:
        has("wants a token", weft(folder, "goroutines", at.pid, status=1)[1], "no token")
        has("refuses the token", weft(folder, "goroutines", at.pid, "--token", "x", status=1)[1],
            "a wrong token")
        weft(folder, "goroutines", at.pid, "--token", "sesame")
        weft(folder, "goroutines", at.pid, WEFT_DEBUG_TOKEN="sesame")
        has("wants a token", weft(folder, "ps")[0], "ps without a token")
    with Program(folder, WEFT_DEBUG_ADDR="off") as at:
        has("WEFT_DEBUG_ADDR=off", weft(folder, "goroutines", at.pid, status=1)[1], "no door")
    gone = at.pid
    has(f"there is no process {gone}", weft(folder, "top", gone, "--once", status=1)[1], "dead")
    has("no control socket: it is no Weft program",
        weft(folder, "goroutines", str(os.getpid()), status=1)[1], "this one")
    has("no Weft program of that name", weft(folder, "goroutines", "nobody", status=1)[1], "a name")
    has("there is no socket", weft(folder, "goroutines", "unix:/nowhere", status=1)[1], "no socket")
    has("is a file", weft(folder, "goroutines", __file__, status=1)[1], "a file")
    # Somebody who speaks something else, and somebody who hangs up.
    for answer, wanted in ((b"SSH-2.0-x\r\n\r\n", "does not speak HTTP"), (b"", "hung up"),
                           (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                            "no Weft program, or of an older version"),
                           (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "without JSON")):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            child = subprocess.Popen(
                [WEFT, "top", "--once", "--no-cpu", f"127.0.0.1:{listener.getsockname()[1]}"],
                stderr=subprocess.PIPE, text=True, env=environment(folder))
            listener.settimeout(30)
            while child.poll() is None:
                if not select.select([listener], [], [], 0.1)[0]:
                    continue
                made = listener.accept()[0]
                made.settimeout(5)
                try:
                    made.recv(4096)
                    made.sendall(answer)
                except OSError:
                    pass
                made.close()
            has(wanted, child.communicate()[1], f"the answer {answer}")
            expect(1, child.returncode, "the exit status")


def secure(folder):
    """https, with certificates on both sides: the peer is Python's."""
    openssl = shutil.which("openssl")
    if openssl is None:
        print("openssl is missing (Debian: apt-get install openssl)")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    for name in ("server", "client"):
        subprocess.run(
            [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-days", "2", "-subj",
             "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True, cwd=folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/server.pem", folder + "/server.key")
    context.load_verify_locations(folder + "/client.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                made = listener.accept()[0]
            except OSError:
                return
            try:
                with context.wrap_socket(made, server_side=True) as peer:
                    peer.recv(4096)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n")
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    target = f"https://127.0.0.1:{listener.getsockname()[1]}"
    own = ("--cert", "client.pem", "--key", "client.key")
    out = weft(folder, "goroutines", target, "--ca", "server.pem", *own)[0]
    expect("fine\n", out, "an answer over TLS")
    has("certificate", weft(folder, "goroutines", target, *own, status=1)[1], "nobody to trust")
    weft(folder, "goroutines", target, "--ca", "server.pem", status=1)
    has("begin with https://", weft(folder, "goroutines", "127.0.0.1:1", *own, status=2)[1],
        "certificates without TLS")
    listener.close()


def listening(pid):
    """The TCP port that a process listens at."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            pass
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                return int(words[1].split(":")[1], 16)
    sys.exit("it does not listen")


def goroutines(folder):
    with Program(folder) as at:
        text = weft(folder, "goroutines", at.pid)[0]
        has("30 goroutines [chan receive", text, "all groups")
        has("5 goroutines [sync.Mutex.Lock", text, "all groups")
        text = weft(folder, "goroutines", at.pid, "--reason", "Mutex", "--state", "waiting")[0]
        expect(1, len(re.findall(r"^\d+ goroutines? \[", text, re.M)), "groups by reason: " + text)
        data = json.loads(weft(folder, "goroutines", at.pid, "--json", "--label", "kind:parked")[0])
        expect([30], [group["count"] for group in data["groups"]], "groups by label")
        data = json.loads(weft(folder, "goroutines", at.pid, "--json", "--limit", "1")[0])
        expect(1, len(data["groups"]), "groups by limit")
        data = json.loads(weft(folder, "goroutines", at.pid, "--json", "--min-age", "1h")[0])
        expect([], data["groups"], "groups by age")
        said = weft(folder, "goroutines", at.pid, "--state", "sleeping", status=1)[1]
        has('state is "sleeping": must be', said, "a state that is none")


def profiles(folder):
    with Program(folder) as at:
        out, said = weft(folder, "profile", "cpu", at.pid, "-s", "1", "--flame")
        expect("", out, "standard output")
        has(f"wrote cpu-{at.pid}.pb.gz", said, "where it is")
        has(f"wrote cpu-{at.pid}.html", said, "where it is")
        expect(False, "\r" in said, "progress without a terminal")
        has("serve()", weft(folder, "flame", f"cpu-{at.pid}.pb.gz", "--text")[0], "the table")
        for kind in ("heap", "allocs", "block", "mutex", "sched", "goroutine", "threadcreate"):
            table = weft(folder, "profile", kind, at.pid, "--json")[0]
            expect(True, "rows" in json.loads(table), kind)
        rows = json.loads(weft(folder, "profile", "goroutine", at.pid, "--json")[0])
        expect(True, rows["total"] >= 37, f"goroutines of {rows}")
        weft(folder, "profile", "heap", at.pid, "-s", "1", "-o", "delta.pb.gz")
        bytes_ = weft(folder, "profile", "wall", at.pid, "-s", "1", "-o", "-", text=False)[0]
        expect(b"\x1f\x8b", bytes_[:2], "a profile on standard output")
        has('no kind "memory"; there is cpu, wall', weft(folder, "profile", "memory", at.pid,
                                                         status=2)[1], "a kind that is none")
        has("must be a time", weft(folder, "profile", "cpu", at.pid, "-s", "soon", status=2)[1],
            "a time that is none")
        trace = weft(folder, "trace", at.pid, "-s", "200ms")[1]
        has(f"wrote trace-{at.pid}.out", trace, "a trace")
        said = json.loads(weft(folder, "trace", "convert", f"trace-{at.pid}.out", "--json")[0])
        expect(True, said["goroutines"] >= 37 and 0.1 < said["seconds"] < 30, f"it has {said}")
        has("the flight recorder is not on", weft(folder, "trace", "--last", at.pid, status=1)[1],
            "no flight recorder")
        has("--last looks back", weft(folder, "trace", "--last", "-s", "1", at.pid, status=2)[1],
            "both")
        with Program(folder, WEFT_TRACE_DIR=folder) as recorded:
            said = json.loads(weft(folder, "trace", "--last", recorded.pid, "--json")[0])
            expect(f"trace-{recorded.pid}.out", said["file"], "the last seconds")
            weft(folder, "trace", "convert", said["file"])
        # One CPU profile at a time; Ctrl-C ends the first at once, and leaves no file.
        first = profiling(folder, at)
        first.send_signal(signal.SIGINT)
        said = first.communicate(timeout=20)[1].decode()
        expect((1, True), (first.returncode, "interrupted" in said), f"Ctrl-C: {said}")
        expect(False, os.path.exists(folder + "/never.pb.gz"), "a file after Ctrl-C")
        # The process is profiled no more.
        until(lambda: "wrote" in weft_any(folder, "profile", "cpu", at.pid, "-s", "1", "-o", "y"),
              "a profile after Ctrl-C")
        # The process ends meanwhile.
        first = profiling(folder, at)
        at.process.kill()
        at.process.wait()
        has("hung up", first.communicate(timeout=20)[1].decode(), "a process that ends")


def profiling(folder, at):
    """A `weft profile` for a minute, whose profile has begun: another one is refused."""
    words = [WEFT, "profile", "cpu", at.pid, "-s", "60", "-o", "never.pb.gz"]
    first = None

    def refused():
        nonlocal first
        if first is None or first.poll() is not None:  # it was the second one
            first = subprocess.Popen(words, cwd=folder, env=environment(folder),
                                     stderr=subprocess.PIPE)
        said = weft_any(folder, "profile", "cpu", at.pid, "-s", "1", "-o", "x")
        return "already" in said and first.poll() is None

    until(refused, "a second profile is refused")
    return first


def weft_any(folder, *words):
    return subprocess.run([WEFT, *words], capture_output=True, check=False, timeout=90, cwd=folder,
                          env=environment(folder)).stderr.decode()


def until(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"it never came: {what}")


class Terminal:
    """A pseudo-terminal with the command in it."""

    def __init__(self, folder, *words, size=(40, 120)):
        self.master, slave = pty.openpty()
        self.resize(*size)
        self.process = subprocess.Popen(
            [WEFT, *words], stdin=slave, stdout=slave, stderr=slave, cwd=folder,
            env=dict(environment(folder), TERM="xterm-256color"), start_new_session=True)
        os.close(slave)
        self.seen = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, part):
        end = time.monotonic() + 60
        while part not in self.seen:
            if time.monotonic() > end:
                sys.exit(f"{part!r} never came: {self.seen[-2000:]!r}")
            if select.select([self.master], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    break
        has(part, self.seen, "the screen")
        self.seen = self.seen[self.seen.rindex(part):]

    def press(self, key):
        os.write(self.master, key.encode())

    def end(self):
        while True:
            try:
                more = os.read(self.master, 65536)
            except OSError:
                break
            if not more:
                break
            self.seen += more.decode(errors="replace")
        os.close(self.master)
        return self.process.wait(timeout=20)


def top(folder):
    with Program(folder) as at:
        frame = weft(folder, "top", at.pid, "--once", COLUMNS="100")[0]
        has(f"{at.name} ({at.pid})", frame, "the title")
        for part in ("running", "chan receive", "sync.Mutex.Lock", "heap\nin use", "cpu of the",
                     "time from ready to running"):
            has(part, frame, "the frame")
        expect([], [line for line in frame.splitlines() if len(line) > 100], "lines too long")
        expect(False, "\x1b" in frame, "escape sequences where there is no terminal")
        data = json.loads(weft(folder, "top", at.pid, "--json")[0])
        expect({"sched", "heap", "goroutines", "metrics"}, set(data), "the frame's data")
        has("--once", weft(folder, "top", at.pid, status=2)[1], "top without a terminal")

        screen = Terminal(folder, "top", at.pid, "-i", "0.2")
        screen.wait_for("\x1b[?1049h")
        screen.wait_for("cpu of the last")
        screen.resize(12, 60)
        screen.wait_for("\x1b[H")
        screen.wait_for("\x1b[H")
        screen.wait_for("\x1b[J")
        frames = re.findall(r"\x1b\[H(.*?)\x1b\[J", screen.seen, re.S)
        for text in frames:
            lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).split("\r\n")
            expect(True, len(lines) <= 12, f"lines on a screen of 12: {lines}")
            expect([], [line for line in lines if len(line) > 60], "lines too long")
        screen.press("q")
        expect(0, screen.end(), "the exit status after q")
        has("\x1b[?1049l", screen.seen, "the screen that was there before")

        screen = Terminal(folder, "top", at.pid)
        screen.wait_for("goroutines")
        # As Ctrl-C would. Typed, it makes the terminal drop what it has not shown yet, and reaches
        # nobody here: it controls no session.
        screen.process.send_signal(signal.SIGINT)
        expect(0, screen.end(), "the exit status after Ctrl-C")
        has("\x1b[?25h", screen.seen, "the cursor")

        shown = Terminal(folder, "profile", "cpu", at.pid, "-s", "2", "-o", "x.pb.gz")
        shown.wait_for("s")
        expect(0, shown.end(), "the exit status of a profile")
        has("of 2 s", shown.seen, "progress on a terminal")
        has("\r\x1b[2Kweft: wrote", shown.seen, "the line is gone at the end")

        screen = Terminal(folder, "top", at.pid)
        screen.wait_for("goroutines")
        at.process.kill()
        at.process.wait()
        expect(1, screen.end(), "the exit status when the process ends")
        has("\x1b[?1049l", screen.seen, "the screen that was there before")
        expect(True, "nobody listens" in screen.seen or "hung up" in screen.seen, screen.seen)


def completion(folder):
    """bash's own answers; zsh and fish read their scripts where they are installed."""
    script = weft(folder, "completion", "bash")[0]
    path = os.path.dirname(WEFT) + ":" + os.environ["PATH"]

    def complete(line):
        words = line.split(" ")
        return set(subprocess.run(
            ["bash", "-c", script + "COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _weft; "
             "printf '%s\\n' \"${COMPREPLY[@]}\"", "bash", *words], check=True, cwd=folder,
            capture_output=True, text=True, env=dict(environment(folder), PATH=path)
        ).stdout.split())

    with Program(folder) as at:
        expect({"profile", "ps"}, complete("weft p"), "commands")
        expect({"block"}, complete("weft profile bl"), "kinds")
        expect(True, at.pid in complete("weft profile heap "), "processes")
        behind = complete("weft profile --seconds 3 heap ")
        expect(True, at.pid in behind, "processes behind an option")
        expect({"--seconds", "--sample"}, complete("weft profile --s"), "options")
        expect({"running", "runnable"}, complete("weft goroutines --state run"), "values")
        expect(True, at.pid in complete("weft top "), "processes")
        with open(folder + "/some.pb.gz", "wb"):
            pass
        expect({"some.pb.gz"}, complete("weft flame so"), "files")
        expect({"some.pb.gz"}, complete("weft flame -o so"), "files of an option")
    for shell, check in (("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])):
        with open(f"{folder}/script.{shell}", "w", encoding="utf-8") as file:
            file.write(weft(folder, "completion", shell)[0])
        if shutil.which(shell):
            subprocess.run([*check, f"{folder}/script.{shell}"], check=True)
    has('not "tcsh"', weft(folder, "completion", "tcsh", status=2)[1], "a shell that is none")


with tempfile.TemporaryDirectory() as work:
    globals()[CASE](work)
