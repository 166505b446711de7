#!/bin/bash
# Sets up a node of Azure Batch: the pyveg that the user has, in a Python environment of its own.
#
#   bash batch_commands.sh setup DIGEST
#
# Runs in the folder with the wheels, once per node (a start task, or the preparation task of a
# job), and may run again: an environment of that digest that is complete is left as it is. Tasks
# then run <environment>/bin/pyveg_run_module.
#
# PYVEG_ENVIRONMENTS  where environments are kept, else $AZ_BATCH_NODE_SHARED_DIR/pyveg
# PYVEG_PYTHON        the Python to make them with, else one of 3.11 or newer is looked for
set -euo pipefail

root=${PYVEG_ENVIRONMENTS:-${AZ_BATCH_NODE_SHARED_DIR:?this runs on a node of Azure Batch}/pyveg}

# Whether a Python is new enough and can make environments.
suits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local name
    for name in "${PYVEG_PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        if [ -n "$name" ] && suits "$name"; then
            command -v "$name"
            return
        fi
    done
    fetch_python
}

# Systems with an older Python: uv brings a newer one.
fetch_python() {
    echo "no Python of 3.11 or newer here; fetching one" >&2
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        apt-get update -q >&2
        apt-get install -qy python3-venv >&2
    fi
    python3 -m venv "$root/uv"
    "$root/uv/bin/pip" install -q uv >&2
    export UV_PYTHON_INSTALL_DIR="$root/python"
    "$root/uv/bin/uv" python install -q 3.12 >&2
    "$root/uv/bin/uv" python find 3.12
}

install_into() {
    local pip="$1/bin/python -m pip --disable-pip-version-check"
    if ! $pip install --no-input -q -r requirements.txt -c constraints.txt; then
        echo "the versions of constraints.txt cannot be had for this Python; trying others" >&2
        $pip install --no-input -q -r requirements.txt
    fi
}

# Compile the kernels once, so that no Task has to.
warm_up() {
    NUMBA_CACHE_DIR="$1/numba" "$1/bin/python" -c '
import numpy
from pyveg.kernels.centrality import feature_vector
feature_vector(numpy.ones((50, 50), dtype=bool))
feature_vector(numpy.ones((50, 50), dtype=bool), diagonal=True)'
}

setup() {
    local environment="$root/$1" python
    mkdir -p "$root"
    python=$(find_python)
    exec 9>"$root/$1.lock"
    # The lock stays with this shell's file 9 when Python has ended. macOS has no command for it.
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    if [ -e "$environment/complete" ]; then
        echo "pyveg $1 is here already"
        return
    fi
    rm -rf "$environment"
    "$python" -m venv "$environment"
    install_into "$environment"
    mkdir -p "$environment/numba"
    warm_up "$environment"
    chmod -R a+rX "$environment"
    chmod -R a+rwX "$environment/numba"
    touch "$environment/complete"
    echo "pyveg $1 is installed"
}

case "${1:-}" in
    setup) setup "${2:?the digest of the packages is missing}" ;;
    *)
        echo "usage: batch_commands.sh setup DIGEST" >&2
        exit 2
        ;;
esac
