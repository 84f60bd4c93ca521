#!/bin/sh
# Installs real client libraries of Storm's multilang protocol for the tests, into target/clients. Quick where they are there already.
set -eu
cd "$(dirname "$0")/.."
sh tests/tools.sh

home=target/clients
stamp="$home/installed-$(cat tests/clients.sh tests/clients/fetch.py | cksum | tr -d ' ')"
mkdir -p "$home"
exec 9>"$home/lock"
python3 -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
[ -e "$stamp" ] && exit 0

failed() {
    echo "the tests of Storm's client libraries need $1, and it could not be installed: see above" >&2
    exit 1
}

echo "installing Storm's client libraries into $home"
rm -rf "$home"/installed-* "$home/storm" "$home/storm-0.9.3" "$home/storm-0.9.2" "$home/python" "$home/node"

# Storm's own, from its jars: the current ones, and the first of two older generations.
maven=https://repo1.maven.org/maven2/org/apache/storm
for language in python javascript ruby; do
    python3 tests/clients/fetch.py "$maven/multilang-$language/2.8.2/multilang-$language-2.8.2.jar" "$home/storm" ||
        failed "storm.py, storm.js and storm.rb from Maven Central"
done
for version in 0.9.3 0.9.2-incubating; do
    python3 tests/clients/fetch.py "$maven/storm-starter/$version/storm-starter-$version.jar" "$home/storm-${version%-*}" ||
        failed "storm-starter from Maven Central"
done

# From PyPI. pyleus is built by a setup script that needs an older setuptools.
python3 -m venv "$home/python"
pip="$home/python/bin/pip --disable-pip-version-check --quiet"
$pip install 'setuptools<70' wheel &&
    $pip install pystorm==3.1.4 streamparse==5.0.1 'msgpack>=1' &&
    $pip install --no-build-isolation --no-deps pyleus==0.3.0 petrel==1.0.3.0.3.post1 ||
    failed "pystorm, streamparse, pyleus and Petrel from PyPI"

# From npm.
mkdir -p "$home/node"
npm install --prefix "$home/node" --no-audit --no-fund --ignore-scripts --loglevel=error node-storm@0.0.1 storm-stream@1.0.0 >/dev/null ||
    failed "node-storm and storm-stream from npm"

touch "$stamp"
