#!/usr/bin/env bash
# Compares Martlet with DuckDB on random queries; see differential.py for the options.
#
#     tools/differential/run.sh [--queries N] [--seed S]
#
# DuckDB comes from PyPI into .build/venv. MARTLET_DIFFERENTIAL names a built runner; otherwise the debug one is built.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ! -x .build/venv/bin/python ]]; then python3 -m venv .build/venv; fi
if ! .build/venv/bin/python -c "import duckdb" 2>/dev/null; then
    .build/venv/bin/pip install --quiet --disable-pip-version-check "duckdb>=1.4"
fi

program="${MARTLET_DIFFERENTIAL:-}"
if [[ -z "$program" ]]; then
    swift build --product MartletDifferential >&2
    program="$(swift build --show-bin-path)/MartletDifferential"
fi
exec .build/venv/bin/python tools/differential/differential.py --program "$program" "$@"
