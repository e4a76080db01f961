# Finds the engine's library and loads it. Everything is decided when the package is loaded, nothing when it is
# precompiled. deps/build.jl includes this file too, so that it puts the library where it is looked for.
#
# For the rest of the package: `load_library()` in `__init__` sets `LIBRARY[]`, whose fields are the handle, the path,
# and how the library was found.
using Libdl, SHA

struct Library
    handle::Ptr{Cvoid}
    path::String
    found::String
end

const LIBRARY = Ref{Library}()

"The path of the loaded engine."
library_path() = LIBRARY[].path

const LIBRARY_NAME = (Sys.iswindows() ? "tensoroxide." : "libtensoroxide.") * Libdl.dlext

"""
    build_folder(package, depot)

The folder in which `Pkg.build` keeps the engine of the package at the path `package`. Outside the package, which may be
read-only; one for each path and machine type, since a depot can be shared by several of either.
"""
build_folder(package, depot) = joinpath(depot, "tensoroxide",
    string(Sys.ARCH, '-', lowercase(string(Sys.KERNEL)), '-', bytes2hex(sha1(realpath(package)))[1:16]))

"The path of the library for the package at `package`, and how it was found; throws when there is none."
function find_library(package)
    path = get(ENV, "TENSOROXIDE_LIBRARY", "")
    if !isempty(path)
        isfile(path) || error("the environment variable TENSOROXIDE_LIBRARY names \"$path\", where there is no file; ",
                              "correct it, or unset it to use the library that Pkg built")
        return abspath(path), "environment variable TENSOROXIDE_LIBRARY"
    end
    for depot in DEPOT_PATH
        path = joinpath(build_folder(package, depot), LIBRARY_NAME)
        isfile(path) && return path, "built by Pkg"
    end
    path = artifact_library(package)
    path === nothing || return path, "artifact"
    error("the tensor engine has not been built, and there is no artifact of it for this platform (", Sys.MACHINE,
          "); $REBUILD, which needs Rust, or set the environment variable TENSOROXIDE_LIBRARY to the path of ",
          LIBRARY_NAME)
end

const REBUILD = "run `import Pkg; Pkg.build(\"TensorOxide\"; verbose = true)` and start Julia anew"

"Where libraries lie within an artifact."
library_folder() = Sys.iswindows() ? "bin" : "lib"

"The path of the library in the artifact for this platform, or `nothing`."
function artifact_library(package)
    file = joinpath(package, "Artifacts.toml")
    isfile(file) || return nothing
    folder = artifact_folder("tensoroxide", file)
    folder === nothing && return nothing
    path = joinpath(folder, library_folder(), LIBRARY_NAME)
    return isfile(path) ? path : nothing
end

"""
    load_library()

Load the engine and set `LIBRARY[]`; throws when there is none, or none that fits. While Julia precompiles another
package, a missing engine is passed over (`false` is returned): it may be built later.
"""
function load_library()
    package = something(pkgdir(@__MODULE__), dirname(@__DIR__))
    try
        path, found = find_library(package)
        LIBRARY[] = Library(open_library(path, found), path, found)
        return true
    catch
        ccall(:jl_generating_output, Cint, ()) == 1 || rethrow()
        return false
    end
end

"Load the library at `path` and check that it speaks this version of the ABI, before anything else is asked of it."
function open_library(path, found; abi = ABI_VERSION)
    remedy = found == "built by Pkg" ? REBUILD :
             found == "artifact" ? "update the package, or $REBUILD" :
             "correct TENSOROXIDE_LIBRARY, or unset it to use the library that Pkg built"
    # A library for another machine makes the system's loader say, at best, that it found no file.
    machine = machine_of(path)
    here = (Sys.isapple() ? "macOS" : Sys.iswindows() ? "Windows" : "Linux", string(Sys.ARCH))
    machine in (nothing, here) || error("\"$path\" ($found) is a library for $(join(machine, ' ')), but Julia runs on ",
                                        "$(join(here, ' ')); $remedy")
    handle = try
        # All symbols now, so that a missing one shows here; none of them visible to other libraries.
        Libdl.dlopen(path, Libdl.RTLD_NOW | Libdl.RTLD_LOCAL)
    catch e
        error("\"$path\" ($found) cannot be loaded as a library: $(sprint(showerror, e)); $remedy")
    end
    version = Libdl.dlsym_e(handle, :tox_abi_version)
    version == C_NULL && error("\"$path\" ($found) is not TensorOxide's engine: it has no `tox_abi_version`; ", remedy)
    spoken = ccall(version, UInt32, ())
    spoken == abi || error("\"$path\" ($found) speaks version $spoken of the C ABI, but this package speaks version ",
                           abi, "; ", remedy)
    return handle
end

const MACHINES = Dict{Tuple{Symbol,Int},Tuple{String,String}}(
    (:elf, 0x3e) => ("Linux", "x86_64"), (:elf, 0xb7) => ("Linux", "aarch64"), (:elf, 0x03) => ("Linux", "i686"),
    (:mach, 0x01000007) => ("macOS", "x86_64"), (:mach, 0x0100000c) => ("macOS", "aarch64"),
    (:pe, 0x8664) => ("Windows", "x86_64"), (:pe, 0xaa64) => ("Windows", "aarch64"), (:pe, 0x014c) => ("Windows", "i686"))

"For which system and processor the library at `path` was made, or `nothing` when that is not known."
function machine_of(path)
    return Base.open(path) do io
        filesize(io) < 64 && return nothing
        magic = read(io, 4)
        if magic == b"\x7fELF"
            seek(io, 18)
            get(MACHINES, (:elf, Int(ltoh(read(io, UInt16)))), nothing)
        elseif magic == b"\xcf\xfa\xed\xfe"
            get(MACHINES, (:mach, Int(ltoh(read(io, UInt32)))), nothing)
        elseif magic[1:2] == b"MZ"
            seek(io, 60)
            seek(io, Int(ltoh(read(io, UInt32))) + 4)
            eof(io) ? nothing : get(MACHINES, (:pe, Int(ltoh(read(io, UInt16)))), nothing)
        else
            nothing
        end
    end
end
