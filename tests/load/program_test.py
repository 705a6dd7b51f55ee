#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program itself: its reports, its exit status, Ctrl-C. Usage: program_test.py WEFT_LOAD."""
import json
import os
import pty
import shutil
import signal
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

PROGRAM = None


class Handler(socketserver.StreamRequestHandler):
    """Answers /slow never, everything else with its own path."""

    def handle(self):
        while True:
            line = self.rfile.readline()
            if not line:
                return
            path = line.split()[1]
            length = 0
            while True:
                header = self.rfile.readline()
                if header in (b"\r\n", b""):
                    break
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            body = self.rfile.read(length)
            if path == b"/slow":
                self.server.slow.set()
                continue
            status = b"404 No" if path == b"/no" else b"200 OK"
            text = path + body
            try:
                self.wfile.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"
                                 % (status, len(text), text))
            except ConnectionError:
                return


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        """Connections that the load drops are no errors."""


class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(("127.0.0.1", 0), Handler)
        cls.server.slow = threading.Event()
        cls.url = f"http://127.0.0.1:{cls.server.server_address[1]}"
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def run_load(self, *words):
        return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60,
                              check=False)

    def test_json(self):
        got = self.run_load("--json", "-q", "-n", "40", "-c", "2", f"3:{self.url}/yes",
                            f"{self.url}/no")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertEqual(got.stderr, "")
        report = json.loads(got.stdout)
        self.assertEqual(report["responses"], 40)
        self.assertEqual(report["status"], {"200": 30, "404": 10})
        self.assertEqual(report["errors"], {})
        self.assertEqual(report["loop"], "closed")
        self.assertEqual(report["latency_ns"]["count"], 40)
        self.assertLessEqual(report["latency_ns"]["p50"], report["latency_ns"]["max"])
        self.assertEqual(report["urls"][0], {"url": f"{self.url}/yes", "weight": 3})

    def test_json_with_samples_and_errors(self):
        got = self.run_load("--json", "-d", "600ms", "--rate", "50", "-c", "2", "--timeout",
                            "100ms", f"{self.url}/ok", f"{self.url}/slow")
        report = json.loads(got.stdout)
        self.assertEqual(report["rate"], 50)
        self.assertGreater(report["errors"]["timeout"]["count"], 0)
        self.assertTrue(report["samples"])
        self.assertIn("per_second", report["samples"][0])

    def test_text(self):
        got = self.run_load("-q", "-n", "20", "-c", "1", "--body", "abc", f"{self.url}/yes")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertRegex(got.stdout, r"responses +20 in ")
        self.assertRegex(got.stdout, r"status +200: 20\n")
        self.assertRegex(got.stdout, r"errors +none\n")
        self.assertRegex(got.stdout, r"latency +mean .* p50 .* p99\.9 .* max ")
        self.assertNotIn("\x1b", got.stdout)

    def test_body_from_a_file(self):
        got = self.run_load("--json", "-q", "-n", "1", "-c", "1", "--body-file", __file__,
                            f"{self.url}/")
        size = os.path.getsize(__file__)
        self.assertGreater(json.loads(got.stdout)["bytes_received"], size)

    def test_plain_lines_on_a_pipe(self):
        got = self.run_load("-d", "2500ms", "-c", "1", f"{self.url}/")
        self.assertRegex(got.stderr, r"^ +1\.\d s .*/s +p50 .* p99 .* errors 0\n")
        self.assertNotIn("\x1b", got.stderr)

    def test_plot_on_a_terminal(self):
        env = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        env.pop("NO_COLOR", None)
        for words, wanted in (((), "\u2502"), (("--ascii",), "       0|")):
            ours, theirs = pty.openpty()
            process = subprocess.Popen([PROGRAM, "-d", "500ms", "-c", "1", *words, self.url],
                                       stderr=theirs, stdout=subprocess.PIPE, env=env)
            os.close(theirs)
            shown = b""
            try:
                while more := os.read(ours, 65536):
                    shown += more
            except OSError:  # the last one has closed its end
                pass
            os.close(ours)
            out, _ = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 0)
            self.assertIn(wanted, shown.decode(errors="replace"))
            self.assertRegex(shown, rb"\x1b\[\d+A\r\x1b\[2K")
            self.assertIn(b"latency", out)

    @unittest.skipUnless(shutil.which("openssl"), "needs openssl to make a certificate")
    def test_https(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test", "-addext",
                            "subjectAltName=IP:127.0.0.1", "-days", "1", "-keyout", f"{folder}/key",
                            "-out", f"{folder}/cert"], check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{folder}/cert", f"{folder}/key")
            with Server(("127.0.0.1", 0), Handler) as server:
                server.socket = context.wrap_socket(server.socket, server_side=True)
                threading.Thread(target=server.serve_forever, daemon=True).start()
                url = f"https://127.0.0.1:{server.server_address[1]}/x"
                got = self.run_load("--json", "-q", "-k", "-n", "20", "-c", "2", url)
                if got.returncode == 2 and "built without TLS" in got.stderr:
                    self.skipTest("built without TLS")
                self.assertEqual(json.loads(got.stdout)["status"], {"200": 20}, got.stderr)
                # A certificate that nobody we trust has signed.
                got = self.run_load("--json", "-q", "-n", "2", "-c", "1", url)
                self.assertEqual(got.returncode, 1)
                self.assertIn("certificate", json.loads(got.stdout)["errors"]["connect"]["sample"])
                server.shutdown()

    def test_wrong_use(self):
        got = self.run_load("-c", "many", self.url)
        self.assertEqual(got.returncode, 2)
        self.assertIn('weft-load: -c "many": must be a whole number', got.stderr)
        got = self.run_load("--help")
        self.assertEqual(got.returncode, 0)
        self.assertIn("--rate", got.stdout)

    def test_nobody_answers(self):
        got = self.run_load("-q", "-n", "2", "-c", "1", "http://127.0.0.1:1/")
        self.assertEqual(got.returncode, 1)
        self.assertIn("connection refused", got.stdout)

    def test_an_interrupt_still_reports(self):
        self.server.slow.clear()
        process = subprocess.Popen([PROGRAM, "--json", "-q", "-d", "600s", "-c", "2",
                                    f"{self.url}/ok", f"{self.url}/slow"],
                                   stdout=subprocess.PIPE, text=True)
        self.assertTrue(self.server.slow.wait(30))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        report = json.loads(out)
        self.assertTrue(report["interrupted"])
        self.assertEqual(report["errors"], {})
        self.assertLess(report["seconds"], 500)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
