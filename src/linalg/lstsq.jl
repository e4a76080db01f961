# Least squares and pseudo-inverses, for matrices of any rank.

"""
    X, rank = lstsq(A, B; atol = 0, rtol = max(m, n)·eps)
    X, rank = lstsq(T, B, rows, columns; …)

Least squares: of all `X` for which the columns of `A·X - B` have the least norms, the one of least norm, for an `m×n`
matrix `A` of any rank; `B` is a vector or a matrix. Singular values that are not above both `atol` and `rtol` times the
largest one count as zero; `rank` is the number of the others. For a stack `A`, `B` has the same further dimensions, and
`rank` is an array. A tensor `T` is split as by [`solve`](@ref).

Throws a `DimensionMismatch` if the sizes do not fit, an `ArgumentError` if an entry is `NaN` or infinite or a tolerance is
negative, a `LinearAlgebra.LAPACKException` if no driver converges, as for [`svd_compact`](@ref).

```jldoctest
julia> using TensorOxide

julia> X, rank = TensorOxide.lstsq([1.0 1.0; 1.0 1.0], [1.0, 3.0]);

julia> X ≈ [1.0, 1.0], rank
(true, 1)
```
"""
function lstsq(A::Stack, B::AbstractArray; options...)
    X, rank = lstsq!(A, B, (unknowns(A, B), numbers(Int64, A)); options...)
    return X, scalar(rank)
end
function lstsq(A::AbstractArray, B::AbstractArray, rows::Tuple, columns::Tuple; options...)
    M, Y, shape = split_system(A, B, rows, columns)
    X, rank = lstsq(M, Y; options...)
    return reshape(X, shape), rank
end

"""
    lstsq!(A, B, (X, rank); atol = 0, rtol = max(m, n)·eps, workspace = nothing, provider = nothing)

[`lstsq`](@ref) into arrays of the caller, `rank` of `Int64`, which are returned. `A` and `B` stay as they are.
"""
function lstsq!(A::Stack, B::AbstractArray, results::Tuple; atol::Real = 0, rtol::Union{Real,Nothing} = nothing, run...)
    engine = (tensors, conj, run) -> engine_lstsq(tensors, conj, atol, relative(rtol), run)
    return decompose(engine, system(A, B), results; run...)
end

"""
    pinv(A; atol = 0, rtol = max(m, n)·eps)

The pseudo-inverse by Moore and Penrose, `n×m` for an `m×n` matrix, or for those of a stack; singular values count as zero as
in [`lstsq`](@ref). `pinv(T, rows, columns)` splits a tensor: the result has the dimensions of the columns first.
Throws an `ArgumentError` if an entry is `NaN` or infinite or a tolerance is negative, a `LinearAlgebra.LAPACKException` if
no driver converges.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.pinv([0.0 2.0; 0.0 0.0])
2×2 Matrix{Float64}:
 0.0  0.0
 0.5  0.0
```
"""
pinv(A::Stack; options...) =
    pinv!(A, Array{matrix_type(A)}(undef, reverse(matrix_size(A))..., batch_size(A)...); options...)
function pinv(A::AbstractArray, rows::Tuple, columns::Tuple; options...)
    M, m, n = matricize(A, rows, columns)
    return reshape(pinv(M; options...), n..., m...)
end

"""
    pinv!(A, X; atol = 0, rtol = max(m, n)·eps, workspace = nothing, provider = nothing)

[`pinv`](@ref) into an array of the caller, which is returned. `A` stays as it is.
"""
function pinv!(A::Stack, X; atol::Real = 0, rtol::Union{Real,Nothing} = nothing, run...)
    engine = (tensors, conj, run) -> engine_pinv(tensors, conj, atol, relative(rtol), run)
    return first(decompose(engine, (A,), (X,); run...))
end

"The relative tolerance as the engine takes it: negative for its own."
relative(::Nothing) = -1.0
relative(rtol::Real) = rtol >= 0 ? Float64(rtol) : throw(ArgumentError("rtol is $rtol, but must be 0 or positive"))
