#!/bin/sh
# Makes what the tests of files need in the folder that is named, where it is not there yet: Debian's HDF5, unpacked,
# and a Python environment with h5py, which reads what we write, writes what we read, and brings a newer HDF5 of its
# own.
#
#   sh deps/hdf5.sh FOLDER
#
# Prints one line for each, fields parted by tabs: `debian` and the path of the library; `h5py` and the Python;
# `bundled` and the path of h5py's library. Or the name, nothing, and why it could not be had.
#
#   TENSOROXIDE_PYTHON  the Python that makes the environment (python3)
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
mkdir -p "$1"
folder=$(CDPATH='' cd -- "$1" && pwd -P)
tab=$(printf '\t')
say() { echo "hdf5: $*" >&2; }
. "$root/deps/debian.sh"

found() { printf '%s\t%s\n' "$1" "$2"; }
missing() { printf '%s\t\t%s\n' "$1" "$2"; }

# once NAME COMMAND...: runs the command, with its output in NAME.log, unless it succeeded in an earlier run.
once() {
    [ ! -e "$folder/$1.done" ] || return 0
    name=$1
    say "making $folder/$name (see $name.log)"
    shift
    ("$@") > "$folder/$name.log" 2>&1 && : > "$folder/$name.done"
}

# The library with all that it needs but the C library. The folder is known to no loader: a library of nothing but a
# dependence, and the place where that and what it needs is, stands for it.
library=$folder/debian/libhdf5.so
debian_hdf5() {
    debian || { echo "not a Debian machine"; return 1; }
    place=$folder/debian
    debian_unpack "$release" "$place" 'libc6|libgcc-s1|libcrypt1|gcc-[0-9]+-base|debconf|perl-base|tar|dpkg' \
        libhdf5-103-1 || return 1
    libraries=$place/usr/lib/$triplet
    echo 'int tensoroxide_stands_for_hdf5;' > "$place/empty.c"
    ${CC:-cc} -shared -fPIC -o "$library" "$place/empty.c" -Wl,--no-as-needed \
        -Wl,--disable-new-dtags,-rpath,"$libraries" -Wl,--allow-shlib-undefined \
        "$libraries/libhdf5_serial.so.103"
}

# The machine's Python; where there is none, or one that makes no environments, Debian's, unpacked.
python=$folder/python/bin/python
h5py() {
    if "${TENSOROXIDE_PYTHON:-python3}" -m venv --clear "$folder/python"; then target=; else
        debian_python || return 1
        target="--target $place/site"
    fi
    # One word or none.
    # shellcheck disable=SC2086
    "$python" -m pip --disable-pip-version-check --retries 1 --timeout 20 install $target 'h5py>=3.10' &&
        "$python" -c 'import h5py'
}
debian_python() {
    debian || return 1
    place=$folder/python
    debian_unpack "$release" "$place" 'libc6|libgcc-s1|libcrypt1|gcc-[0-9]+-base|debconf|perl-base|tar|dpkg' \
        python3-pip || return 1
    rm -f "$place"/usr/lib/python3.*/EXTERNALLY-MANAGED
    mkdir -p "$place/bin" "$place/site"
    cat > "$python" <<END
#!/bin/sh
# Starts the unpacked Python on the libraries and packages that were unpacked with it.
export PYTHONHOME="$place/usr" PYTHONPATH="$place/site:$place/usr/lib/python3/dist-packages"
export LD_LIBRARY_PATH="$place/usr/lib/$triplet:$place/lib/$triplet"
exec "$place/usr/bin/python3" "\$@"
END
    chmod +x "$python"
}

if once debian debian_hdf5; then found debian "$library"; else missing debian "$(tail -n 1 "$folder/debian.log")"; fi
if once h5py h5py; then
    found h5py "$python"
    bundled=$(ls "$folder"/python/lib/python*/site-packages/h5py.libs/libhdf5-[0-9a-f]* \
        "$folder"/python/site/h5py.libs/libhdf5-[0-9a-f]* 2>/dev/null)
    if [ -n "$bundled" ]; then found bundled "$bundled"; else missing bundled "h5py uses the HDF5 of the system"; fi
else
    for name in h5py bundled; do missing $name "pip could not install h5py: $folder/h5py.log"; done
fi
