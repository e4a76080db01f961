"""
Tensor contractions and decompositions on Julia's strided arrays, computed by an engine written in Rust.

Exported are [`einsum`](@ref), [`einsum!`](@ref), [`contraction_plan`](@ref), and the algebras `MaxPlus`, `MinPlus`,
`MaxTimes`, `AndOr`, `PlusTimes`; for other packages [`TensorOxideDriver`](@ref). The decompositions (`svd_compact`, `svd_full`, `svd_vals`, `svd_trunc`, `qr_compact`,
`qr_full`, `qr_null`, `qr_pivoted`, `lq_compact`, `lq_full`, `lq_null`, `left_polar`, `right_polar`, `eigh_full`,
`eigh_vals`, `eigh_range`, `eigh_trunc`, `lu`, `lu_complete`, `cholesky`), the solvers `solve`,
`solve_triangular`, `lstsq`, `inv`, `pinv`, `det`, `logabsdet`, `expm`, `hermitian_function` and `matrix_norm`, the
Krylov methods `eigsolve`, `exponentiate`, `linsolve`, the derivatives `pullback`, `pushforward`, `pullback_pushforward`,
`recorded`, `eigenpair_pullback`, the paths `contraction_path`,
`save_path`, `load_path`, the files `save`, `load`, `open`, `attributes`, `create`, `load_hdf5`, `write_itensor`,
`read_itensor`, the ranks of MPI `communicator`, `free`, `local_range`, `allsum!`, `split_eigsolve`, and `versioninfo`,
`num_threads`, `set_num_threads`, `provider`, `set_provider`,
`library_path` are called with the module's name before them.
"""
module TensorOxide

using LinearAlgebra: LinearAlgebra, Adjoint, Diagonal, Hermitian, LowerTriangular, Symmetric, Transpose,
                     UnitLowerTriangular, UnitUpperTriangular, UpperTriangular

export contraction_plan, einsum, einsum!
export TensorOxideAllocator, TensorOxideBackend, TensorOxideDriver
export AndOr, MaxPlus, MaxTimes, MinPlus, PlusTimes

include("compat.jl")
include("library.jl")
include("capi.jl")
include("views.jl")
include("semiring.jl")
include("plan.jl")
include("distributed.jl")
include("split.jl")
include("path.jl")
include("cache.jl")
include("labels.jl")
include("einsum.jl")
include("argmax.jl")
include("linalg.jl")
include("krylov.jl")
include("rules.jl")
include("gradient.jl")
include("eigenpair.jl")
include("storage.jl")
include("host.jl")
# For other packages, whose extensions have only translations of types and arguments.
include("frontends/network.jl")
include("frontends/oxidearray.jl")
include("frontends/driver.jl")
include("frontends/splits.jl")
include("frontends/blocks.jl")
include("frontends/indices.jl")
include("frontends/scratch.jl")
include("frontends/tensoroperations.jl")

function __init__()
    load_library() || return nothing
    attach(LIBRARY[].handle)
    lend_libraries()
    set_threads(blas_threads())
    return nothing
end

# The first contraction of a session should not wait for the compiler longer than it must: what does not depend on the
# orders of tensors is compiled beforehand, and what places an array in a call's frame for the usual ones.
precompile(plan_for, (DataType, String, Vector{Vector{Int}}, Nothing, UInt64, PathSearch, Nothing, Nothing))
for E in (Nothing, String)
    precompile(run_remembered!, (Sought{E}, DataType, Ptr{UInt8}, Ptr{DLTensor}, Bool, ComplexF64, ComplexF64))
    precompile(run_new, (Sought{E}, DataType, Ptr{UInt8}, Ptr{Int64}, Ptr{Int64}))
end
for T in (Float32, Float64, ComplexF32, ComplexF64)
    precompile(svd_trunc, (Matrix{T},))
    for N in 0:8
        precompile(place!, (Ptr{DLTensor}, Int, Ptr{Int64}, Array{T,N}, Int))
        for M in 1:2
            Plan = ContractionPlan{T,N,M,Nothing}
            precompile(Plan, (Ptr{Cvoid}, String, Vector{Vector{Int}}, Dims{N}, PlanInfo, Nothing))
            precompile(empty_output, (Plan,))
        end
    end
    CACHES_NATIVE_CODE && precompile(einsum, (String, Matrix{T}, Matrix{T}))
end

end
