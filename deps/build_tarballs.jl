# BinaryBuilder recipe for TensorOxide_jll: the engine for every platform from one machine, against an old C library.
#
#     julia build_tarballs.jl --verbose            all platforms (needs BinaryBuilder.jl)
#     julia build_tarballs.jl x86_64-linux-gnu     one
#
# Builds the commit that is checked out, which has to be one that the public repository has.
using BinaryBuilder

name = "TensorOxide"
version = v"0.1.0"

sources = [
    GitSource("https://github.com/TensorOxide/TensorOxide.jl.git", readchomp(`git -C $(@__DIR__) rev-parse HEAD`)),
]

script = raw"""
cd ${WORKSPACE}/srcdir/TensorOxide.jl/rust
# Rust links musl statically by default, which a shared library cannot be.
if [[ "${target}" == *-musl* ]]; then
    export RUSTFLAGS="-C target-feature=-crt-static"
fi
cargo build --release --locked --package tensoroxide-capi
install -Dvm 755 "target/${rust_target}/release/"*tensoroxide."${dlext}" -t "${libdir}"
install -Dvm 644 capi/include/tensoroxide.h -t "${includedir}"
install_license ../LICENSE-MIT ../LICENSE-APACHE
"""

# The 64-bit systems that both Rust and Julia support in full.
platforms = filter(supported_platforms()) do p
    arch(p) in ("x86_64", "aarch64") && !Sys.isfreebsd(p)
end

products = [LibraryProduct("libtensoroxide", :libtensoroxide)]

dependencies = Dependency[]

build_tarballs(ARGS, name, version, sources, script, platforms, products, dependencies;
               compilers = [:c, :rust], julia_compat = "1.6", lock_microarchitecture = false)
