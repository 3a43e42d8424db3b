#!/bin/sh
# Pins the dependencies of pyproject.toml: `lock.sh PYTHON`. Its locks hold the hashes of every wheel of each version, and
# no address: where packages come from is the business of whoever installs them.
set -eu

folder=.build/lock
"$1" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --upgrade uv
pin="$folder/bin/uv pip compile --quiet --generate-hashes --no-annotate --no-header --no-emit-index-url --upgrade"

# No markers in what goes into the zipapp: pip would judge them by the building Python. On all platforms and Pythons we
# build for, the set is the same.
$pin pyproject.toml --python-version 3.11 --python-platform x86_64-manylinux_2_28 --output-file requirements.txt
for version in 3.12 3.13; do
    $pin pyproject.toml --python-version "$version" --python-platform aarch64-apple-darwin --output-file "$folder/$version.txt"
    cmp requirements.txt "$folder/$version.txt"
done

everywhere="--universal --python-version 3.11 --no-emit-package pywin32 --no-emit-package colorama"
$pin pyproject.toml --extra dev --constraint requirements.txt $everywhere --output-file requirements-dev.txt
echo shiv | $pin - --constraint requirements-dev.txt $everywhere --output-file requirements-build.txt
# 3.1 has no wheel for Python 3.11, and building it takes clang.
echo "atheris<3.1" | $pin - --constraint requirements-dev.txt $everywhere --output-file requirements-fuzz.txt
