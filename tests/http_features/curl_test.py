#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files, compression, forms and cookies with curl. Usage: curl_test.py SERVER."""
import gzip
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SERVER = None


class Curl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.folder.name) / "root"
        (root / "sub").mkdir(parents=True)
        (root / "text.txt").write_text("line of text\n" * 1000)
        (root / "sub" / "index.html").write_text("<p>hello")
        cls.large = bytes((i * 31 + i // 251) % 256 for i in range(3_000_000))
        (root / "large.bin").write_bytes(cls.large)
        for name in root.rglob("*"):
            os.utime(name, (1_000_000_000, 1_000_000_000))
        (pathlib.Path(cls.folder.name) / "secret").write_text("secret")
        cls.root = root
        cls.process = subprocess.Popen([SERVER, str(root)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        cls.url = "http://" + cls.process.stdout.readline().strip()

    @classmethod
    def tearDownClass(cls):
        cls.process.communicate(timeout=30)
        cls.folder.cleanup()
        if cls.process.returncode != 0:
            sys.exit(f"the server ended with {cls.process.returncode}")

    def curl(self, path, *words, status=200):
        """The content; checks the status."""
        got = subprocess.run(["curl", "-sS", "--max-time", "60", "-w", "%{stderr}%{http_code}",
                              *words, self.url + path], capture_output=True, check=False)
        self.assertEqual((got.returncode, got.stderr.decode()), (0, str(status)), path)
        return got.stdout

    def head(self, path, *words, status=200):
        text = self.curl(path, "-D", "-", "-o", "/dev/null", *words, status=status).decode()
        lines = text.strip().split("\r\n")[1:]
        return {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines if line)}

    def test_files(self):
        self.assertEqual(self.curl("/files/large.bin"), self.large)
        self.assertEqual(self.curl("/files/sub/"), b"<p>hello")
        self.assertEqual(self.curl("/files/sub", "-L"), b"<p>hello")
        self.assertEqual(self.curl("/files/sub/index.html", "-L"), b"<p>hello")
        self.curl("/files/none", status=404)
        self.curl("/files/", status=404)
        self.assertIn(b'<a href="./large.bin">', self.curl("/listed/"))
        head = self.head("/files/large.bin", "-I")
        self.assertEqual(head["content-length"], "3000000")
        self.assertEqual(head["last-modified"], "Sun, 09 Sep 2001 01:46:40 GMT")

    def test_nothing_outside(self):
        for path in ("/files/../secret", "/files/%2e%2e/secret", "/files/..%2fsecret",
                     "/files/sub/%2e%2e/%2e%2e/secret"):
            got = subprocess.run(["curl", "-sS", "--path-as-is", "-L", self.url + path],
                                 capture_output=True, check=True)
            self.assertNotIn(b"secret", got.stdout.replace(b"/secret", b""), path)

    def test_ranges(self):
        self.assertEqual(self.curl("/files/large.bin", "-r", "100-299", status=206),
                         self.large[100:300])
        self.assertEqual(self.curl("/files/large.bin", "-r", "-7", status=206), self.large[-7:])
        both = self.curl("/files/large.bin", "-r", "0-9,2000000-2000009", status=206)
        self.assertIn(self.large[:10], both)
        self.assertIn(self.large[2_000_000:2_000_010], both)
        self.curl("/files/large.bin", "-r", "3000000-", status=416)

    def test_an_interrupted_download_goes_on(self):
        part = pathlib.Path(self.folder.name) / "part"
        part.write_bytes(self.large[:1_000_000])
        self.curl("/files/large.bin", "-C", "-", "-o", str(part), status=206)
        self.assertEqual(part.read_bytes(), self.large)

    def test_conditions(self):
        tag = self.head("/files/large.bin")["etag"]
        self.curl("/files/large.bin", "-H", f"If-None-Match: {tag}", status=304)
        self.curl("/files/large.bin", "-H", 'If-Match: "other"', status=412)
        self.curl("/files/large.bin", "-z", str(self.root / "large.bin"), status=304)

    def test_compression(self):
        text = (self.root / "text.txt").read_bytes()
        self.assertEqual(self.curl("/files/text.txt", "--compressed"), text)
        packed = self.curl("/files/text.txt", "-H", "Accept-Encoding: gzip")
        self.assertLess(len(packed), 1000)
        self.assertEqual(gzip.decompress(packed), text)
        head = self.head("/files/text.txt", "-H", "Accept-Encoding: gzip")
        self.assertEqual(head["content-encoding"], "gzip")
        self.assertEqual(head["vary"], "Accept-Encoding")
        self.assertTrue(head["etag"].startswith('W/"'))
        self.assertNotIn("content-encoding",
                         self.head("/files/large.bin", "-H", "Accept-Encoding: gzip"))
        part = self.curl("/files/text.txt", "-H", "Accept-Encoding: gzip", "-r", "0-3", status=206)
        self.assertEqual(part, b"line")
        if shutil.which("zstd"):
            packed = self.curl("/files/text.txt", "-H", "Accept-Encoding: zstd")
            plain = subprocess.run(["zstd", "-dc"], input=packed, capture_output=True, check=True)
            self.assertEqual(plain.stdout, text)

    def test_requests_that_come_compressed(self):
        packed = pathlib.Path(self.folder.name) / "packed"
        packed.write_bytes(gzip.compress(b"hello"))
        words = ("--data-binary", f"@{packed}", "-H", "Content-Encoding: gzip")
        self.assertEqual(self.curl("/echo", *words), b"hello")
        packed.write_bytes(gzip.compress(bytes(50_000_000)))
        self.curl("/echo", *words, status=413)
        self.curl("/echo", "-d", "x", "-H", "Content-Encoding: br", status=415)

    def test_forms(self):
        self.assertEqual(self.curl("/upload", "-d", "a=1&b=x+y", "--data-urlencode", "c=\u00e9&"),
                         "a=1\nb=x y\nc=\u00e9&\n".encode())
        got = self.curl("/upload", "--form-string", "field=va;lue", "-F",
                        f"small=@{self.root}/sub/index.html;type=text/html", "-F",
                        f"large=@{self.root}/large.bin;filename=../a b.bin", "-F", "empty=")
        hello = sum(b"<p>hello")
        self.assertEqual(got.decode(), "field=va;lue\nempty=\n"
                         f"small:index.html:text/html:8:{hello}:memory\n"
                         "large:a b.bin:application/octet-stream:3000000:"
                         f"{sum(self.large)}:disk\n")
        self.curl("/upload", "-d", "a=%zz", status=400)
        self.curl("/upload", "-d", "x", "-H", "Content-Type: text/plain", status=415)
        large = pathlib.Path(self.folder.name) / "large"
        large.write_bytes(b"a=" + b"x" * 2_000_000)
        self.curl("/upload", "-d", f"@{large}", status=413)

    def test_cookies(self):
        jar = str(pathlib.Path(self.folder.name) / "jar")
        for wanted in (b"I\n", b"II\n", b"III\n"):
            self.assertEqual(self.curl("/visits", "-b", jar, "-c", jar), wanted)
        self.assertEqual(self.head("/visits")["set-cookie"],
                         "visits=I; Path=/; HttpOnly; SameSite=Lax")

    def test_over_http_2(self):
        words = ("--http2-prior-knowledge",)
        self.assertEqual(self.curl("/files/large.bin", *words), self.large)
        self.assertEqual(self.curl("/files/large.bin", *words, "-r", "5-9", status=206),
                         self.large[5:10])
        self.assertEqual(self.curl("/files/text.txt", *words, "--compressed"),
                         (self.root / "text.txt").read_bytes())
        self.assertIn(b"large.bin", self.curl("/upload", *words, "-F",
                                              f"f=@{self.root}/large.bin"))


if __name__ == "__main__":
    if shutil.which("curl") is None:
        if os.environ.get("CI") == "true":  # there it must not go unnoticed
            sys.exit("curl is not installed")
        print("skipped: curl is not installed")
        sys.exit(77)
    SERVER = sys.argv.pop(1)
    unittest.main()
