#!/bin/sh
# Obtains MPI libraries for the tests, and unpacks them inside the project folder:
#
#   .tools/mpi/mpich      MPICH of Debian, whose handles are integers
#   .tools/mpi/openmpi    Open MPI of Debian, whose handles are addresses
#   .tools/mpi/abi        a newer MPICH of PyPI, of which the tests take the library with the standard ABI (libmpi_abi)
#
# Each folder has a program `mpiexec`, which can be called from anywhere, and a list `libraries`: what has to be loaded
# before the MPI library, which comes last; some have to wait for others of the list. What is there already is left
# alone. Nothing needs root.
#
#   sh deps/mpi.sh [mpich] [openmpi] [abi]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
mpi=$root/.tools/mpi
say() { echo "mpi: $*" >&2; }
. "$root/deps/debian.sh"

# Every Debian that is used has these, or no test needs them.
left_out='libc6|libgcc-s1|libstdc\+\+6|gcc-[0-9]+-base|debconf|adduser|passwd|openssh-client'
left_out="$left_out|lib(audit|pam|selinux|sem|sepol).*"

# list FOLDER LIBRARY...: writes the list of the libraries in the folder that these need, these last.
list() {
    folder=$1
    shift
    for library in "$@"; do
        { echo "  => $library"; LD_LIBRARY_PATH=$folder/usr/lib/${triplet:-}:$folder/lib/${triplet:-} ldd "$library"; } |
            sed -n "s|.* => \($folder/[^ ]*\).*|\1|p" | awk '{ line[NR] = $0 } END { for (i = NR; i; i--) print line[i] }'
    done | awk '!seen[$0]++' > "$folder/libraries"
}

# program FOLDER ENVIRONMENT COMMAND: writes `mpiexec`. Its libraries are found by a variable that the ranks inherit.
program() {
    cat > "$1/mpiexec" <<END
#!/bin/sh
root=\$(CDPATH='' cd -- "\$(dirname -- "\$0")" && pwd -P)
$2
exec "\$root/$3" "\$@"
END
    chmod +x "$1/mpiexec"
}

mpich() {
    debian || return 1
    debian_unpack "$release" "$1" "$left_out" mpich || return 1
    list "$1" "$1/usr/lib/$triplet/libmpich.so.12"
    program "$1" "export LD_LIBRARY_PATH=\"\$root/usr/lib/$triplet\"" usr/bin/mpiexec.hydra
}

openmpi() {
    debian || return 1
    debian_unpack "$release" "$1" "$left_out" openmpi-bin || return 1
    # A plug-in that starts the ranks finds the library that it needs only if that is there already.
    list "$1" "$1/usr/lib/$triplet/pmix2/lib/libpmix.so.2" "$1/lib/$triplet/libnl-3.so.200" \
        "$1/usr/lib/$triplet/libmpi.so.40"
    program "$1" "lib=\$root/usr/lib/$triplet
export LD_LIBRARY_PATH=\"\$lib:\$root/lib/$triplet\" OPAL_PREFIX=\"\$root/usr\" OPAL_LIBDIR=\"\$lib/openmpi/lib\"
export OPAL_PKGLIBDIR=\"\$lib/openmpi/lib/openmpi3\" OPAL_DATADIR=\"\$root/usr/share\" PMIX_INSTALL_PREFIX=\"\$lib/pmix2\"
export PMIX_MCA_pcompress_base_silence_warning=1 OMPI_MCA_mca_base_component_show_load_errors=0
export OPAL_PKGDATADIR=\"\$root/usr/share/openmpi\" OPAL_SYSCONFDIR=\"\$root/etc/openmpi\"
set -- --allow-run-as-root --oversubscribe \"\$@\"" usr/bin/orterun
}

# A wheel is a zip archive; only its libraries and programs are kept.
abi() {
    has python3 || return 1
    mkdir -p "$1/wheel"
    python3 -m pip download -q --no-deps --only-binary :all: -d "$1/wheel" mpich >&2 || return 1
    python3 -m zipfile -e "$1"/wheel/mpich-*.whl "$1/wheel" && mv "$1"/wheel/mpich-*.data/data/bin "$1/bin" &&
        mv "$1"/wheel/mpich-*.data/data/lib "$1/lib" || return 1
    rm -rf "$1/wheel"
    chmod +x "$1"/bin/* "$1"/lib/*.so.*
    list "$1" "$1/lib/libmpi_abi.so.1"
    program "$1" '' bin/mpiexec
}

missing=0
for name in ${*:-mpich openmpi abi}; do
    [ -x "$mpi/$name/mpiexec" ] && continue
    part=$mpi/$name.part
    mkdir -p "$mpi"
    rm -rf "$part"
    if $name "$part"; then
        rm -rf "${mpi:?}/$name"
        # The lists hold absolute paths.
        sed -i "s|^$part/|$mpi/$name/|" "$part/libraries"
        mv "$part" "$mpi/$name"
        say "$name is in $mpi/$name"
    else
        say "$name could not be obtained"
        rm -rf "$part"
        missing=1
    fi
done
exit $missing
