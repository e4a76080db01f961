#!/bin/sh
# Makes the environment of the benchmark's peers in the folder that is named, outside the sources, where it is not there
# yet: a Python environment with NumPy, opt_einsum and PyTorch (several gigabytes: the index has no smaller one), and
# the Rust crate cpueinsum in a Cargo project of its own. Each comes as pip and cargo are configured on this machine.
#
#   sh setup.sh FOLDER
#
# Prints one line for each peer, fields parted by tabs: its name and its program; or its name, nothing, and why it is
# left out. A peer that cannot be had is no failure.
#
#   BENCHMARK_PYTHON  the Python that makes the environment (python3)
#   BENCHMARK_JULIA   a newer Julia that has TensorOperations and OMEinsum, arguments as --project=… included (none)
set -u
sources=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
mkdir -p "$1"
folder=$(CDPATH='' cd -- "$1" && pwd -P)
tab=$(printf '\t')

peer() { printf '%s\t%s\n' "$1" "$2"; }
skip() { printf '%s\t\t%s\n' "$1" "$2"; }

# once NAME COMMAND...: runs the command, with its output in NAME.log, unless it succeeded in an earlier run.
once() {
    [ ! -e "$folder/$1.done" ] || return 0
    echo "benchmark: making $folder/$1 (see $1.log)" >&2
    name=$1
    shift
    "$@" > "$folder/$name.log" 2>&1 && : > "$folder/$name.done"
}

python=$folder/python/bin/python
pip() { "$python" -m pip --disable-pip-version-check "$@"; }
numpy() { "${BENCHMARK_PYTHON:-python3}" -m venv --clear "$folder/python" && pip install numpy opt_einsum; }
torch() { pip install torch && "$python" -c 'import torch'; }
# A crate may want a newer Rust than the engine does, and then a nightly toolchain may do.
cpueinsum() {
    mkdir -p "$folder/cpueinsum.project" && cp -R "$sources/cpueinsum/." "$folder/cpueinsum.project" &&
        cd "$folder/cpueinsum.project" || return 1
    cargo build --release || { command -v rustup && rustup run nightly cargo build --release; }
}

if once numpy numpy; then
    peer numpy "$python $sources/python.py numpy"
    if once torch torch; then
        peer torch "$python $sources/python.py torch"
    else
        skip torch "it could not be installed: $folder/torch.log"
    fi
else
    skip numpy "no Python environment could be made: $folder/numpy.log"
    skip torch "no Python environment could be made: $folder/numpy.log"
fi

if once cpueinsum cpueinsum; then
    peer cpueinsum "$folder/cpueinsum.project/target/release/peer"
else
    skip cpueinsum "it could not be built: $folder/cpueinsum.log"
fi

# Another Julia with another depot: the variables of the one that runs the benchmark would lead it to the wrong files
# (an unpacked Julia 1.5 says in JULIA_BINDIR where it is).
julia="env -u JULIA_BINDIR -u JULIA_DEPOT_PATH -u JULIA_LOAD_PATH -u JULIA_PROJECT"
julia="$julia ${BENCHMARK_JULIA:-} --startup-file=no"
for package in TensorOperations OMEinsum; do
    if [ -z "${BENCHMARK_JULIA:-}" ]; then
        skip $package "BENCHMARK_JULIA names no Julia that has it"
    elif $julia -e "using $package" > "$folder/$package.log" 2>&1; then
        peer $package "$julia $sources/julia.jl $package"
    else
        skip $package "it does not load: $folder/$package.log"
    fi
done
