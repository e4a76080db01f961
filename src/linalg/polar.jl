# An isometry and a positive factor.

"""
    W, P = left_polar(A)

Polar decomposition `A = W·P` of an `m×n` matrix with `m ≥ n`: `W` is `m×n` with orthonormal columns, the isometry nearest to
`A`; `P` is `n×n`, Hermitian to the last bit and positive semidefinite. `P` is unique, and so is `W` if `A` has full rank.

Inputs and errors as for [`svd_compact`](@ref); a `DimensionMismatch` for `m < n`.

```jldoctest
julia> using TensorOxide

julia> W, P = TensorOxide.left_polar([0.0 2.0; -3.0 0.0]);

julia> round.(P; digits = 12)
2×2 Matrix{Float64}:
 3.0  0.0
 0.0  2.0
```
"""
function left_polar(A::Stack; run...)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    check_tall(m, n)
    return left_polar!(A, (Array{T}(undef, m, n, batch...), Array{T}(undef, n, n, batch...)); run...)
end
function left_polar(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    W, P = left_polar(M; run...)
    return reshape(W, m..., :), reshape(P, :, n...)
end

"""
    left_polar!(A, (W, P); workspace = nothing, provider = nothing)

[`left_polar`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
left_polar!(A::Stack, WP::Tuple; run...) = decompose(engine_left_polar, (A,), WP; run...)

"""
    P, Wᴴ = right_polar(A)

Polar decomposition `A = P·Wᴴ` of an `m×n` matrix with `m ≤ n`: `P` is `m×m`, Hermitian to the last bit and positive
semidefinite; `Wᴴ` is `m×n` with orthonormal rows. See [`left_polar`](@ref); a `DimensionMismatch` for `m > n`.

```jldoctest
julia> using TensorOxide

julia> P, Wᴴ = TensorOxide.right_polar([0.0 2.0; -3.0 0.0]);

julia> round.(P; digits = 12)
2×2 Matrix{Float64}:
 2.0  0.0
 0.0  3.0
```
"""
function right_polar(A::Stack; run...)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    check_wide(m, n)
    return right_polar!(A, (Array{T}(undef, m, m, batch...), Array{T}(undef, m, n, batch...)); run...)
end
function right_polar(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    P, Wᴴ = right_polar(M; run...)
    return reshape(P, m..., :), reshape(Wᴴ, :, n...)
end

"""
    right_polar!(A, (P, Wᴴ); workspace = nothing, provider = nothing)

[`right_polar`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
right_polar!(A::Stack, PWᴴ::Tuple; run...) = decompose(engine_right_polar, (A,), PWᴴ; run...)

check_tall(m, n) = m >= n ||
    throw(DimensionMismatch("a matrix of size $((m, n)) has no left polar decomposition, but a right one"))
check_wide(m, n) = m <= n ||
    throw(DimensionMismatch("a matrix of size $((m, n)) has no right polar decomposition, but a left one"))
