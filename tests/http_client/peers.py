#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The client against Go's net/http and nginx: peers.py go|nginx PROBE."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
SKIPPED = 77


def need(program, package):
    path = shutil.which(program) or shutil.which(program, path="/usr/local/go/bin:/usr/sbin")
    if path is None:
        print(f"{program} is missing (Debian: apt-get install {package})")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    return path


@contextlib.contextmanager
def go_server(folder):
    built = pathlib.Path(folder, "server")
    subprocess.run([need("go", "golang-go"), "build", "-o", str(built), "."], cwd=HERE / "golang",
                   check=True)
    with subprocess.Popen([str(built)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def nginx_server(folder):
    program = need("nginx", "nginx")
    os.chmod(folder, 0o755)
    www = pathlib.Path(folder, "www")
    www.mkdir()
    (www / "file").write_bytes(b"f" * 3_000_000)
    (www / "text.txt").write_text("t" * 20_000)
    port = free_port()
    config = pathlib.Path(folder, "nginx.conf")
    config.write_text(f"""
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  types {{ text/plain txt; }}
  default_type application/octet-stream;
  gzip on;
  gzip_types text/plain;
  client_max_body_size 1k;
  keepalive_requests 5;
  server {{
    listen 127.0.0.1:{port};
    root {www};
    location = /hello {{ return 200 "hello"; }}
    location = /moved {{ return 301 /hello; }}
  }}
}}
""", encoding="utf-8")
    with subprocess.Popen([program, "-c", str(config), "-e", f"{folder}/error.log"]) as process:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                if process.poll() is not None:
                    sys.exit("nginx did not start")
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def main():
    case, probe = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        server = go_server if case == "go" else nginx_server
        with server(folder) as addresses:
            urls = [f"http://{address}" for address in addresses.split()]
            ran = subprocess.run([probe, case, *urls], timeout=150)
            return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
