# Every guard for the version of Julia is here and only here.

# Artifacts are a standard library of their own since Julia 1.6, and part of Pkg before. Looked up only when an artifact
# is asked for, so that newer versions never load Pkg.
const ARTIFACTS = VERSION >= v"1.6" ?
    Base.PkgId(Base.UUID("56f22d72-fd6d-98f1-02f0-08ddc0907c33"), "Artifacts") :
    Base.PkgId(Base.UUID("44cfe95a-1eb2-52ea-b672-e2afdf69b78f"), "Pkg")

"The folder of the artifact `name` that `file` (an Artifacts.toml) lists for this platform, or `nothing`."
function artifact_folder(name, file)
    artifacts = VERSION >= v"1.6" ? Base.require(ARTIFACTS) : Base.require(ARTIFACTS).Artifacts
    # The module may have been loaded just now, and so be newer than this function.
    hash = Base.invokelatest(artifacts.artifact_hash, name, file)
    (hash === nothing || !Base.invokelatest(artifacts.artifact_exists, hash)) && return nothing
    return Base.invokelatest(artifacts.artifact_path, hash)
end

# Since Julia 1.7 one library passes BLAS and LAPACK calls on to the one that the user chose: its symbols are the
# ones to lend.
@static if VERSION >= v"1.7"
    blas_library() = LinearAlgebra.BLAS.libblas
    lapack_library() = LinearAlgebra.BLAS.libblas
else
    blas_library() = Base.libblas_name
    lapack_library() = Base.liblapack_name
end

"The number of threads that Julia's BLAS uses."
function blas_threads()
    VERSION >= v"1.6" && return LinearAlgebra.BLAS.get_num_threads()
    count = Libdl.dlsym(Libdl.dlopen(Base.libblas_name), :openblas_get_num_threads64_; throw_error = false)
    return count === nothing ? Sys.CPU_THREADS : Int(ccall(count, Cint, ()))
end

"""
This machine as the platform of an artifact; `Pkg` is the package manager's module. The engine depends on neither a C++
nor a Fortran run-time, so its platform names neither.
"""
function artifact_platform(Pkg)
    if VERSION >= v"1.6"
        host = Base.BinaryPlatforms.HostPlatform()
        libc = Base.BinaryPlatforms.libc(host)
        tags = libc === nothing ? Dict{String,String}() : Dict("libc" => libc)
        return Base.BinaryPlatforms.Platform(Base.BinaryPlatforms.arch(host), Base.BinaryPlatforms.os(host), tags)
    end
    host = Pkg.BinaryPlatforms.platform_key_abi()
    return typeof(host)(Pkg.BinaryPlatforms.arch(host); libc = Pkg.BinaryPlatforms.libc(host))
end

"The platform's name in file names, as in `x86_64-linux-gnu`."
platform_name(Pkg, platform) =
    VERSION >= v"1.6" ? Base.BinaryPlatforms.triplet(platform) : Pkg.BinaryPlatforms.triplet(platform)

# Before Julia 1.9 precompiling keeps inferred code only, and calls of that box the tuples of arrays that they pass:
# good for what runs once, not for what must not allocate.
const CACHES_NATIVE_CODE = VERSION >= v"1.9"
