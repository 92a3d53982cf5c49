#!/usr/bin/env bash
# Installs the Debian packages that the tests need. Nothing here is needed to run Todoku.
#   chromium, fonts-noto-cjk: browser tests, and pages that show Japanese      g++: the power-cut shim and the load generator
#   curl: a client of the HTTP doors                        python3-boto3: the AWS doors, and handlers in Python
set -euo pipefail
packages=(chromium curl fonts-noto-cjk g++ python3-boto3)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: ${packages[*]}: all installed"
  exit 0
fi
install="apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "setup: this is no Debian; install the likes of: ${missing[*]}" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "setup: root is needed; run: sudo sh -c '$install'" >&2
  exit 1
fi
sh -c "$install"
