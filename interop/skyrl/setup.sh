#!/bin/sh
# Installs SkyRL's Tinker server (JAX on CPU) into a virtual environment of its own: setup.sh [FOLDER]
# The interop tests look in BREAKWATER_SKYRL_PYTHON, then in FOLDER's default.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-"${XDG_CACHE_HOME:-$HOME/.cache}/breakwater/skyrl"}
python=${PYTHON:-python3}
stamp="$venv/installed-$(cksum < "$here/requirements.txt" | cut -d ' ' -f 1)"
if [ -e "$stamp" ]; then
  echo "$venv/bin/python"
  exit 0
fi
"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps skyrl==0.3.0
touch "$stamp"
echo "$venv/bin/python"
