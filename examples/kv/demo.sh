#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weft-kv with real Redis clients: commands, load, what the scheduler does, where goroutines are.
#
#   examples/kv/demo.sh [BUILD_DIR] [--once]
#
# BUILD_DIR defaults to $WEFT_BUILD, then build/release. Runs until Ctrl-C; --once ends by itself.
set -u -o pipefail

build=${WEFT_BUILD:-build/release}
once=false
for word in "$@"; do
  case $word in
    --once) once=true ;;
    -*) echo "demo: unknown option \"$word\"; there is --once" >&2; exit 2 ;;
    *) build=$word ;;
  esac
done
server=$build/examples/weft-kv
if [ ! -x "$server" ]; then
  echo "demo: no $server; build it first: cmake --build $build --target weft-kv" >&2
  exit 1
fi
for program in redis-cli redis-benchmark; do
  if ! command -v "$program" > /dev/null; then
    echo "demo: $program is missing (Debian: apt-get install redis-tools)" >&2
    exit 1
  fi
done

bold='' dim='' blue='' off=''
if [ -t 1 ]; then
  bold=$'\e[1m' dim=$'\e[2m' blue=$'\e[34m' off=$'\e[0m'
fi
title() { printf '\n%s%s%s\n' "$bold$blue" "== $1" "$off"; }

work=$(mktemp -d)
pid=
end() {
  trap - EXIT INT TERM
  if [ -n "$pid" ] && kill -TERM "$pid" 2> /dev/null; then
    wait "$pid"
    printf '\n%sserver ended with %d%s\n' "$dim" $? "$off"
  fi
  rm -rf "$work"
}
trap end EXIT
trap 'exit 0' INT TERM

title "weft-kv"
WEFT_DEBUG=schedtrace=1000 "$server" --port 0 > "$work/out" 2> "$work/trace" &
pid=$!
for _ in $(seq 100); do
  grep -q ready "$work/out" && break
  kill -0 "$pid" 2> /dev/null || { cat "$work/trace" >&2; exit 1; }
  sleep 0.05
done
port=$(sed -n 's/.*ready on .*:\([0-9]*\)$/\1/p' "$work/out")
printf 'a Redis-compatible server, one goroutine per client, on 127.0.0.1:%s (process %s)\n' \
  "$port" "$pid"
# Where programs that link weft::debughttp have their door by default.
door=/tmp/weft-$(id -u)/$pid.sock
[ -n "${XDG_RUNTIME_DIR:-}" ] && door=$XDG_RUNTIME_DIR/weft/$pid.sock
if [ -S "$door" ]; then
  printf 'for operators: curl --unix-socket %s http://weft/debug/goroutines\n' "$door"
fi

title "redis-cli"
cli() {
  printf '%s$ redis-cli %s%s\n' "$dim" "$*" "$off"
  redis-cli -p "$port" "$@" || exit 1
}
cli SET greeting "hello from a goroutine"
cli GET greeting
cli LPUSH list one two three
cli LRANGE list 0 -1
cli HSET user:1 name Ada born 1815
cli HGETALL user:1
cli INCRBY visits 41
cli SET short-lived x PX 20
cli LPUSH greeting x

# One line per test, rewritten while it runs on a terminal.
load() {
  local name=$1
  shift
  if [ -t 1 ]; then
    redis-benchmark -p "$port" -c 50 -r 10000 -q "$@"
  else
    redis-benchmark -p "$port" -c 50 -r 10000 -q "$@" | tr '\r' '\n' |
      sed -n '/per second/s/^ */  /p'
  fi || { echo "demo: redis-benchmark failed ($name)" >&2; exit 1; }
}
title "redis-benchmark: 50 clients, one request at a time"
load "P 1" -P 1 -n 60000 -t set,get
title "redis-benchmark: 50 clients, 16 requests in flight each"
load "P 16" -P 16 -n 600000 -t set,get,incr

title "what the scheduler was doing (WEFT_DEBUG=schedtrace=1000)"
tail -n 4 "$work/trace"
redis-cli -p "$port" INFO weft | tr -d '\r' | grep ':'

title "where goroutines are (DEBUG GOROUTINES, with a client blocked in BLPOP)"
redis-cli -p "$port" BLPOP nothing 3 > /dev/null &
blocked=$!
for _ in $(seq 50); do
  redis-cli -p "$port" DEBUG GOROUTINES > "$work/dump"
  grep -q blocking_pop "$work/dump" && break
  sleep 0.02
done
grep -A 7 '^goroutine' "$work/dump" | grep -v '^--' | cut -c 1-140 | head -n 40
redis-cli -p "$port" LPUSH nothing something > /dev/null
wait "$blocked"

if $once; then
  title "done"
  exit 0
fi
title "still running: redis-cli -p $port; Ctrl-C ends it"
tail -n 0 -f "$work/trace" &
tail_pid=$!
wait "$pid"
kill "$tail_pid" 2> /dev/null
exit 0
