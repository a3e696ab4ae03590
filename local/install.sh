#!/bin/sh
# Makes .venv and installs pinned requirements into it: `PYTHON=python3 sh local/install.sh <stamp> <requirements>…`.
# A shell script, because it runs before there is a Python that is known to be new enough.
set -u

stamp=$1
shift

trouble() {
    echo "$1" >&2
    exit 2
}

# Two stacks that start from one checkout install one after the other.
mkdir -p .venv 2>/dev/null && [ -w .venv ] || trouble "Cannot write to $(pwd)/.venv: no permission."
exec 9>.venv/install.lock
if command -v flock >/dev/null; then flock 9; fi

content=$(cat "$@" | cksum)
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$content" ]; then
    touch "$stamp" # only the files' times have changed
    exit 0
fi

if ! .venv/bin/python -c '' 2>/dev/null; then
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
    case $version in
    3.1[1-9] | 3.[2-9][0-9]) ;;
    "") trouble "$PYTHON does not run. Live Validation needs Python 3.11 or newer: make run PYTHON=python3.12" ;;
    *) trouble "$PYTHON is Python $version, and Live Validation needs 3.11 or newer: make run PYTHON=python3.12" ;;
    esac
    echo "  making .venv with Python $version"
    said=$("$PYTHON" -m venv .venv 2>&1) ||
        trouble "$PYTHON -m venv failed (on Debian and Ubuntu: apt install python3-venv): $(echo "$said" | head -n 1)"
fi

echo "  installing $* (once)"
for file in "$@"; do set -- "$@" -r "$file"; shift; done
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes "$@" ||
    trouble "pip could not install the requirements (the first start needs a network)."
printf '%s\n' "$content" >"$stamp"
