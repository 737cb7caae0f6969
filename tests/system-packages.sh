#!/usr/bin/env bash
# Debian packages that some tests drive. Tests whose program is absent are skipped, and say so.
set -u
wanted=(rclone)

missing=()
for program in "${wanted[@]}"; do
  command -v "$program" >/dev/null || missing+=("$program")
done
[ ${#missing[@]} -eq 0 ] && exit 0

skipped() {
  echo "system packages: ${missing[*]} not installed ($1); the tests that need them are skipped"
  exit 0
}

command -v apt-get >/dev/null || skipped "no apt-get here"
[ "$(id -u)" -eq 0 ] || skipped "not root"

export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1; }
# A fresh machine may hold no package lists, or old ones: fetch them only when the first try fails.
install || { apt-get update -qq >/dev/null 2>&1; install; } || skipped "apt-get could not install them"
