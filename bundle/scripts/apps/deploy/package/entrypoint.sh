#!/bin/sh
# Holoscan's own script shows and extracts what the package holds. It drops the application's exit code, and gets its signals: so the
# application takes the place of this script, once the package's files are found to be whole.
case "${1:-}" in
    show | env | extract | help) exec /var/holoscan/tools "$@" ;;
esac
if ! (cd "$(dirname "$0")" && sha256sum --check --quiet SHA256SUMS) >&2; then
    echo "The package's files are not those of its SHA256SUMS: it is damaged, or another model lies over its own. Nothing was run." >&2
    exit 1
fi
exec python3 "${HOLOSCAN_APPLICATION}" "$@"
