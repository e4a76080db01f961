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
