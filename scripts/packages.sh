# SPDX-License-Identifier: Apache-2.0
# Sourced by dev and .ci/run: need GROUP... installs what is missing of the groups in
# scripts/packages, and says what it does.

need() {
  local group line package missing=() as_root=()
  for group in "$@"; do
    line=$(sed -n "s/^$group: //p" "$weft_root/scripts/packages")
    [ -n "$line" ] || { echo "dev: scripts/packages has no group \"$group\"" >&2; return 1; }
    command -v dpkg-query >/dev/null || continue
    for package in $line; do
      [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
        missing+=("$package")
    done
  done
  if ! command -v dpkg-query >/dev/null; then
    echo "dev: not a Debian system: install by hand what scripts/packages lists for: $*" >&2
    return 0
  fi
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "dev: installing ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "dev: neither root nor sudo: run as root: apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  # The lists of a fresh image are empty or old; only then is an update worth its time.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return 0
  if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; }; then
    echo "dev: could not install: ${missing[*]}" >&2
    return 1
  fi
}
