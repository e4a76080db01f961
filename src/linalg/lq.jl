# Triangles and orthogonal factors: QR from the other side.

"""
    L, Q = lq_compact(A)

LQ decomposition `A = L·Q` of an `m×n` matrix with `k = min(m, n)`: `L` is `m×k`, lower triangular (trapezoidal for
`m > n`), its diagonal real and ≥ 0, `Q` is `k×n` with orthonormal rows. Inputs and errors as for [`qr_compact`](@ref).

```jldoctest
julia> using TensorOxide

julia> L, Q = TensorOxide.lq_compact([0.0 2.0; -1.0 4.0]);

julia> L
2×2 Matrix{Float64}:
 2.0  0.0
 4.0  1.0
```
"""
function lq_compact(A::Stack; run...)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    k = min(m, n)
    return lq_compact!(A, (Array{T}(undef, m, k, batch...), Array{T}(undef, k, n, batch...)); run...)
end
function lq_compact(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    L, Q = lq_compact(M; run...)
    return reshape(L, m..., :), reshape(Q, :, n...)
end

"""
    lq_compact!(A, (L, Q); workspace = nothing, provider = nothing)

[`lq_compact`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
lq_compact!(A::Stack, LQ::Tuple; run...) = decompose(engine_lq_compact, (A,), LQ; run...)

"""
    L, Q = lq_full(A)

[`lq_compact`](@ref) with a square, unitary `Q`: `L` is `m×n`, `Q` is `n×n`. The first `k = min(m, n)` columns of `L` and rows
of `Q` are those of `lq_compact`, further columns of `L` are 0; each further row of `Q` is the adjoint of a vector in which
the entry of largest magnitude is real and positive.

```jldoctest
julia> using TensorOxide

julia> L, Q = TensorOxide.lq_full([2.0 0.0 0.0]);

julia> L, size(Q)
([2.0 0.0 0.0], (3, 3))
```
"""
function lq_full(A::Stack; run...)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    return lq_full!(A, (Array{T}(undef, m, n, batch...), Array{T}(undef, n, n, batch...)); run...)
end
function lq_full(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    L, Q = lq_full(M; run...)
    return reshape(L, m..., :), reshape(Q, :, n...)
end

"""
    lq_full!(A, (L, Q); workspace = nothing, provider = nothing)

[`lq_full`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
lq_full!(A::Stack, LQ::Tuple; run...) = decompose(engine_lq_full, (A,), LQ; run...)

"""
    N = lq_null(A)

An orthonormal basis, by rows, of what the rows of `Q` in [`lq_compact`](@ref) leave: the `n - k` further rows of `Q` in
[`lq_full`](@ref), for which `A·N' ≈ 0`. If the rows of `A` are linearly independent, the columns of `N'` span the null
space of `A`; otherwise a part of it.

```jldoctest
julia> using TensorOxide

julia> abs.(TensorOxide.lq_null([2.0 0.0 0.0; 0.0 0.0 1.0]))
1×3 Matrix{Float64}:
 0.0  1.0  0.0
```
"""
function lq_null(A::Stack; run...)
    T, (m, n) = matrix_type(A), matrix_size(A)
    return lq_null!(A, Array{T}(undef, n - min(m, n), n, batch_size(A)...); run...)
end
function lq_null(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, _, n = matricize(A, rows, columns)
    return reshape(lq_null(M; run...), :, n...)
end

"""
    lq_null!(A, N; workspace = nothing, provider = nothing)

[`lq_null`](@ref) into an array of the caller, which is returned. `A` stays as it is.
"""
lq_null!(A::Stack, N::AbstractArray; run...) = decompose(engine_lq_null, (A,), (N,); run...)[1]
