#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our TLS with openssl s_client and s_server at the other end.

Usage: openssl.py s_client|s_server PEER, PEER being weft_tls_peer.
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

SKIPPED = 77


def openssl(*words, folder, **more):
    return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True,
                          timeout=60, **more)


def make_certificates(folder):
    """ca.pem, and certificate with key in one file for each name."""
    def write(name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def run(*words):
        done = openssl(*words, folder=folder)
        assert done.returncode == 0, done.stderr

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("req", "-x509", *new, "-days", "7", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out",
        "ca.pem")
    for name, subject, names in (("local", "localhost", "DNS:localhost,IP:127.0.0.1"),
                                 ("other", "other.test", "DNS:other.test"),
                                 ("client", "a client", "DNS:client.test")):
        write(f"{name}.ext", f"subjectAltName={names}\n")
        run("req", *new, "-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out",
            f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days",
            "7", "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        with open(os.path.join(folder, f"{name}.crt"), encoding="utf-8") as one, \
                open(os.path.join(folder, f"{name}.key"), encoding="utf-8") as two:
            write(f"{name}.pem", one.read() + two.read())


class Served:
    """Our server."""

    def __init__(self, peer, folder, *settings):
        self.process = subprocess.Popen([peer, "serve", *settings], cwd=folder, text=True,
                                        stdout=subprocess.PIPE)
        self.port = self.process.stdout.readline().split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def expect(text, wanted, what):
    if not re.search(wanted, text):
        raise AssertionError(f"{what}: no /{wanted}/ in:\n{text}")
    print(f"ok: {what}")


def s_client(peer, folder):
    def ask(served, *words, text="state\n"):
        done = openssl("s_client", "-connect", f"127.0.0.1:{served.port}", "-CAfile", "ca.pem",
                       "-verify_return_error", *words, folder=folder, input=text)
        return done.stdout + done.stderr

    name = ["-servername", "localhost", "-verify_hostname", "localhost", "-ign_eof"]
    with Served(peer, folder, "cert=local.pem,other.pem", "alpn=h2,http/1.1") as served:
        for option, version in (("-tls1_2", "1.2"), ("-tls1_3", "1.3")):
            got = ask(served, option, *name)
            expect(got, rf"(?m)^{re.escape(version)} \S+ alpn= sni=localhost full$", option)
            expect(got, "Verify return code: 0", f"{option} verified")
        got = ask(served, *name, "-alpn", "http/1.1,h2")
        expect(got, "alpn=h2 ", "ALPN, the server's order")
        got = ask(served, *name, "-alpn", "smtp")
        expect(got, "(?i)no application protocol", "ALPN, nothing in common")
        got = ask(served, "-servername", "other.test", "-verify_hostname", "other.test",
                  "-ign_eof")
        expect(got, "subject=CN ?= ?other.test", "another name, another certificate")
        expect(got, "sni=other.test", "and the server knows")
        got = ask(served, *name, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        expect(got, "(?i)protocol version|unsupported protocol", "TLS 1.1 is refused")
        got = ask(served, *name, "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0")
        expect(got, "(?i)handshake failure", "ciphers without forward secrecy are refused")
        for option in ("-tls1_2", "-tls1_3"):
            ask(served, option, *name, "-sess_out", "session.pem")
            got = ask(served, option, *name, "-sess_in", "session.pem")
            expect(got, "sni=localhost resumed", f"{option} resumed")
        big = "x" * 60_000 + "\n"
        got = ask(served, *name, "-quiet", text=big + "state\n")
        expect(got, "x{60000}", "60,000 bytes there and back")
        # Half-closed by -no_ign_eof: s_client ends the connection when its input ends.
        openssl("s_client", "-connect", f"127.0.0.1:{served.port}", "-servername", "localhost",
                folder=folder, input="")
    with Served(peer, folder, "cert=local.pem", "ca=ca.pem", "auth=require") as served:
        for option in ("-tls1_2", "-tls1_3"):
            got = ask(served, option, *name, "-cert", "client.crt", "-key", "client.key")
            expect(got, "full peer=CN=a client", f"{option} client certificate")
            got = ask(served, option, *name)
            expect(got, "(?i)alert (certificate required|handshake failure)|alert number (116|40)",
                   f"{option} no client certificate")
    with Served(peer, folder, "cert=local.pem", "min=1.3") as served:
        got = ask(served, "-tls1_2", *name)
        expect(got, "(?i)protocol version", "only 1.3")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def s_server(peer, folder):
    def meet(words, *settings):
        port = str(free_port())
        server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-rev",
                                   *words],
                                  cwd=folder, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        try:
            while "ACCEPT" not in server.stdout.readline():
                assert server.poll() is None, "s_server did not start"
            done = subprocess.run([peer, "dial", f"port={port}", *settings], cwd=folder,
                                  capture_output=True, text=True, timeout=60)
            return done.stdout + done.stderr
        finally:
            server.kill()
            server.communicate()

    own = ["-cert", "local.crt", "-key", "local.key"]
    trusted = ["ca=ca.pem", "name=localhost"]
    for option, version in (("-tls1_2", "1.2"), ("-tls1_3", "1.3")):
        got = meet([option, *own], *trusted)
        expect(got, rf"answer olleh\nstate {re.escape(version)} \S+ alpn= sni=localhost full",
               option)
        expect(got, rf"state {re.escape(version)} \S+ alpn= sni=localhost resumed",
               f"{option} resumed")
    got = meet([*own, "-alpn", "h2"], *trusted, "alpn=http/1.1,h2")
    expect(got, "alpn=h2 ", "ALPN")
    got = meet(own, "ca=ca.pem")
    expect(got, "answer olleh", "by IP address, of the dial")
    got = meet(own, "ca=ca.pem", "name=wrong.test")
    expect(got, "tls: certificate is valid for localhost, 127.0.0.1, not for wrong.test",
           "a wrong name")
    got = meet(own, "name=localhost")
    expect(got, "tls: certificate signed by unknown authority", "an unknown authority")
    for option in ("-tls1_2", "-tls1_3"):
        got = meet([option, *own, "-CAfile", "ca.pem", "-Verify", "1", "-verify_return_error"],
                   *trusted, "cert=client.pem")
        expect(got, "answer olleh", f"{option} client certificate")
        got = meet([option, *own, "-CAfile", "ca.pem", "-Verify", "1", "-verify_return_error"],
                   *trusted)
        expect(got, "tls: the peer has refused: (certificate required|handshake failure)",
               f"{option} no client certificate")
    got = meet(["-tls1_1", "-cipher", "ALL:@SECLEVEL=0", *own], *trusted)
    expect(got, "error handshake .*tls: ", "a server of TLS 1.1")


def main():
    case, peer = sys.argv[1:]
    if shutil.which("openssl") is None:
        print("no openssl here")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        make_certificates(folder)
        {"s_client": s_client, "s_server": s_server}[case](os.path.abspath(peer), folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
