# SPDX-License-Identifier: Apache-2.0
"""Building the benchmark programs, and running one of them once."""

import json
import os
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
# Where tests/http2/h2spec.py has it, too.
H2SPEC = ROOT / "build" / "tools" / "h2spec"
H2SPEC_MODULE = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"
NO_SUCH_ROW = 64  # exit code of a program that does not have the row


def find_go():
    for candidate in ("/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        if os.access(candidate, os.X_OK):
            return candidate
    return "go"


def go_environment():
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}


def build(log):
    """Builds all that can be built. A program that does not build is shown as failed later."""
    quiet = {"stdout": log, "stderr": subprocess.STDOUT, "cwd": ROOT}
    subprocess.run(["cmake", "--preset", "bench"], check=True, **quiet)
    failed = []
    for target in ("weft-bench", "weft-malloc-bench", "floor-bench", "boost-bench",
                   "weft-kv", "alloc-bench",
                   "churn-bench", "churn-weft-bench", "peer-bench", "misuse-bench", "parse-bench",
                   "http-weft", "http-weft-malloc", "http-beast", "tls-bench", "json-bench",
                   "weft_malloc_preload"):
        if subprocess.run(["cmake", "--build", str(BUILD), "--target", target],
                          **quiet).returncode != 0:
            failed.append(target)
    # encoding/json/v2 is an experiment of Go 1.25, and changes v1: a program of its own.
    for name, folder, more in (("gobench", "go", {}),
                               ("gojson", "json", {"GOEXPERIMENT": "jsonv2"})):
        output = BUILD / "bench" / name
        try:
            subprocess.run([find_go(), "build", "-o", str(output), "."], check=True, stdout=log,
                           stderr=subprocess.STDOUT, cwd=ROOT / "bench" / folder,
                           env={**go_environment(), **more})
        except (OSError, subprocess.CalledProcessError):
            failed.append(name)
    try:
        if not H2SPEC.exists():
            subprocess.run([find_go(), "install", H2SPEC_MODULE], check=True, stdout=log,
                           stderr=subprocess.STDOUT, timeout=300,
                           env={**go_environment(), "GOBIN": str(H2SPEC.parent)})
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        failed.append("h2spec")
    return failed


class Programs:
    """Where the programs are, and how they are called."""

    names = {"weft": "weft-bench", "go": "gobench", "boost": "boost-bench",
             "floor": "floor-bench", "peers": "peer-bench",
             "weft-malloc": "weft-malloc-bench", "parse": "parse-bench",
             "tls": "tls-bench", "json": "json-bench", "go-json": "gojson"}
    # Rows of "weft" that are of another program: the one on Weft's malloc, the parsers.
    elsewhere = {"new_192": "weft-malloc", "observed_memory": "weft-malloc",
                 "h1_parse": "parse"}

    def __init__(self, directory):
        self.directory = Path(directory)

    def path(self, program):
        return self.directory / self.names[program]

    def kv_path(self):
        """weft-kv is an example, so it lies elsewhere in the same build tree."""
        found = sorted(self.directory.parent.glob("**/weft-kv"))
        return next((path for path in found if path.is_file()), None)

    def http_path(self, server):
        """A server of lib/http.py."""
        return self.directory / {"go": "gobench"}.get(server, f"http-{server}")

    def run(self, program, row, procs, scale, timeout):
        """One measurement: the object printed, None if there is no such row, or a string that
        says how it failed."""
        if program == "weft":
            group = row.split("_")[0]
            program = group if group in ("json", "tls") else self.elsewhere.get(row, program)
        elif program == "go" and row.startswith("json_"):
            program = "go-json"
        return self.start(self.path(program), row, procs, scale, timeout)

    @staticmethod
    def start(path, row, procs, scale, timeout, environment=None):
        """As run(), of the program at `path`."""
        if not path.exists():
            return "not built"
        try:
            child = subprocess.Popen([str(path), row, str(procs), f"{scale:g}"],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     text=True, start_new_session=True, env=environment)
        except OSError as why:
            return str(why)
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            return f"no end in {timeout} s"
        if child.returncode == NO_SUCH_ROW:
            return None
        if child.returncode != 0:
            return describe_exit(child.returncode, err)
        try:
            return json.loads(out.strip().splitlines()[-1])
        except (ValueError, IndexError):
            return "printed no result"


def describe_exit(code, err):
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    first = next((line for line in err.splitlines() if line.strip()), "")
    return f"{how}: {first[:120]}" if first else how


def figure(result, metric):
    """The compared figure of one measurement: ns per operation, or a named value."""
    if metric in ("cpu", "wall"):
        return result[f"{metric}_ns"] / max(result["ops"], 1)
    return result.get(metric)
