# Eigenvalues and eigenvectors of Hermitian matrices.

"""
    w, V = eigh_full(A; workspace = nothing, provider = nothing)

Eigendecomposition `A = V·Diagonal(w)·V'` of a Hermitian (real: symmetric) matrix: `w` holds the eigenvalues in
ascending order, the columns of `V` are orthonormal eigenvectors, in each of which the entry of largest magnitude (the
first of equals) is real and positive.

`A` is any strided matrix that is Hermitian up to rounding, `maximum(abs, A - A') ≤ eps^(3/4)·maximum(abs, A)`, or the
`Hermitian` or real `Symmetric` wrapper of any strided matrix, of which only the named triangle counts. Of a plain
matrix the lower triangle is used. Throws an `ArgumentError` if `A` is not Hermitian or if an entry is `NaN` or
infinite, a `DimensionMismatch` if it is not square, a `LinearAlgebra.LAPACKException` if the iteration does not
converge.

```jldoctest
julia> using TensorOxide

julia> w, V = TensorOxide.eigh_full([0.0 1.0; 1.0 0.0]);

julia> w
2-element Vector{Float64}:
 -1.0
  1.0
```
"""
function eigh_full(A::Stack; run...)
    T, n = matrix_type(A), check_square(A)
    return eigh_full!(A, (Array{real(T)}(undef, n, batch_size(A)...), Array{T}(undef, n, n, batch_size(A)...)); run...)
end

"""
    eigh_full!(A, (w, V); workspace = nothing, provider = nothing)

[`eigh_full`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
function eigh_full!(A::Stack, wV::Tuple; run...)
    check_square(A)
    check_hermitian(A)
    return decompose(engine_eigh_full, (lower(A),), wV; run...)
end

# The engine reads the lower triangle; the adjoint of the upper one is the same.
const HermitianMatrix = Union{Hermitian,Symmetric{<:Real}}
lower(A::HermitianMatrix) = A.uplo == 'L' ? parent(A) : parent(A)'
lower(A) = A

check_hermitian(::HermitianMatrix) = nothing
function check_hermitian(A::AbstractArray{T}) where {T}
    largest = asymmetry = zero(float(real(T)))
    for I in CartesianIndices(axes(A)[3:end]), j in axes(A, 2), i in first(axes(A, 1)):j
        largest = max(largest, abs(A[i, j, I]), abs(A[j, i, I]))
        asymmetry = max(asymmetry, abs(A[i, j, I] - conj(A[j, i, I])))
    end
    # Not-finite entries make this false and are the engine's to report.
    asymmetry > eps(typeof(largest))^(3 / 4) * largest && throw(ArgumentError(
        "the matrix is not Hermitian: it differs from its adjoint by up to $asymmetry, with entries up to $largest; " *
        "pass `Hermitian(A)` to use one triangle of it"))
    return nothing
end
