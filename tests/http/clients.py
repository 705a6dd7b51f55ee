#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real clients against a real server: clients.py CASE SERVER."""
import concurrent.futures
import http.client
import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

SKIPPED = 77


def need(program, package):
    path = shutil.which(program)
    if path is None:
        print(f"{program} is missing (Debian: apt-get install {package})")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    return path


def expect(wanted, got, what):
    if wanted != got:
        sys.exit(f"{what}: {got!r:.500} instead of {wanted!r:.500}")


class Server:
    """The server, for a `with`."""

    def __init__(self, program, *words):
        self.process = subprocess.Popen([program, *words], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        self.host, port = self.address.rsplit(":", 1)
        self.port = int(port)
        self.url = f"{'https' if words else 'http'}://{self.address}"

    def __enter__(self):
        return self

    def dial(self):
        made = socket.create_connection((self.host, self.port))
        made.settimeout(20)
        return made

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=30)[0]
        print(said, end="")
        if kind is None:
            expect(0, self.process.returncode, "the server's exit status")
            for part in ("now=0", "idle=0", "panics=0"):
                if part not in said:
                    sys.exit(f"the server ended with {said}")


def curl(server):
    program = need("curl", "curl")

    def run(*words, data=None):
        done = subprocess.run([program, "-s", "-m", "60", *words], input=data, check=False,
                              stdout=subprocess.PIPE)
        if done.returncode != 0:
            sys.exit(f"curl {words} ended with {done.returncode}")
        return done.stdout

    expect(b"Hello, World!", run(server.url + "/"), "GET")
    expect(b"200 0", run("-I", "-o", "/dev/null", "-w", "%{http_code} %{size_download}",
                         server.url + "/"), "HEAD")
    expect(b"7", run(server.url + "/users/7"), "a path's value")
    expect(b"404", run("-o", "/dev/null", "-w", "%{http_code}", server.url + "/no"), "404")
    expect(b"405", run("-o", "/dev/null", "-w", "%{http_code}", "-X", "POST",
                       server.url + "/users/7"), "405")
    large = os.urandom(3_000_000)
    expect(large, run("--data-binary", "@-", server.url + "/echo", data=large), "a large body")
    expect(large, run("-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
                      server.url + "/echo", data=large), "a large body in chunks")
    expect(large, run("-H", "Expect: 100-continue", "-T", "-", server.url + "/echo", data=large),
           "an upload that waits for permission")
    expect(10_000_000, len(run(server.url + "/large")), "a large answer")
    expect(b"Hello, World!", run("-L", server.url + "/redirect"), "a redirect")
    expect(b"Hello, World!", run("--http1.0", server.url + "/"), "HTTP/1.0")
    expect(b"Hello, World!Hello, World!1",
           run(server.url + "/", server.url + "/", "-w", "%{stderr}%{num_connects}") + b"1",
           "two on one connection")
    # Both at once: the answer comes while the request is being sent.
    expect(b"x-after: yes", [line for line in run("-i", "--raw", server.url + "/trailers")
                             .lower().split(b"\r\n") if line.startswith(b"x-after")][0], "trailers")


def python(server):
    """Python's own client, on many threads, each with one connection."""
    def work(number):
        made = http.client.HTTPConnection(server.host, server.port, timeout=60)
        for i in range(200):
            made.request("GET", f"/users/{number * 1000 + i}")
            answer = made.getresponse()
            expect(str(number * 1000 + i).encode(), answer.read(), "an answer")
            made.request("POST", "/echo", body=iter([b"a" * i, b"b" * number]))
            expect(b"a" * i + b"b" * number, made.getresponse().read(), "an echo in chunks")
        made.close()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(work, number) for number in range(16)]:
            done.result()


