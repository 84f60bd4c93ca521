#!/bin/sh
# Builds the packages of the SDKs into the folder that is named, or target/packages: wheel, sdist, npm tarball.
# The tools for that, and for the tests of the packages, are kept in target/sdk-tools and fetched where they are missing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
out=${1:-$root/target/packages}
tools=${2:-$root/target/sdk-tools}
mkdir -p "$out" "$tools"
out=$(cd "$out" && pwd)
tools=$(cd "$tools" && pwd)

# A list of what is wanted stands behind a complete installation, so half of one is not taken for it.
python_tools="build==1.2.2 setuptools>=77,<81 mypy>=1.14,<1.20 pytest>=8,<9"
node_tools="typescript@5.9 @types/node@20"

if [ "$(cat "$tools/python.done" 2>/dev/null)" != "$python_tools" ]; then
    rm -rf "$tools/venv"
    python3 -m venv "$tools/venv"
    # shellcheck disable=SC2086
    "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check $python_tools
    echo "$python_tools" >"$tools/python.done"
fi
if [ "$(cat "$tools/node.done" 2>/dev/null)" != "$node_tools" ]; then
    rm -rf "$tools/node"
    mkdir -p "$tools/node"
    # shellcheck disable=SC2086
    npm install --silent --no-audit --no-fund --prefix "$tools/node" $node_tools
    echo "$node_tools" >"$tools/node.done"
fi

# Builds leave folders behind; the sources stay as they are.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
rm -f "$out"/galewire-*
cp -R "$here/python" "$copy/python"
"$tools/venv/bin/python" -m build --no-isolation --outdir "$out" "$copy/python" >"$copy/build.log" 2>&1 || {
    cat "$copy/build.log" >&2
    exit 1
}
(cd "$here/node" && npm pack --silent --pack-destination "$out" >/dev/null)
ls "$out"
