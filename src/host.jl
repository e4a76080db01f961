# What Julia lends the engine: the routines of the BLAS and LAPACK that Julia itself runs on, and its number of threads.

const BLAS_ROUTINES = [t * "gemm" for t in ("s", "d", "c", "z")]
const LAPACK_ROUTINES = vcat([t * r for t in ("s", "d", "c", "z") for r in ("gesdd", "gesvd", "geqrf", "getrf", "getri",
                                                                              "potrf", "trtrs", "geev", "gees")],
                             [t * r for t in ("s", "d") for r in ("orgqr", "syevd", "syevr")],
                             [t * r for t in ("c", "z") for r in ("ungqr", "heevd", "heevr")])

# Only libraries with 64-bit integers and the suffix that goes with them; with others the engine computes on its own.
function lend_libraries()
    LinearAlgebra.BlasInt === Int64 || return nothing
    lend(lend_blas, BLAS_ROUTINES, blas_library())
    lend(lend_lapack, LAPACK_ROUTINES, lapack_library())
    return nothing
end

function lend(hand_over, routines, library)
    handle = Libdl.dlopen(library; throw_error = false)
    handle === nothing && return nothing
    for routine in routines
        f = Libdl.dlsym(handle, routine * "_64_"; throw_error = false)
        f === nothing || hand_over(routine, f)
    end
end

"""
    set_num_threads(n)

Let the engine use at most `n ≥ 1` threads; a plan uses no more than when it was made. At the start this is the number
of threads of Julia's BLAS. Throws an `ArgumentError` for `n < 1`. See [`num_threads`](@ref).
"""
function set_num_threads(n::Integer)
    n >= 1 || throw(ArgumentError("the number of threads is at least 1, not $n"))
    set_threads(n)
    forget_plans()
    return nothing
end

"""
    num_threads()

The number of threads that the engine may use.

```jldoctest
julia> using TensorOxide

julia> before = TensorOxide.num_threads();

julia> TensorOxide.set_num_threads(1); TensorOxide.num_threads()
1

julia> TensorOxide.set_num_threads(before)
```
"""
num_threads() = threads()

const PROVIDERS = (:lent, :engine, :auto)

"""
    set_provider(provider)

Choose who computes: `:auto` (the start), the engine's own kernels for contractions on processors that it has
kernels for (x86-64 with AVX2 or AVX-512), the BLAS and LAPACK routines that Julia lent for the rest; `:lent`, always
what Julia lent where it lent one and matrices allow it; or `:engine`, always the engine's own. Plans keep the choice
that was theirs when they were made. Throws an `ArgumentError` for another word. See [`provider`](@ref).
"""
function set_provider(provider::Symbol)
    set_engine_provider(provider_code(provider))
    forget_plans()
    return nothing
end

function provider_code(provider::Symbol)
    k = findfirst(==(provider), PROVIDERS)
    k === nothing && throw(ArgumentError("the provider is :auto, :lent or :engine, not $(repr(provider))"))
    return k - 1
end

"""
    provider()

Who computes, `:auto`, `:lent` or `:engine`; see [`set_provider`](@ref).
"""
provider() = PROVIDERS[engine_provider()+1]

"""
    versioninfo(io = stdout)

Print the versions of package and engine, the library that was loaded and how it was found, the number of threads, and
the routines that Julia lent.
"""
function versioninfo(io::IO = stdout)
    lent(routines) = (found = filter(is_lent, routines); isempty(found) ? "none" : join(found, ' '))
    println(io, "TensorOxide ", engine_version(), ", C ABI ", ABI_VERSION)
    println(io, "  library:  ", library_path(), " (", LIBRARY[].found, ")")
    println(io, "  threads:  ", num_threads())
    println(io, "  provider: ", repr(provider()))
    println(io, "  BLAS:     ", lent(BLAS_ROUTINES))
    println(io, "  LAPACK:   ", lent(LAPACK_ROUTINES))
    hdf5 = hdf5_description()
    println(io, "  HDF5:     ", isempty(hdf5) ? "not loaded yet" : hdf5)
end
