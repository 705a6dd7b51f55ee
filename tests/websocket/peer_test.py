#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our WebSocket server and client with the library websockets. Usage: peer_test.py PEER."""
import asyncio
import os
import subprocess
import sys
import unittest

try:
    import websockets
except ImportError:
    # Debian's packages are for Debian's own interpreter.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    if os.environ.get("CI") == "true":  # there it must not go unnoticed
        sys.exit("python3-websockets is not installed")
    print("skipped: python3-websockets is not installed")
    sys.exit(77)

PEER = None


def in_time(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


class Server(unittest.TestCase):
    """Ours, asked by theirs."""

    def setUp(self):
        self.process = subprocess.Popen([PEER, "serve"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = f"ws://127.0.0.1:{int(self.process.stdout.readline())}"

    def tearDown(self):
        self.process.communicate(timeout=30)
        self.assertEqual(self.process.returncode, 0)

    def test_echo(self):
        async def talk(compression):
            async with websockets.connect(self.url + "/echo", compression=compression,
                                          max_size=None, subprotocols=["x", "echo"]) as ws:
                self.assertEqual(ws.subprotocol, "echo")
                names = [e.name for e in ws.extensions]
                self.assertEqual(names, ["permessage-deflate"] if compression else [])
                for size in (0, 1, 125, 126, 65535, 65536, 500000):
                    await ws.send("x" * size)
                    self.assertEqual(await ws.recv(), "x" * size)
                    await ws.send(os.urandom(size))
                    self.assertEqual(len(await ws.recv()), size)
                await ws.send(["frag", "men", "ted \u20ac"])
                self.assertEqual(await ws.recv(), "fragmented \u20ac")
                await (await ws.ping(b"hello"))

        in_time(talk(None))
        in_time(talk("deflate"))

    def test_many_at_once(self):
        async def one(number):
            async with websockets.connect(self.url + "/echo") as ws:
                for i in range(20):
                    await ws.send(f"{number} {i}")
                    self.assertEqual(await ws.recv(), f"{number} {i}")

        async def all_of_them():
            await asyncio.gather(*(one(n) for n in range(50)))

        in_time(all_of_them())

    def test_the_servers_close(self):
        async def talk():
            async with websockets.connect(self.url + "/bye") as ws:
                with self.assertRaises(websockets.ConnectionClosed) as caught:
                    await ws.recv()
                self.assertEqual((caught.exception.rcvd.code, caught.exception.rcvd.reason),
                                 (4001, "bye"))

        in_time(talk())

    def test_too_large(self):
        async def talk():
            async with websockets.connect(self.url + "/echo", compression=None) as ws:
                with self.assertRaises(websockets.ConnectionClosed) as caught:
                    await ws.send("x" * (2 << 20))
                    await ws.recv()
                self.assertEqual(caught.exception.rcvd.code, 1009)

        in_time(talk())


class Client(unittest.TestCase):
    """Theirs, asked by ours."""

    def talk(self, compression):
        async def echo(ws, _path=None):
            async for message in ws:
                await ws.send(message)

        async def serve():
            async with websockets.serve(echo, "127.0.0.1", 0, compression=compression,
                                        max_size=None, subprotocols=["echo"]) as server:
                port = server.sockets[0].getsockname()[1]
                process = await asyncio.create_subprocess_exec(
                    PEER, "connect", f"ws://127.0.0.1:{port}/", stdout=subprocess.PIPE)
                out, _ = await process.communicate()
                return process.returncode, out.decode()

        return in_time(serve())

    def test_plain(self):
        self.assertEqual(self.talk(None), (0, 'protocol "echo", plain\n'))

    def test_compressed(self):
        self.assertEqual(self.talk("deflate"), (0, 'protocol "echo", compressed\n'))


if __name__ == "__main__":
    PEER = sys.argv[1]
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
