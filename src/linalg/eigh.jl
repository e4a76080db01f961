# Eigenvalues and eigenvectors of Hermitian matrices.

"""
    w, V = eigh_full(A; workspace = nothing, provider = nothing)

Eigendecomposition `A = V·Diagonal(w)·V'` of a Hermitian (real: symmetric) matrix: `w` holds the eigenvalues in
ascending order, the columns of `V` are orthonormal eigenvectors, in each of which the entry of largest magnitude (the
first of equals) is real and positive.

`A` is any strided matrix that is Hermitian up to rounding, `maximum(abs, A - A') ≤ eps^(3/4)·maximum(abs, A)`, or the
`Hermitian` or real `Symmetric` wrapper of any strided matrix, of which only the named triangle counts. Of a plain
matrix the lower triangle is used. Throws an `ArgumentError` if `A` is not Hermitian or if an entry is `NaN` or
infinite, a `DimensionMismatch` if it is not square, a `LinearAlgebra.LAPACKException` if no driver converges, as
for [`svd_compact`](@ref).

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
    return decompose_lower(engine_eigh_full, A, wV; run...)
end

# The engine reads the lower triangle; the adjoint of the upper one is the same.
const HermitianMatrix = Union{Hermitian,Symmetric{<:Real}}

"[`decompose`](@ref) a Hermitian matrix."
@inline decompose_lower(f::F, A, outputs; run...) where {F} = decompose(f, (A,), outputs; run...)
@inline decompose_lower(f::F, A::HermitianMatrix, outputs; run...) where {F} =
    A.uplo == 'L' ? decompose(f, (parent(A),), outputs; run...) : decompose(f, (parent(A)',), outputs; run...)

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

"""
    w = eigh_vals(A)

The eigenvalues of [`eigh_full`](@ref) alone, which takes a fraction of the time.

```jldoctest
julia> using TensorOxide

julia> round.(TensorOxide.eigh_vals([0.0 1.0; 1.0 0.0]); digits = 12)
2-element Vector{Float64}:
 -1.0
  1.0
```
"""
function eigh_vals(A::Stack; run...)
    T, n = matrix_type(A), check_square(A)
    return eigh_vals!(A, Array{real(T)}(undef, n, batch_size(A)...); run...)
end

"""
    eigh_vals!(A, w; workspace = nothing, provider = nothing)

[`eigh_vals`](@ref) into an array of the caller, which is returned. `A` stays as it is.
"""
function eigh_vals!(A::Stack, w::AbstractArray; run...)
    check_square(A)
    check_hermitian(A)
    return decompose_lower(engine_eigh_vals, A, (w,); run...)[1]
end

"""
    w, V = eigh_range(A, range)

The eigenvalues of [`eigh_full`](@ref) with these numbers, in ascending order, and their vectors: `eigh_range(A, 1:3)`
is the three lowest. A few of many values take less time than all. Throws a `BoundsError` for a range that reaches
beyond `1:n`.

```jldoctest
julia> using TensorOxide

julia> w, V = TensorOxide.eigh_range([3.0 0.0; 0.0 1.0], 1:1);

julia> w, vec(V)
([1.0], [0.0, 1.0])
```
"""
function eigh_range(A::Stack, range::AbstractUnitRange{<:Integer}; run...)
    T, n = matrix_type(A), check_square(A)
    w = Array{real(T)}(undef, length(range), batch_size(A)...)
    return eigh_range!(A, range, (w, Array{T}(undef, n, length(range), batch_size(A)...)); run...)
end

"""
    eigh_range!(A, range, (w, V); workspace = nothing, provider = nothing)

[`eigh_range`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
function eigh_range!(A::Stack, range::AbstractUnitRange{<:Integer}, wV::Tuple; run...)
    n = check_square(A)
    check_hermitian(A)
    isempty(range) || issubset(range, 1:n) || throw(BoundsError(1:n, range))
    size(wV[1], 1) == length(range) || throw(DimensionMismatch(
        "w of size $(size(wV[1])) has no room for the $(length(range)) values of $range"))
    first0 = isempty(range) ? 0 : first(range) - 1
    return decompose_lower((tensors, conj, how) -> engine_eigh_range(tensors, conj, first0, how), A, wV; run...)
end

"""
    w, V, ϵ = eigh_trunc(A; maxrank = typemax(Int), minrank = 1, atol = 0, rtol = 0, discarded_weight = 0,
                         keep_multiplets = false, method = :full, tol = eps^(3/4), seed = 0)

Eigendecomposition as by [`eigh_full`](@ref), cut to the eigenvalues of largest modulus, in the order of descending
modulus. The rules and methods are those of [`svd_trunc`](@ref), applied to the moduli, and `ϵ` is the 2-norm of what
was cut: `norm(A - V·Diagonal(w)·V') ≈ ϵ`. A stack is cut to one rank, and `ϵ` is then an array. Of equal moduli the
order is free.

```jldoctest
julia> using TensorOxide

julia> w, V, ϵ = TensorOxide.eigh_trunc([2.0 0.0; 0.0 -3.0]; maxrank = 1);

julia> w, ϵ
([-3.0], 2.0)
```
"""
function eigh_trunc(A::Stack; workspace = nothing, provider = nothing, rules...)
    T, n, batch = matrix_type(A), check_square(A), batch_size(A)
    limits = truncation(n; rules...)
    most = ceiling(limits)
    w, V = Array{real(T)}(undef, most, batch...), Array{T}(undef, n, most, batch...)
    r, ϵ = truncate_lower(A, limits, (w, V); workspace = workspace, provider = provider)
    r == most && return w, V, ϵ
    colons = map(_ -> :, batch)
    return w[1:r, colons...], V[:, 1:r, colons...], ϵ
end

"""
    r, ϵ = eigh_trunc!(A, (w, V); maxrank = size(w, 1), …)

[`eigh_trunc`](@ref) into arrays of the caller, of which the first `r` entries and columns are written, as by
[`svd_trunc!`](@ref). `A` stays as it is.
"""
function eigh_trunc!(A::Stack, wV::Tuple; maxrank::Integer = size(wV[1], 1), workspace = nothing, provider = nothing,
                     rules...)
    limits = truncation(check_square(A); maxrank = maxrank, rules...)
    return truncate_lower(A, limits, wV; workspace = workspace, provider = provider)
end

@inline function truncate_lower(A, limits, wV; run...)
    check_hermitian(A)
    A isa HermitianMatrix || return decompose_truncated(engine_eigh_trunc, A, limits, wV; run...)
    A.uplo == 'L' && return decompose_truncated(engine_eigh_trunc, parent(A), limits, wV; run...)
    return decompose_truncated(engine_eigh_trunc, parent(A)', limits, wV; run...)
end
