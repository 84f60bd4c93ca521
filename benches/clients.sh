#!/bin/sh
# Client libraries of Storm's beside the scripts that use them, and orjson, in target/bench. Quick where they are there already.
set -eu
cd "$(dirname "$0")/.."
sh tests/clients.sh

home=target/bench
scripts=tests/clients/scripts
mkdir -p "$home/storm-py" "$home/storm-js" "$home/streamparse"
cp "$scripts/storm-py/split.py" target/clients/storm/storm.py "$home/storm-py"
cp "$scripts/storm-js/split.js" target/clients/storm/storm.js "$home/storm-js"
cp "$scripts/streamparse/src/bolts/split.py" "$home/streamparse"
if [ ! -e "$home/orjson/ready" ]; then
    python3 -m venv "$home/orjson"
    "$home/orjson/bin/pip" --disable-pip-version-check --quiet install orjson
    touch "$home/orjson/ready"
fi
