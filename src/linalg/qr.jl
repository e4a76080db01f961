# Orthogonal factors and triangles.

"""
    Q, R = qr_compact(A; workspace = nothing, provider = nothing)
    Q, R = qr_compact(T, rows, columns)

QR decomposition `A = Q·R` of an `m×n` matrix with `k = min(m, n)`: `Q` is `m×k` with orthonormal columns, `R` is `k×n`,
upper triangular (trapezoidal for `m < n`), its diagonal real and ≥ 0.

`A` is any strided matrix, or a stack of matrices; integers are converted to floating point. See [`svd_compact`](@ref)
for `T`, `rows`, `columns`, `workspace` and `provider`. Throws an `ArgumentError` if an entry is `NaN` or
infinite.

```jldoctest
julia> using TensorOxide

julia> Q, R = TensorOxide.qr_compact([0.0 -1.0; 2.0 4.0]);

julia> R
2×2 Matrix{Float64}:
 2.0  4.0
 0.0  1.0
```
"""
function qr_compact(A::Stack; run...)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    k = min(m, n)
    return qr_compact!(A, (Array{T}(undef, m, k, batch...), Array{T}(undef, k, n, batch...)); run...)
end
function qr_compact(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    Q, R = qr_compact(M; run...)
    return reshape(Q, m..., :), reshape(R, :, n...)
end

"""
    qr_compact!(A, (Q, R); workspace = nothing, provider = nothing)

[`qr_compact`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
qr_compact!(A::Stack, QR::Tuple; run...) = decompose(engine_qr_compact, (A,), QR; run...)

"""
    Q, R = qr_full(A)

[`qr_compact`](@ref) with a square, unitary `Q`: `Q` is `m×m`, `R` is `m×n`. The first `k = min(m, n)` columns of `Q` and rows
of `R` are those of `qr_compact`, further rows of `R` are 0; in each further column of `Q` the entry of largest magnitude is
real and positive.

```jldoctest
julia> using TensorOxide

julia> Q, R = TensorOxide.qr_full([2.0; 0.0; 0.0][:, :]);

julia> size(Q), vec(R)
((3, 3), [2.0, 0.0, 0.0])
```
"""
function qr_full(A::Stack; run...)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    return qr_full!(A, (Array{T}(undef, m, m, batch...), Array{T}(undef, m, n, batch...)); run...)
end
function qr_full(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    Q, R = qr_full(M; run...)
    return reshape(Q, m..., :), reshape(R, :, n...)
end

"""
    qr_full!(A, (Q, R); workspace = nothing, provider = nothing)

[`qr_full`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
qr_full!(A::Stack, QR::Tuple; run...) = decompose(engine_qr_full, (A,), QR; run...)

"""
    N = qr_null(A)

An orthonormal basis of what the columns of `Q` in [`qr_compact`](@ref) leave: the `m - k` further columns of `Q` in
[`qr_full`](@ref), for which `N'A ≈ 0`. If the columns of `A` are linearly independent, that is all of the null space of
`A'`; otherwise a part of it.

```jldoctest
julia> using TensorOxide

julia> abs.(TensorOxide.qr_null([2.0 0.0; 0.0 0.0; 0.0 1.0]))
3×1 Matrix{Float64}:
 0.0
 1.0
 0.0
```
"""
function qr_null(A::Stack; run...)
    T, (m, n) = matrix_type(A), matrix_size(A)
    return qr_null!(A, Array{T}(undef, m, m - min(m, n), batch_size(A)...); run...)
end
function qr_null(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, _ = matricize(A, rows, columns)
    return reshape(qr_null(M; run...), m..., :)
end

"""
    qr_null!(A, N; workspace = nothing, provider = nothing)

[`qr_null`](@ref) into an array of the caller, which is returned. `A` stays as it is.
"""
qr_null!(A::Stack, N::AbstractArray; run...) = decompose(engine_qr_null, (A,), (N,); run...)[1]

"""
    Q, R, p, rank = qr_pivoted(A; atol = 0, rtol = max(m, n)·eps)

QR decomposition with column pivoting, `A[:, p] = Q·R`, which tells the rank. `Q` and `R` are as in [`qr_compact`](@ref), but
the diagonal of `R` does not increase (but for rounding): each column is the one of which those before leave most, the
first of equals. `rank` is the number of diagonal elements of `R` above both `atol` and `rtol` times the first. The
permutation does not depend on who computes. Of a stack, `p` is `n×batch` and `rank` an array with a number for each matrix.

```jldoctest
julia> using TensorOxide

julia> Q, R, p, rank = TensorOxide.qr_pivoted([1.0 2.0 0.0; 1.0 2.0 1.0]);

julia> p, rank
([2, 3, 1], 2)
```
"""
function qr_pivoted(A::Stack; atol::Real = 0, rtol::Union{Real,Nothing} = nothing, run...)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    k = min(m, n)
    rank = Array{Int64}(undef, batch)
    Q, R = Array{T}(undef, m, k, batch...), Array{T}(undef, k, n, batch...)
    Q, R, p = qr_pivoted!(A, (Q, R, Array{Int64}(undef, n, batch...), rank); atol = atol, rtol = rtol, run...)
    return Q, R, p, ndims(A) == 2 ? rank[] : rank
end

"""
    qr_pivoted!(A, (Q, R, p, rank); atol = 0, rtol = max(m, n)·eps, workspace = nothing, provider = nothing)

[`qr_pivoted`](@ref) into arrays of the caller, which are returned: `p` and `rank` are `Array{Int64}`, of which `rank` has
the dimensions of the batch. `A` stays as it is.
"""
function qr_pivoted!(A::Stack, (Q, R, p, rank)::Tuple{Any,Any,Array{Int64},Array{Int64}}; atol::Real = 0,
                     rtol::Union{Real,Nothing} = nothing, run...)
    matrix_type(A)
    size(p) == (size(A, 2), batch_size(A)...) && size(rank) == batch_size(A) || throw(DimensionMismatch(
        "p of size $(size(p)) and rank of size $(size(rank)) do not fit an array of size $(size(A))"))
    rtol === nothing || rtol >= 0 || throw(ArgumentError("rtol is $rtol, but must be 0 or positive"))
    relative = rtol === nothing ? -1 : rtol
    decompose((A,), (Q, R); run...) do tensors, conj, how
        engine_qr_pivoted(tensors, conj, atol, relative, p, rank, how)
    end
    p .+= 1
    return Q, R, p, rank
end
