#!/bin/sh
# Brings .venv to the state of the locks. Usage: requirements/install.sh run|dev|fuzz
# Needs Python 3.11 or newer with its venv module; all else comes from the package registries that pip is configured with.
set -eu
cd "$(dirname "$0")/.."
profile=$1

find_python() {
    found=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        found=$candidate
        "$candidate" -c 'import ensurepip, venv' 2>/dev/null && echo "$candidate" && return
    done
    if [ -n "$found" ]; then
        echo "$found has no venv module. Install the Debian package python3-venv, then try again." >&2
    else
        echo "No Python 3.11 or newer was found. Install the Debian packages python3 and python3-venv, or set PYTHON." >&2
    fi
    exit 2
}

# An environment that was moved, or whose Python was replaced, is made anew.
origin() {
    echo "$PWD $(.venv/bin/python -c 'import sys; print(sys.base_prefix, sys.version_info[:2])' 2>/dev/null)"
}

if [ ! -f .venv/origin ] || [ "$(cat .venv/origin)" != "$(origin)" ]; then
    python=$(find_python) || exit 2
    rm -rf .venv
    "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        -r requirements/bootstrap.txt
    origin >.venv/origin
fi

# uv reads neither pip's configuration nor its variables, so hand on where packages come from and whom to trust.
pip_setting() {
    .venv/bin/python -m pip config get "global.$1" 2>/dev/null || true
}
: "${UV_DEFAULT_INDEX:=${PIP_INDEX_URL:-$(pip_setting index-url)}}"
: "${UV_FIND_LINKS:=${PIP_FIND_LINKS:-$(pip_setting find-links)}}"
: "${SSL_CERT_FILE:=${PIP_CERT:-$(pip_setting cert)}}"
[ -z "$UV_DEFAULT_INDEX" ] || export UV_DEFAULT_INDEX
[ ! -d "$UV_FIND_LINKS" ] || export UV_FIND_LINKS
[ -z "$SSL_CERT_FILE" ] || export SSL_CERT_FILE
export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"
export VIRTUAL_ENV="$PWD/.venv"

locks=requirements/base.txt
[ "$profile" = run ] || locks="$locks requirements/test.txt requirements/check.txt"
[ "$profile" != fuzz ] || locks="$locks requirements/fuzz.txt"

# Whatever breaks half-way must be done again.
rm -f .venv/installed-*
# shellcheck disable=SC2086  # a list of files
.venv/bin/uv pip sync --quiet --require-hashes --only-binary :all: $locks
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
