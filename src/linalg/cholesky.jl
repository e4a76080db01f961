# The triangular root of positive definite matrices.

"""
    L = cholesky(A)

Cholesky's factor of a positive definite Hermitian (real: symmetric) matrix, `A = L·L'`: lower triangular, its diagonal real
and positive.

`A` is Hermitian up to rounding, or in the `Hermitian` or real `Symmetric` wrapper, as for [`eigh_full`](@ref); further
dimensions make it a stack. `cholesky(T, rows, columns)` splits a tensor, and its factor, in the same way. Throws a
`LinearAlgebra.PosDefException(k)` if the leading `k×k` block is not positive definite and no smaller one,
an `ArgumentError` if `A` is not Hermitian or if an entry is `NaN` or infinite, a `DimensionMismatch` if it is not square.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.cholesky([4.0 2.0; 2.0 10.0])
2×2 Matrix{Float64}:
 2.0  0.0
 1.0  3.0
```
"""
cholesky(A::Stack; run...) = cholesky!(A, Array{matrix_type(A)}(undef, size(A)); run...)
function cholesky(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    return reshape(cholesky(M; run...), m..., n...)
end

"""
    cholesky!(A, L; workspace = nothing, provider = nothing)

[`cholesky`](@ref) into an array of the caller, which is returned. `A` stays as it is.
"""
function cholesky!(A::Stack, L; run...)
    check_square(A)
    check_hermitian(A)
    return first(decompose_lower(engine_cholesky, A, (L,); run...))
end