def wrk(server):
    program = need("wrk", "wrk")
    said = subprocess.run([program, "-t2", "-c200", "-d2s", "--timeout", "20s", server.url + "/"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    print(said)
    if "Socket errors" in said or "Non-2xx" in said:
        sys.exit("wrk saw errors")


def half_closed(server):
    """A client that has said all it has to say still gets its answers."""
    with server.dial() as made:
        made.sendall(b"GET /users/1 HTTP/1.1\r\nHost: h\r\n\r\n"
                     b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        made.shutdown(socket.SHUT_WR)
        got = b""
        while piece := made.recv(4096):
            got += piece
    expect(2, got.count(b"HTTP/1.1 200 OK"), "answers")
    if b"abc" not in got:
        sys.exit(f"no echo in {got!r}")


def slow_clients(server):
    """2,000 that send a byte now and then: all end in time, and others are served meanwhile."""
    slow = [server.dial() for _ in range(2000)]
    for made in slow:
        made.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
    begun = time.monotonic()
    served = 0
    while time.monotonic() - begun < 1.5:
        with server.dial() as made:
            made.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            expect(True, made.recv(4096).startswith(b"HTTP/1.1 200"), "a fast client's answer")
            served += 1
        for made in slow[served % 7::100]:
            try:
                made.sendall(b"a")
            except OSError:
                sys.exit("a slow client was cut too early")
    for made in slow:
        answer = b""
        try:
            while piece := made.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
        expect(True, answer.startswith(b"HTTP/1.1 408"), "a slow client's answer")
        made.close()
    print(f"{served} fast clients were served beside 2,000 slow ones")


def browser(server):
    program = need("chromium", "chromium")
    with tempfile.TemporaryDirectory() as folder:
        said = subprocess.run(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", f"--user-data-dir={folder}", "--virtual-time-budget=20000",
             "--timeout=60000", "--dump-dom", server.url + "/page"],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            timeout=150).stdout
    wanted = "true 404 " + ",".join(str(i) for i in range(20))
    if wanted not in said:
        sys.exit(f"the page says {said}")


def tls(server):
    """Both protocols by ALPN, and clients of other libraries."""
    program = need("curl", "curl")

    def run(*words, data=None):
        done = subprocess.run([program, "-s", "-m", "60", "--cacert", server.certificate, *words],
                              input=data, check=False, stdout=subprocess.PIPE)
        if done.returncode != 0:
            sys.exit(f"curl {words} ended with {done.returncode}")
        return done.stdout

    expect(b"HTTP/2.0 secure", run("--http2", server.url + "/how"), "HTTP/2 by ALPN")
    expect(b"HTTP/1.1 secure", run("--http1.1", server.url + "/how"), "HTTP/1.1 by ALPN")
    large = os.urandom(3_000_000)
    for version in ("--http1.1", "--http2"):
        expect(large, run(version, "--data-binary", "@-", server.url + "/echo", data=large),
               "a large body " + version)
        expect(10_000_000, len(run(version, server.url + "/large")), "a large answer " + version)
    trusting = ssl.create_default_context(cafile=server.certificate)
    made = http.client.HTTPSConnection(server.host, server.port, context=trusting, timeout=60)
    for _ in range(10):
        made.request("GET", "/how")
        expect(b"HTTP/1.1 secure", made.getresponse().read(), "Python over TLS")
    made.close()
    said = subprocess.run(
        [need("openssl", "openssl"), "s_client", "-quiet", "-connect", server.address, "-CAfile",
         server.certificate, "-verify_return_error", "-ign_eof"],
        input=b"GET /how HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=60).stdout
    expect(True, said.endswith(b"HTTP/1.1 secure"), "openssl s_client")
    # One who does not speak TLS is turned away, and the next is served.
    with server.dial() as made:
        made.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        try:
            while made.recv(4096):
                pass
        except ConnectionResetError:
            pass
    expect(b"HTTP/2.0 secure", run("--http2", server.url + "/how"), "after a stranger")


def main():
    # Both sides' descriptors; the server inherits it.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    case = {f.__name__: f for f in (curl, python, wrk, half_closed, slow_clients, browser, tls)}
    with tempfile.TemporaryDirectory() as folder:
        words = []
        if sys.argv[1] == "tls":
            words = [folder + "/certificate.pem", folder + "/key.pem"]
            subprocess.run([need("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                            "-out", words[0], "-keyout", words[1]],
                           check=True, stderr=subprocess.DEVNULL)
        with Server(sys.argv[2], *words) as server:
            server.certificate = words[0] if words else None
            case[sys.argv[1]](server)


main()
