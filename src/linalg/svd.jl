# Singular values and vectors.

"""
    U, S, Vᴴ = svd_compact(A; workspace = nothing, provider = nothing)
    U, S, Vᴴ = svd_compact(T, rows, columns)

Singular value decomposition `A = U·Diagonal(S)·Vᴴ` of an `m×n` matrix with `k = min(m, n)`: `U` is `m×k` and `Vᴴ` is
`k×n` with orthonormal columns and rows, `S` holds `k` real numbers ≥ 0 in descending order. In each column of `U` the
entry of largest magnitude (the first of those that are equal up to rounding) is real and positive.

`A` is any strided matrix, or a stack of matrices (further dimensions are a batch, also of the outputs); integers are
converted to floating point. `T` is a tensor: `rows` and `columns` are tuples that name each of its dimensions once; `U`
then has the dimensions of the rows and `k`, `Vᴴ` has `k` and the dimensions of the columns. `workspace` is a
[`Workspace`](@ref); `provider` is one of the words of [`set_provider`](@ref), for this call. Throws an `ArgumentError`
if an entry is `NaN` or infinite, a `LinearAlgebra.LAPACKException` if no driver converges: its cause, which Julia
shows below it, names those that were tried.

```jldoctest
julia> using TensorOxide

julia> U, S, Vᴴ = TensorOxide.svd_compact([0.0 2.0; 3.0 0.0]);

julia> S
2-element Vector{Float64}:
 3.0
 2.0
```
"""
svd_compact(A::Stack; run...) = svd_compact!(A, svd_room(A, min(matrix_size(A)...)); run...)
function svd_compact(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    U, S, Vᴴ = svd_compact(M; run...)
    return reshape(U, m..., :), S, reshape(Vᴴ, :, n...)
end

"""
    svd_compact!(A, (U, S, Vᴴ); workspace = nothing, provider = nothing)

[`svd_compact`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
svd_compact!(A::Stack, USVᴴ::Tuple; run...) = decompose(engine_svd_compact, (A,), USVᴴ; run...)

"""
    U, S, Vᴴ = svd_full(A)

[`svd_compact`](@ref) with square, unitary factors: `U` is `m×m`, `S` has `k = min(m, n)` entries, `Vᴴ` is `n×n`. The
first `k` columns of `U` and rows of `Vᴴ` are those of `svd_compact`; in each further column of `U`, and of `V`, the
entry of largest magnitude is real and positive.

```jldoctest
julia> using TensorOxide

julia> U, S, Vᴴ = TensorOxide.svd_full([3.0 0.0; 0.0 2.0; 0.0 0.0]);

julia> size(U), S, size(Vᴴ)
((3, 3), [3.0, 2.0], (2, 2))
```
"""
function svd_full(A::Stack; run...)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    U, Vᴴ = Array{T}(undef, m, m, batch...), Array{T}(undef, n, n, batch...)
    return svd_full!(A, (U, Array{real(T)}(undef, min(m, n), batch...), Vᴴ); run...)
end
function svd_full(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    U, S, Vᴴ = svd_full(M; run...)
    return reshape(U, m..., :), S, reshape(Vᴴ, :, n...)
end

"""
    svd_full!(A, (U, S, Vᴴ); workspace = nothing, provider = nothing)

[`svd_full`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
svd_full!(A::Stack, USVᴴ::Tuple; run...) = decompose(engine_svd_full, (A,), USVᴴ; run...)

"""
    S = svd_vals(A)

The singular values of [`svd_compact`](@ref) alone, which takes a fraction of the time.

```jldoctest
julia> using TensorOxide

julia> round.(TensorOxide.svd_vals([0.0 2.0; 3.0 0.0]); digits = 12)
2-element Vector{Float64}:
 3.0
 2.0
```
"""
svd_vals(A::Stack; run...) =
    svd_vals!(A, Array{real(matrix_type(A))}(undef, min(matrix_size(A)...), batch_size(A)...); run...)
svd_vals(A::AbstractArray, rows::Tuple, columns::Tuple; run...) = svd_vals(matricize(A, rows, columns)[1]; run...)

"""
    svd_vals!(A, S; workspace = nothing, provider = nothing)

[`svd_vals`](@ref) into an array of the caller, which is returned. `A` stays as it is.
"""
svd_vals!(A::Stack, S::AbstractArray; run...) = decompose(engine_svd_vals, (A,), (S,); run...)[1]

"Fresh arrays for `k` singular values and their vectors."
function svd_room(A, k)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    return Array{T}(undef, m, k, batch...), Array{real(T)}(undef, k, batch...), Array{T}(undef, k, n, batch...)
end

"""
    U, S, Vᴴ, ϵ = svd_trunc(A; maxrank = typemax(Int), minrank = 1, atol = 0, rtol = 0, discarded_weight = 0,
                            keep_multiplets = false, method = :full, tol = eps^(3/4), seed = 0,
                            workspace = nothing, provider = nothing)
    U, S, Vᴴ, ϵ = svd_trunc(T, rows, columns; …)

Singular value decomposition as by [`svd_compact`](@ref), cut to the `r` largest singular values: `U` is `m×r`, `S`
has `r` entries, `Vᴴ` is `r×n`. `ϵ` is the 2-norm of what was cut, so that `norm(A - U·Diagonal(S)·Vᴴ) ≈ ϵ`.

Each rule says how many values may stay, the strictest one decides, and then `minrank` are kept in any case:
- `maxrank`: at most so many;
- `atol`: those not below `atol`;
- `rtol`: those not below `rtol` times the 2-norm of all of them;
- `discarded_weight`: what is cut may have a sum of squares of at most this part of the sum of all squares;
- `keep_multiplets = true`: a group of equal values that a cut would part is cut off as a whole, or kept as a whole
  where fewer than `minrank` would stay.

A stack is cut to one rank, the largest that one of its matrices needs, and `ϵ` is then an array with a number for each.

`method = :full` computes the whole decomposition first. Where `maxrank` is far below the size and the values fall fast,
`:randomized` costs a fraction of that: a block Krylov method with random numbers that follow from `seed`, so that the
same call gives the same bits. Its result is only taken with a certificate, `norm(A·V - U·Diagonal(S)) ≤ tol·norm(A)`,
and if the rules decide the same for all values that this allows; else the whole decomposition is computed after all.
`:auto` tries it where the sizes alone promise a gain.

Throws what [`svd_compact`](@ref) throws, and an `ArgumentError` for a negative or `NaN` bound.

```jldoctest
julia> using TensorOxide, LinearAlgebra

julia> U, S, Vᴴ, ϵ = TensorOxide.svd_trunc(Diagonal([5.0, 4.0, 3.0]) |> Matrix; maxrank = 1);

julia> S, ϵ
([5.0], 5.0)

julia> hilbert = [1 / (i + j) for i in 1:200, j in 1:200];

julia> U, S, Vᴴ, ϵ = TensorOxide.svd_trunc(hilbert; maxrank = 6, method = :randomized);

julia> norm(hilbert - U * Diagonal(S) * Vᴴ) ≈ ϵ, size(U)
(true, (200, 6))
```
"""
function svd_trunc(A::Stack; workspace = nothing, provider = nothing, rules...)
    matrix_type(A)
    k = min(matrix_size(A)...)
    limits = truncation(k; rules...)
    U, S, Vᴴ = svd_room(A, ceiling(limits))
    r, ϵ = decompose_truncated(engine_svd_trunc, A, limits, (U, S, Vᴴ); workspace = workspace, provider = provider)
    r == size(S, 1) && return U, S, Vᴴ, ϵ
    colons = map(_ -> :, batch_size(A))
    return U[:, 1:r, colons...], S[1:r, colons...], Vᴴ[1:r, :, colons...], ϵ
end
function svd_trunc(A::AbstractArray, rows::Tuple, columns::Tuple; options...)
    M, m, n = matricize(A, rows, columns)
    U, S, Vᴴ, ϵ = svd_trunc(M; options...)
    return reshape(U, m..., :), S, reshape(Vᴴ, :, n...), ϵ
end

"""
    r, ϵ = svd_trunc!(A, (U, S, Vᴴ); maxrank = size(S, 1), …)

[`svd_trunc`](@ref) into arrays of the caller, of which the first `r` columns, entries and rows are written (of a stack,
possibly more), and the others left as they are. They have room for as many as `maxrank` and `minrank` allow, or for
more. `A` stays as it is.

```jldoctest
julia> using TensorOxide

julia> U, S, Vᴴ = zeros(3, 2), zeros(2), zeros(2, 3);

julia> TensorOxide.svd_trunc!([5.0 0.0 0.0; 0.0 4.0 0.0; 0.0 0.0 3.0], (U, S, Vᴴ); atol = 4.5)
(1, 5.0)

julia> S
2-element Vector{Float64}:
 5.0
 0.0
```
"""
function svd_trunc!(A::Stack, USVᴴ::Tuple; maxrank::Integer = size(USVᴴ[2], 1), workspace = nothing,
                    provider = nothing, rules...)
    limits = truncation(min(matrix_size(A)...); maxrank = maxrank, rules...)
    return decompose_truncated(engine_svd_trunc, A, limits, USVᴴ; workspace = workspace, provider = provider)
end

"The engine's rules of truncation for `k` values."
function truncation(k; maxrank::Integer = typemax(Int), minrank::Integer = 1, atol::Real = 0, rtol::Real = 0,
                    discarded_weight::Real = 0, keep_multiplets::Bool = false, method::Symbol = :full,
                    tol::Union{Real,Nothing} = nothing, seed::Integer = 0)
    maxrank >= 0 || throw(ArgumentError("maxrank = $maxrank is negative"))
    minrank >= 0 || throw(ArgumentError("minrank = $minrank is negative"))
    code = findfirst(isequal(method), METHODS)
    code === nothing && throw(ArgumentError("the method is :full, :randomized or :auto, not $(repr(method))"))
    tol === nothing || tol >= 0 || throw(ArgumentError("tol is $tol, but must be 0 or positive"))
    return Truncation(min(maxrank, k), min(minrank, k), atol, rtol, discarded_weight, keep_multiplets, code - 1,
                      seed % UInt64, tol === nothing ? -1.0 : tol)
end

const METHODS = (:full, :randomized, :auto)

"How many values can stay at most."
ceiling(limits::Truncation) = max(limits.maxrank, limits.minrank)

"Call the engine with the rules of a truncation: the rank, and the norm of what was cut, for a stack an array of them."
@inline function decompose_truncated(engine::F, A, limits, outputs; run...) where {F}
    R = real(matrix_type(A))
    rank = Ref{Int64}(0)
    if ndims(A) == 2
        ϵ = Ref{Float64}(0)
        decompose((tensors, conj, how) -> engine(tensors, conj, limits, rank, ϵ, how), (A,), outputs; run...)
        return rank[], R(ϵ[])
    end
    ϵs = Array{Float64}(undef, batch_size(A))
    decompose((tensors, conj, how) -> engine(tensors, conj, limits, rank, ϵs, how), (A,), outputs; run...)
    return rank[], R.(ϵs)
end
