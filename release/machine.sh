#!/bin/sh
# What the Makefile needs of the machine. As root on Debian or Ubuntu it installs what is missing; elsewhere it prints
# the one line that does.
#
#   machine.sh python              prints the first fit Python: 3.13, 3.12, 3.11, else a python3 that is new enough
#   machine.sh need venv PYTHON    PYTHON can make virtual environments
#   machine.sh need compiler       a C compiler, for the servers of the tests
#   machine.sh need wrk            wrk, which the bench loads HTTP with
set -eu

fail() {
    echo "make: $*" >&2
    exit 1
}

# A version manager's shim may be on PATH for a Python that is not installed: only running it tells.
fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 on PATH; install one with: sudo apt-get install python3 python3-venv"
}

install() {
    what=$1
    shift
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "$what is missing; install it with: sudo apt-get install $*"
    fi
    echo "make: installing $*" >&2
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update && apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        fail "$what could not be installed; see above"
    fi
    rm -f "$log"
}

need_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    install "the venv module of Python $version" "python$version-venv"
}

need_compiler() {
    command -v gcc >/dev/null && [ -e "$(gcc -print-file-name=libc.a)" ] && return
    install "a C compiler" gcc libc6-dev
}

need_wrk() {
    command -v wrk >/dev/null && return
    install "wrk" wrk
}

case "$*" in
    python) find_python ;;
    "need venv "*) need_venv "$3" ;;
    "need compiler") need_compiler ;;
    "need wrk") need_wrk ;;
    *) fail "machine.sh does not know: $*" ;;
esac
