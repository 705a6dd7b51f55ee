# SPDX-License-Identifier: Apache-2.0
"""The same commands to weft-kv and to a real redis-server: the replies must be equal."""
import random
import sys

import kvtest

# Replies whose order says nothing.
UNORDERED = {"KEYS", "SMEMBERS", "SINTER", "SUNION", "SDIFF", "HKEYS", "HVALS"}

SCRIPT = r"""
PING | PING hello | PING a b | ECHO x | ECHO
SET k v | GET k | GET | GET k extra | SET k | SET k v EX | SET k v EX 0 | SET k v PX -1
SET k v EX abc | SET k v FOO | SET k v NX XX | SET k v NX | SET k w XX | GET k
SET nokey v XX | GET nokey | SET k v3 GET | SET fresh v GET | SET k v4 NX GET | GET k
SET k v EX 100 | TTL k | SET k w KEEPTTL | TTL k | SET k z | TTL k | SET k z EX 10 PX 10
SET k z KEEPTTL EX 10 | SET k v EX 10 KEEPTTL | SET k v PX 100000 | TTL k
SET k v EXAT 99999999999 | EXPIRETIME k | SET k v PXAT 99999999999999 | PEXPIRETIME k
SET k v EX 9223372036854775807 | SET k v PX 9223372036854775807
SETNX k x | SETNX other x | GETSET k new | GETSET none new | GETDEL none | GETDEL none
SETEX e 100 v | TTL e | SETEX e 0 v | SETEX e x v | PSETEX e 100000 v | PSETEX e -5 v
MSET a 1 b 2 c 3 | MGET a b c nokey | MSET a | MSET a 1 b | MSETNX a 1 z 2 | GET z
MSETNX y1 1 y2 2
MGET y1 y2 | APPEND app hello | APPEND app world | GET app | STRLEN app | STRLEN nokey
GETRANGE app 0 4 | GETRANGE app -5 -1 | GETRANGE app 3 1 | GETRANGE app -1 -5
GETRANGE app 0 100 | GETRANGE nokey 0 1
INCR n | INCR n | DECR n | INCRBY n 40 | DECRBY n 2 | GET n | INCR app | INCRBY n x | INCRBY n 1.5
INCRBY n 9223372036854775807 | DECRBY n -9223372036854775808 | SET n 9223372036854775807 | INCR n
SET n -9223372036854775808 | DECR n | SET n 10 | INCRBYFLOAT n 1.5 | INCRBYFLOAT n -3
INCRBYFLOAT n abc
INCRBYFLOAT f 3.0e3 | INCRBYFLOAT f 0.1 | SET f 10.50 | INCRBYFLOAT f 0.1 | INCRBYFLOAT app 1
INCRBYFLOAT f inf
SET n 007 | INCR n | SET n "" | INCR n | SET n " 1" | INCR n | SET n 1 | INCR n
DEL n | DEL n nokey f | EXISTS k nokey k | TYPE k | TYPE nokey | DBSIZE | TOUCH k other nokey
UNLINK other
LPUSH l a b c | RPUSH l d e | LRANGE l 0 -1 | LRANGE l 1 2 | LRANGE l -2 -1 | LRANGE l 5 10
LRANGE l 2 1
LRANGE l 0 x | LRANGE nokey 0 -1 | LLEN l | LLEN nokey | LINDEX l 0 | LINDEX l -1 | LINDEX l 99
LINDEX l x
LINDEX nokey 0 | LSET l 0 A | LSET l -1 E | LSET l 99 x | LSET nokey 0 x | LSET l x y
LRANGE l 0 -1
LPOP l | RPOP l | LPOP l 2 | RPOP l 5 | LPOP l | LPOP l 1 | LPOP l 0 | EXISTS l | TYPE l
LPOP l -1 | LPOP l x | LPUSHX l a | RPUSHX l a | RPUSH l 1 2 3 4 5 6 7 8 | LPOP l 0 | LTRIM l 1 -2
LRANGE l 0 -1 | LTRIM l 0 2 | LRANGE l 0 -1 | LTRIM l 5 9 | EXISTS l | LTRIM l 0 1 | LTRIM l x 1
RPUSH l a b a c a d a | LREM l 2 a | LRANGE l 0 -1 | LREM l -1 a | LRANGE l 0 -1 | LREM l 0 a
LREM l 1 zz
LRANGE l 0 -1 | LREM l x a | LREM nokey 0 a | LREM l 0 b | LREM l 0 c | LREM l 0 d | EXISTS l
LPUSH l | LPUSH | TYPE l | RPUSH l one | TYPE l | LPOP l 1 2
HSET h f1 v1 f2 v2 | HSET h f1 w1 f3 v3 | HSET h f1 | HSET h f1 v1 f2 | HGET h f1 | HGET h nof
HGET nokey f
HMGET h f1 nof f3 | HMGET nokey f g | HGETALL h | HGETALL nokey | HKEYS h | HVALS h
HKEYS nokey | HLEN h | HLEN nokey
HEXISTS h f1 | HEXISTS h nof | HEXISTS nokey f | HDEL h f1 nof f2 | HDEL nokey f | HSETNX h f3 x
HSETNX h f4 x
HINCRBY h n 5 | HINCRBY h n -10 | HINCRBY h f3 1 | HINCRBY h n x
HINCRBY h n 9223372036854775807 | HINCRBY h n 9223372036854775807
HSTRLEN h f3 | HSTRLEN h nof | HSTRLEN nokey f | HMSET h a 1 b 2 | HMSET h a | TYPE h
HDEL h f3 f4 n a b | EXISTS h
SADD s a b c a | SADD s c d | SCARD s | SCARD nokey | SISMEMBER s a | SISMEMBER s z
SISMEMBER nokey a | SMISMEMBER s a z
SMEMBERS s | SMEMBERS nokey | SREM s a z | SREM nokey a | SADD t c d e | SINTER s t | SUNION s t
SDIFF s t | SDIFF t s
SINTER s nokey | SUNION s nokey | SDIFF s nokey | SDIFF nokey s | SINTER s | TYPE s | SPOP nokey
SPOP nokey 2 | SPOP s -1 | SPOP s x
SADD one m | SPOP one | EXISTS one | SADD one m | SPOP one 5 | EXISTS one | SPOP s 0 | SPOP a b c
SET str x | LPUSH str a | HSET str a b | SADD str a | LPOP str | HGET str a | SISMEMBER str a
LLEN str | SMEMBERS str | SPOP str
LRANGE str 0 -1 | LINDEX str 0 | LSET str 0 a | LTRIM str 0 1 | LREM str 0 a | HGETALL str
HDEL str a | HLEN str | HINCRBY str a 1
SCARD str | SREM str a | SINTER str s | SINTER nokey str | SUNION s str | RPUSH lst a | GET lst
APPEND lst x | INCR lst | STRLEN lst | GETSET lst x
SET lst x GET | GETDEL lst | MGET lst str | INCRBYFLOAT lst 1 | GETRANGE lst 0 1 | SETNX lst x
SET lst now-a-string | TYPE lst
EXPIRE k 100 | TTL k | EXPIRE nokey 100 | TTL nokey | PERSIST k | PERSIST k | TTL k | PTTL k
PTTL nokey | EXPIRE k x
EXPIRE k 100 NX | EXPIRE k 200 NX | EXPIRE k 50 GT | EXPIRE k 200 GT | EXPIRE k 300 LT
EXPIRE k 100 LT | TTL k | EXPIRE k 10 XX | EXPIRE k 10 FOO
EXPIRE k 10 NX XX | EXPIRE k 10 GT LT | PEXPIRE k 100000 | TTL k | EXPIREAT k 99999999999
EXPIRETIME k | PEXPIREAT k 99999999999999
PEXPIRETIME k | EXPIRE k 9223372036854775807 | PEXPIRE k 9223372036854775807 | EXPIRE k -1
EXISTS k | SET k v | EXPIREAT k 1 | EXISTS k
SET r1 v EX 100 | RENAME r1 r2 | TTL r2 | EXISTS r1 | RENAME nokey x | RENAME r2 r2
RENAMENX r2 a | RENAMENX r2 r3 | RENAMENX nokey a | GET r3
RENAME str a | GET a | KEYS * | KEYS r* | KEYS ?3 | KEYS [a-c] | KEYS [^a-c] | KEYS nothing
KEYS \a | KEYS a* | KEYS [ab
SCAN 0 COUNT 100000 | SCAN x | SCAN 0 COUNT 0 | SCAN 0 COUNT x | SCAN 0 FOO
SCAN 0 MATCH r* COUNT 100000 | SCAN 0 TYPE string COUNT 100000
SELECT 0 | SELECT x | SELECT 99 | FOO | FOO a b c | foo "with spaces" | CLIENT GETNAME
CLIENT SETNAME me | CLIENT GETNAME | CLIENT SETNAME "a b"
CLIENT FOO | CLIENT | CONFIG GET appendonly | CONFIG GET save | CONFIG FOO | COMMAND FOO | RESET
CLIENT GETNAME
BLPOP q 0.01 | BRPOP q q2 0.01 | BLPOP q -1 | BLPOP q x | BLPOP a 1 | RPUSH q 1 2 3 | BLPOP q 1
BRPOP nokey q 1 | BLPOP q | LLEN q
PUBLISH ch hello | PUBSUB NUMSUB ch | PUBSUB NUMPAT | PUBSUB CHANNELS | UNSUBSCRIBE
PUNSUBSCRIBE | UNSUBSCRIBE x
FLUSHALL | DBSIZE | SET x 1 | FLUSHDB | DBSIZE | FLUSHALL BAD | FLUSHALL ASYNC | FLUSHALL SYNC
"""

