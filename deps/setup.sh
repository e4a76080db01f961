#!/bin/sh
# Finds Julia and Cargo, or obtains them inside the project folder, then runs a command that needs them.
#
#   sh deps/setup.sh                     set up and say what was found
#   sh deps/setup.sh julia --project …   set up, then run this command with julia and cargo on its PATH
#
# In order: what is on the PATH; an installer that the machine has (juliaup, rustup); on Debian, packages of a suite
# that has the wanted version, downloaded from the machine's own mirror and unpacked into .tools/. Nothing here needs
# root and nothing outside the project folder changes, except through juliaup and rustup, which keep their own folders.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
tools=$root/.tools
julia_least=1.5
cargo_least=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$root/rust/Cargo.toml")

say() { echo "setup: $*" >&2; }
give_up() { say "$1"; say "$2"; exit 1; }
. "$root/deps/debian.sh"
# An installer without a network must not hang the set-up.
patiently() { if has timeout; then timeout 600 "$@" >&2; else "$@" >&2; fi; }

# The first x.y[.z] in what `command --version` prints; empty when the command is missing or does not run.
version_of() { "$@" --version 2>/dev/null </dev/null | sed -n 's/^[a-z]* [a-z ]*\([0-9][0-9.]*\).*/\1/p' | head -n 1; }
# at_least VERSION LEAST
at_least() {
    [ -n "$1" ] && awk -v a="$1" -v b="$2" 'BEGIN { split(a, x, "."); split(b, y, ".")
        for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) exit (x[i] + 0 < y[i] + 0); exit 0 }'
}
julia_works() { at_least "$(version_of julia)" "$julia_least"; }
# cargo and rustc are asked both: a distribution may have updated only one of them.
cargo_works() { at_least "$(version_of cargo)" "$cargo_least" && at_least "$(version_of rustc)" "$cargo_least"; }

# ---- Debian: programs of another suite -------------------------------------------------------------------------------

# wrap FOLDER NAME LOADER ENVIRONMENT: puts a script in the place of the unpacked FOLDER/usr/bin/NAME, which starts it
# on the libraries beside it. The loader takes their folders as an argument; an LD_LIBRARY_PATH would reach every
# program that Julia starts (cargo, cc, git), and break those.
wrap() {
    mkdir -p "$1/usr/libexec"
    mv "$1/usr/bin/$2" "$1/usr/libexec/$2"
    cat > "$1/usr/bin/$2" <<END
#!/bin/sh
# Starts the unpacked $2 on the libraries that were unpacked with it.
root=\$(dirname -- "\$(dirname -- "\$(dirname -- "\$(readlink -f -- "\$0")")")")
$4
exec "$3" --library-path "\$root/usr/lib/$triplet:\$root/usr/lib/$triplet/julia:\$root/lib/$triplet" \\
    "\$root/usr/libexec/$2" "\$@"
END
    chmod +x "$1/usr/bin/$2"
}

debian_julia() {
    debian || return 1
    part=$tools/julia.part
    # Pkg of Julia 1.5 downloads through curl. Left out: what every Debian has at least as new, so that libraries which
    # Julia loads from the system find the C and C++ run-time that they were built for.
    has curl && extra= || extra=curl
    debian_unpack bullseye "$part" \
        'libc6|libcrypt1|libgcc-s1|libstdc\+\+6|gcc-[0-9]+-base|debconf|dpkg|perl-base|tar|libselinux1|libacl1' \
        julia $extra || return 1
    # Through the loader, Julia cannot see where it is. Its OpenBLAS is of 2020 and runs on SSE3, several
    # times slower, on any processor that is newer than that: name the kernels by what the processor can do.
    wrap "$part" julia "/$loader" 'JULIA_BINDIR="$root/usr/bin"
export JULIA_BINDIR
if [ -z "${OPENBLAS_CORETYPE:-}" ]; then
    if grep -qw avx512vl /proc/cpuinfo; then OPENBLAS_CORETYPE=SkylakeX
    elif grep -qw avx2 /proc/cpuinfo; then OPENBLAS_CORETYPE=Haswell
    fi
    [ -z "${OPENBLAS_CORETYPE:-}" ] || export OPENBLAS_CORETYPE
fi'
    [ -z "$extra" ] || wrap "$part" curl "/$loader" ''
    "$part/usr/bin/julia" --version >/dev/null || { say "the unpacked Julia does not start"; return 1; }
    rm -rf "$tools/julia"
    mv "$part" "$tools/julia"
}

# ---- Julia -----------------------------------------------------------------------------------------------------------

find_julia() {
    julia_works && return
    for folder in "$HOME/.juliaup/bin" "$tools/juliaup" "$tools/julia/usr/bin"; do
        [ -x "$folder/julia" ] || continue
        found=$PATH
        PATH=$folder:$PATH
        julia_works && return
        PATH=$found
    done
    if has julia; then say "the julia on the PATH does not start, or is older than $julia_least"; fi
    if has juliaup; then
        say "running 'juliaup add release', which keeps Julia in its own folder"
        if patiently juliaup add release; then
            # The launcher's default is the user's to choose.
            mkdir -p "$tools/juliaup"
            launcher=$(dirname -- "$(command -v juliaup)")/julia
            printf '#!/bin/sh\nexec "%s" +release "$@"\n' "$launcher" > "$tools/juliaup/julia"
            chmod +x "$tools/juliaup/julia"
            PATH=$tools/juliaup:$PATH
            julia_works && return
        fi
        say "juliaup could not provide Julia"
    fi
    mkdir -p "$tools"
    if debian_julia; then PATH=$tools/julia/usr/bin:$PATH; julia_works && return; fi
    give_up "no Julia found, and none could be obtained" \
        "Install Julia $julia_least or newer, put it on the PATH, and try again."
}

