#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shop: three services that call each other, real requests, load, a deadline that runs out.
#
#   examples/shop/demo.sh [BUILD_DIR] [--once] [--tls]
#
# BUILD_DIR defaults to $WEFT_BUILD, then build/release. Runs until Ctrl-C; --once ends by itself;
# --tls: the services speak TLS, with a certificate made for the day.
# WEFT_SHOP_DSN="host=... dbname=..." keeps the books in PostgreSQL instead of SQLite.
set -u -o pipefail

build=${WEFT_BUILD:-build/release}
once=false tls=false
for word in "$@"; do
  case $word in
    --once) once=true ;;
    --tls) tls=true ;;
    -*) echo "demo: unknown option \"$word\"; there are --once and --tls" >&2; exit 2 ;;
    *) build=$word ;;
  esac
done
shop=$build/examples/weft-shop
load=$build/tools/weft-load
for program in "$shop" "$load"; do
  if [ ! -x "$program" ]; then
    echo "demo: no $program; build it first: cmake --build $build --target ${program##*/}" >&2
    exit 1
  fi
done
if ! command -v curl > /dev/null; then
  echo "demo: curl is missing (Debian: apt-get install curl)" >&2
  exit 1
fi

bold='' dim='' blue='' off=''
if [ -t 1 ]; then
  bold=$'\e[1m' dim=$'\e[2m' blue=$'\e[34m' off=$'\e[0m'
fi
title() { printf '\n%s%s%s\n' "$bold$blue" "== $1" "$off"; }

work=$(mktemp -d)
certificate='' key=''
trust=() insecure=()
if $tls; then
  certificate=$work/certificate.pem key=$work/key.pem
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \
    -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
    -out "$certificate" -keyout "$key" 2> /dev/null || exit 1
  trust=(--cacert "$certificate") insecure=(--insecure)
fi
declare -A pid url door
end() {
  trap - EXIT INT TERM
  local name
  for name in gateway risk ledger; do
    if [ -n "${pid[$name]:-}" ] && kill -TERM "${pid[$name]}" 2> /dev/null; then
      wait "${pid[$name]}"
      printf '%s%s ended with %d%s\n' "$dim" "$name" $? "$off"
    fi
  done
  rm -rf "$work"
}
trap end EXIT
trap 'exit 0' INT TERM

# The services read it again whenever it changes; a rename makes the change one step.
settings() { # DEADLINE_MS THINK_US
  cat > "$work/new" <<JSON
{
  "gateway": {
    "listen": "127.0.0.1:0",
    "risk_url": "${url[risk]:-}",
    "ledger_url": "${url[ledger]:-}",
    "deadline_ms": $1
  },
  "risk": {"listen": "127.0.0.1:0", "think_us": $2},
  "ledger": {
    "listen": "127.0.0.1:0",
    "sqlite_path": "$work/ledger.sqlite",
    "postgres_dsn": "${WEFT_SHOP_DSN:-}"
  },
  "tls": {"certificate_file": "$certificate", "key_file": "$key", "ca_file": "$certificate"}
}
JSON
  mv "$work/new" "$work/shop.json"
}

start() { # NAME
  "$shop" --config "$work/shop.json" "$1" > "$work/$1.out" 2> "$work/$1.err" &
  pid[$1]=$!
  for _ in $(seq 100); do
    grep -q ready "$work/$1.out" && break
    kill -0 "${pid[$1]}" 2> /dev/null || break
    sleep 0.05
  done
  url[$1]=$(sed -n 's/.*ready on \(http.*\)$/\1/p' "$work/$1.out")
  if [ -z "${url[$1]}" ]; then
    echo "demo: $1 did not start" >&2
    cat "$work/$1.out" "$work/$1.err" >&2
    exit 1
  fi
  printf '%-8s %s  (process %s)\n' "$1" "${url[$1]}" "${pid[$1]}"
  # Where programs that link weft::debughttp have their door by default.
  door[$1]=/tmp/weft-$(id -u)/${pid[$1]}.sock
  [ -n "${XDG_RUNTIME_DIR:-}" ] && door[$1]=$XDG_RUNTIME_DIR/weft/${pid[$1]}.sock
}

title "three services"
url[risk]=http://127.0.0.1:1 url[ledger]=http://127.0.0.1:1 # until they are known
settings 1000 0
start ledger
start risk
settings 1000 0
start gateway
grep books "$work/ledger.out"

title "orders"
ask() { # LABEL CURL-ARGUMENT...
  printf '%s%s%s\n  ' "$dim" "$1" "$off"
  shift
  curl -s -m 10 "${trust[@]}" -w '  %{http_code}, %{time_total} s\n' "$@" || exit 1
}
order() { # LABEL JSON CURL-ARGUMENT...
  local label=$1 body=$2
  shift 2
  ask "$label" "$@" -d "$body" "${url[gateway]}/v1/orders"
}
kettle='{"customer":"ada","items":[{"sku":"kettle","quantity":2,"unit_price_cents":1999}]}'
order "an order" "$kettle" -H 'Idempotency-Key: 1'
order "the same order again: the money moves once" "$kettle" -H 'Idempotency-Key: 1'
order "a large one: a person looks at it" \
  '{"customer":"ada","items":[{"sku":"piano","unit_price_cents":400000}]}'
order "too large" '{"customer":"ada","items":[{"sku":"house","unit_price_cents":40000000}]}'
order "not an order" '{"customer":"ada","items":[{"sku":"kettle","quantity":"two"}]}'
ask "what is left" "${url[gateway]}/v1/customers/ada"

title "load: 64 connections, each order crosses three services"
"$load" "${insecure[@]}" -c 64 -d 5s -H 'Content-Type: application/json' \
  --body '{"customer":"grace","items":[{"sku":"tea","quantity":1,"unit_price_cents":499}]}' \
  "${url[gateway]}/v1/orders" || { echo "demo: the load failed" >&2; exit 1; }

title "a deadline of 200 ms, a risk model that thinks for 3 s (settings changed while they run)"
reloads() {
  curl -s -m 5 "${trust[@]}" "${url[gateway]}/stats" |
    sed 's/.*"settings_reloaded":\([0-9]*\).*/\1/'
}
before=$(reloads)
settings 200 3000000
for _ in $(seq 100); do
  [ "$(reloads)" -gt "$before" ] && break
  sleep 0.05
done
order "an order" "$kettle"
settings 1000 0

title "what the gateway has counted"
curl -s -m 10 "${trust[@]}" "${url[gateway]}/stats" |
  sed 's/[{}]//g; s/,"/\n"/g' | sed 's/^"\(.*\)":/  \1 /'
echo

title "what its goroutines do (curl --unix-socket ${door[gateway]} http://weft/debug/goroutines)"
curl -s -m 10 --unix-socket "${door[gateway]}" http://weft/debug/goroutines | head -n 14

if $once; then
  title "done"
  exit 0
fi
title "still running: try $load ${url[gateway]}/healthz; Ctrl-C ends it"
wait "${pid[gateway]}"
exit 0
