#!/usr/bin/env bash
# Installs the programs that some tests run: a browser for the report, dciodvfy to validate DICOM. Debian, as root.
set -euo pipefail

if command -v chromium >/dev/null && command -v dciodvfy >/dev/null; then
    exit 0
fi
if [[ "$(id -u)" != 0 ]]; then
    echo "$0 installs Debian packages: run it as root." >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --no-install-recommends chromium dicom3tools >/dev/null