# A user's Julia keeps the user's depot, where that has a registry. Otherwise (Pkg insists on a registry) a depot inside
# the project with an empty one does: the package needs nothing but Julia's standard library.
find_depot() {
    case $(command -v julia) in
        "$tools"/julia/*) depots=$root/.julia ;;
        *)
            if julia --startup-file=no -e 'exit(any(d -> isdir(joinpath(d, "registries")) &&
                !isempty(readdir(joinpath(d, "registries"))), DEPOT_PATH) ? 0 : 1)'; then return; fi
            # The empty entry stands for Julia's own depots, where newer versions keep the compiled standard library.
            depots=$root/.julia:
            ;;
    esac
    registry=$root/.julia/registries/Empty
    if [ ! -r "$registry/Registry.toml" ]; then
        say "keeping Julia's depot, with an empty package registry, in $root/.julia"
        mkdir -p "$registry"
        cat > "$registry/Registry.toml" <<END
name = "Empty"
uuid = "7f3c8a52-5d0e-4c3b-9a67-2f6a1e8d4b90"
repo = ""
description = "No packages: enough for those that need only Julia's standard library"
[packages]
END
    fi
    export JULIA_DEPOT_PATH="$depots" JULIA_PKG_OFFLINE=true
}

# ---- Cargo -----------------------------------------------------------------------------------------------------------

# The C compiler of the machine's own Debian release, as the linker that rustc calls.
debian_cc() {
    debian || return 1
    part=$tools/cc.part
    debian_unpack "$release" "$part" 'debconf|perl-base' gcc libc6-dev || return 1
    # The compiler's own libraries in a folder apart: beside them lies a libc, to be linked against but not run on.
    mkdir -p "$part/run"
    for name in bfd opcodes ctf sframe gprofng jansson isl mpc mpfr gmp; do
        for file in "$part/usr/lib/$triplet/lib$name"[-.]*so.* "$part/usr/lib/$triplet/lib$name"-*.so; do
            [ ! -e "$file" ] || ln -sf "../usr/lib/$triplet/$(basename "$file")" "$part/run/"
        done
    done
    mkdir -p "$part/bin"
    cat > "$part/bin/cc" <<'END'
#!/bin/sh
# Starts the unpacked gcc on its own headers and libraries.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
LD_LIBRARY_PATH=$root/run PATH=$root/usr/bin:$PATH exec "$root/usr/bin/gcc" --sysroot="$root" "$@"
END
    chmod +x "$part/bin/cc"
    echo 'int main(void) { return 0; }' > "$part/try.c"
    "$part/bin/cc" -o "$part/try" "$part/try.c" && "$part/try" || { say "the unpacked gcc does not work"; return 1; }
    rm -rf "$tools/cc"
    mv "$part" "$tools/cc"
}

debian_cargo() {
    debian || return 1
    part=$tools/rust.part
    # A newer suite than the machine's may need a newer libc, so these programs bring theirs and its loader.
    debian_unpack trixie "$part" \
        '(gcc|cpp|binutils|libc6-dev|libc-dev|linux-libc|libgcc-[0-9]|lib[a-z]*san[0-9]|rpcsvc|openssl|debconf).*' \
        cargo rustc ca-certificates || return 1
    cat "$part"/usr/share/ca-certificates/mozilla/*.crt > "$part/certificates.crt"
    # Started through the loader, cargo cannot see its own path, which build scripts ask for.
    environment='CARGO="$root/usr/bin/cargo"
export CARGO
[ -e /etc/ssl/certs/ca-certificates.crt ] || export CARGO_HTTP_CAINFO="$root/certificates.crt"'
    for name in cargo rustc rustdoc; do
        wrap "$part" $name "\$root/usr/$loader" "$environment"
    done
    "$part/usr/bin/rustc" --version >/dev/null || { say "the unpacked rustc does not start"; return 1; }
    rm -rf "$tools/rust"
    mv "$part" "$tools/rust"
}

find_cargo() {
    if ! has cc; then
        [ -x "$tools/cc/bin/cc" ] || { mkdir -p "$tools"; debian_cc; } ||
            give_up "no C compiler (cc), which Rust links with" \
                "Install gcc or clang (on Debian: the package gcc), and try again."
        PATH=$tools/cc/bin:$PATH
    fi
    cargo_works && return
    for folder in "${CARGO_HOME:-$HOME/.cargo}/bin" "$tools/rust/usr/bin"; do
        [ -x "$folder/cargo" ] || continue
        found=$PATH
        PATH=$folder:$PATH
        cargo_works && return
        PATH=$found
    done
    if has cargo; then say "the cargo on the PATH does not start, or is older than $cargo_least"; fi
    if has rustup; then
        export RUSTUP_TOOLCHAIN=stable
        (export RUSTUP_AUTO_INSTALL=0 && cargo_works) && return
        say "running 'rustup toolchain install stable', which keeps Rust in its own folder"
        if patiently rustup toolchain install stable --no-self-update --profile minimal -c rustfmt -c clippy; then
            cargo_works && return
        fi
        unset RUSTUP_TOOLCHAIN
        say "rustup could not provide Rust"
    fi
    mkdir -p "$tools"
    if debian_cargo; then PATH=$tools/rust/usr/bin:$PATH; cargo_works && return; fi
    give_up "no Rust found, and none could be obtained" \
        "Install Rust $cargo_least or newer with rustup, put cargo on the PATH, and try again."
}

find_cargo
find_julia
find_depot
export PATH
if [ $# -gt 0 ]; then exec "$@"; fi
say "Julia $(version_of julia) is $(command -v julia)"
say "Cargo $(version_of cargo) is $(command -v cargo), its linker $(command -v cc)"
