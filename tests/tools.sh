#!/bin/sh
# Installs what the tests need and this machine lacks. Debian and its relatives only; elsewhere it says what is missing.
set -eu

need=""
have() { command -v "$1" >/dev/null 2>&1; }
have python3 || need="$need python3"
have node || need="$need nodejs"
have npm || need="$need npm"
python3 -c 'import ensurepip, venv' 2>/dev/null || need="$need python3-venv"
perl -MJSON::PP -e 1 2>/dev/null || need="$need perl"
have cc || need="$need gcc libc6-dev"
have npm || need="$need npm"
have ruby || need="$need ruby"
have php || need="$need php-cli"
have perl || need="$need perl"
python3 -c "import ensurepip, venv" 2>/dev/null || need="$need python3-venv"

if [ -n "$need" ]; then
    if ! have apt-get; then
        echo "the tests need:$need (install them and try again)" >&2
        exit 1
    fi
    echo "installing:$need"
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $need
fi

have cargo || {
    echo "the tests need Rust 1.90 or newer: https://rustup.rs" >&2
    exit 1
}
