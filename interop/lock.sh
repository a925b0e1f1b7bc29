#!/usr/bin/env bash
# Locks what the SDKs bring along: after a change of requirements.in or package.json. Needs the network.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
python3 -m venv .work/lock
.work/lock/bin/pip install --quiet pip-tools
.work/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
    --no-emit-index-url --no-emit-find-links --output-file requirements.txt requirements.in
rm -rf .work/lock
# Versions and checksums only: the address of the registry is each machine's own matter.
npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