# Raw bytes; both must answer and close alike.
RAW = [
    b'PING\r\n',
    b'PING\n',
    b'\r\nPING\r\n',
    b'   PING   hello  \r\n',
    b'SET a "x y"\r\nGET a\r\n',
    b'SET a "\\x41\\n"\r\nGET a\r\n',
    b"SET a 'it\\'s'\r\nGET a\r\n",
    b'GET "unbalanced\r\n',
    b'GET "a"b\r\n',
    b'*0\r\nPING\r\n',
    b'*-1\r\nPING\r\n',
    b'*x\r\n',
    b'*1x\r\n',
    b'*99999999999\r\n',
    b'*1\r\n+PING\r\n',
    b'*1\r\n$x\r\n',
    b'*1\r\n$-1\r\n',
    b'*1\r\n$536870913\r\n',
    b'*1\r\n$99999999999999999999\r\n',
    b'*2\r\n$4\r\nECHO\r\n$0\r\n\r\n',
    b'*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n',
    b'*3\r\n$3\r\nSET\r\n$1\r\nz\r\n$3\r\n\x00\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nz\r\n',
    b'*01\r\n$4\r\nPING\r\n',
    b'*+1\r\n',
    b'* 1\r\n',
    b'*1\r\n$04\r\nPING\r\n',
    b'QUIT\r\nPING\r\n',
    b'*1\r\n$4\r\nQUIT\r\nPING\r\n',
    b'GET\r\nGET a b\r\n',
]


