#!/usr/bin/env bash
# Installs the programs that some tests run: a browser for the report; dciodvfy, GDCM and Orthanc for DICOM; openssl for certificates. Debian, as root.
set -euo pipefail

present=1
for program in chromium dciodvfy gdcmconv Orthanc openssl; do
    command -v "$program" >/dev/null || present=0
done
[[ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ]] || present=0
if [[ "$present" == 1 ]]; then
    exit 0
fi
if [[ "$(id -u)" != 0 ]]; then
    echo "$0 installs Debian packages: run it as root." >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --no-install-recommends chromium dicom3tools libgdcm-tools openssl orthanc orthanc-dicomweb >/dev/null