def normal(words, reply):
    name = words[0].upper()
    if isinstance(reply, list):
        if name in UNORDERED:
            return sorted(reply)
        if name == "HGETALL":
            return sorted(zip(reply[::2], reply[1::2]))
        if name == "SCAN" and len(reply) == 2:
            return sorted(reply[1])
    return reply


def words_of(command):
    import shlex
    lexer = shlex.shlex(command, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""
    return list(lexer)


def check(problems, words, ours, real):
    ours, real = normal(words, ours), normal(words, real)
    if ours != real and type(ours) is type(real) is int and words[0].upper() in ("PTTL", "TTL"):
        if abs(ours - real) <= 1 + 1000 * (words[0].upper() == "PTTL"):
            return
    if ours != real:
        problems.append(f"{' '.join(map(str, words))}\n"
                        f"    weft-kv: {ours!r}\n    redis:   {real!r}")


def run_script(kv, redis, problems):
    count = 0
    with kv.client() as ours, redis.client() as real:
        for line in SCRIPT.strip().splitlines():
            for command in line.split(" | "):
                words = words_of(command)
                check(problems, words, ours.do(*words), real.do(*words))
                count += 1
    return count


def run_raw(kv, redis, problems):
    def converse(server, data):
        got = b""
        with server.client(timeout=0.5) as c:
            c.send_raw(data)
            if not data.startswith((b"QUIT", b"*1\r\n$4\r\nQUIT")):
                try:
                    c.send_raw(b"\r\nECHO end-of-test\r\n")
                except OSError:
                    pass
            while not got.endswith(b"$11\r\nend-of-test\r\n"):
                try:
                    more = c.sock.recv(65536)
                except ConnectionError:
                    break  # closed with our bytes unread: reset, after the same words or none
                except TimeoutError:
                    return got, "silent"
                if not more:
                    return got, "closed"
                got += more
        return got, "open" if got.endswith(b"end-of-test\r\n") else "closed"

    for data in RAW:
        ours, real = converse(kv, data), converse(redis, data)
        if ours[1] != real[1] or (ours[0] != real[0] and ours[0] and real[0]):
            problems.append(f"raw {data[:60]!r}\n    weft-kv: {ours!r}\n    redis:   {real!r}")


def run_random(kv, redis, problems, seed, count):
    """Seeded commands over few keys, so that types collide; sent as pipelines."""
    rng = random.Random(seed)
    keys = [f"k{i}" for i in range(6)]
    words = ["", "a", "b", "10", "-3", "3.25", "x" * 100, "\r\n", "9223372036854775807"]

    def command():
        k, k2, w, w2 = rng.choice(keys), rng.choice(keys), rng.choice(words), rng.choice(words)
        i, j = rng.randint(-4, 6), rng.randint(-4, 6)
        return rng.choice([
            ("SET", k, w), ("GET", k), ("SETNX", k, w), ("APPEND", k, w), ("INCR", k),
            ("DECRBY", k, i),
            ("STRLEN", k), ("DEL", k), ("TYPE", k), ("EXISTS", k, k2), ("LPUSH", k, w, w2),
            ("RPUSH", k, w), ("LPOP", k), ("RPOP", k, abs(i)), ("LRANGE", k, i, j), ("LLEN", k),
            ("LTRIM", k, i, j), ("LREM", k, i, w), ("LSET", k, i, w), ("LINDEX", k, i),
            ("HSET", k, w, w2), ("HGET", k, w), ("HDEL", k, w, w2), ("HGETALL", k), ("HLEN", k),
            ("HINCRBY", k, w, i), ("SADD", k, w, w2), ("SREM", k, w), ("SMEMBERS", k), ("SCARD", k),
            ("SISMEMBER", k, w), ("SINTER", k, k2), ("SUNION", k, k2), ("SDIFF", k, k2),
            ("RENAME", k, k2), ("RENAMENX", k, k2), ("MSET", k, w, k2, w2), ("MGET", k, k2),
            ("GETSET", k, w), ("GETDEL", k), ("PERSIST", k), ("EXPIRE", k, 1000 + i), ("KEYS", "*"),
            ("DBSIZE",), ("GETRANGE", k, i, j), ("INCRBYFLOAT", k, w), ("EXPIRE", k, -1)])

    with kv.client() as ours, redis.client() as real:
        done = 0
        while done < count and not problems:
            batch = [command() for _ in range(rng.randint(1, 40))]
            data = b"".join(kvtest.Client.encode(*c) for c in batch)
            real.send_raw(data)
            cut = rng.randint(0, len(data))  # ours comes in two pieces
            ours.send_raw(data[:cut])
            ours.send_raw(data[cut:])
            for c in batch:
                check(problems, c, ours.reply(), real.reply())
            done += len(batch)
    return done


def main():
    kvtest.need("redis-server")
    problems = []
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20240607
    with kvtest.WeftKv(sys.argv[1]) as kv, kvtest.RedisServer() as redis:
        count = run_script(kv, redis, problems)
        run_raw(kv, redis, problems)
        if not problems:
            with kv.client() as a, redis.client() as b:
                a.do("FLUSHALL"), b.do("FLUSHALL")
            count += run_random(kv, redis, problems, seed, 20000)
    for problem in problems:
        print(problem)
    print(f"{count} commands compared, seed {seed}, {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
