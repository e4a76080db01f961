# Decompositions of matrices: the names are MatrixAlgebraKit's, the conventions those of the written standard.

"""
    U, S, Vᴴ = svd_compact(A)

Singular value decomposition `A = U·Diagonal(S)·Vᴴ` of an `m×n` matrix with `k = min(m, n)`: `U` is `m×k` and `Vᴴ` is
`k×n` with orthonormal columns and rows, `S` holds `k` real numbers ≥ 0 in descending order. In each column of `U` the
entry of largest magnitude (the first of those that are equal up to rounding) is real and positive.

`A` is any strided matrix; integers are converted to floating point. Throws an `ArgumentError` if an entry is `NaN` or
infinite, a `LinearAlgebra.LAPACKException` if the iteration does not converge.

```jldoctest
julia> using TensorOxide

julia> U, S, Vᴴ = TensorOxide.svd_compact([0.0 2.0; 3.0 0.0]);

julia> S
2-element Vector{Float64}:
 3.0
 2.0
```
"""
function svd_compact(A::AbstractMatrix)
    T = matrix_type(A)
    m, n = size(A)
    U, S, Vᴴ = svd_room(T, m, n, min(m, n))
    decompose(engine_svd_compact, A, U, S, Vᴴ)
    return U, S, Vᴴ
end

"""
    U, S, Vᴴ, ϵ = svd_trunc(A; maxrank = typemax(Int), minrank = 1, atol = 0, rtol = 0, discarded_weight = 0,
                            keep_multiplets = false)

Singular value decomposition as by [`svd_compact`](@ref), cut to the `r` largest singular values: `U` is `m×r`, `S`
has `r` entries, `Vᴴ` is `r×n`. `ϵ` is the 2-norm of what was cut, so that `norm(A - U·Diagonal(S)·Vᴴ) ≈ ϵ`.

Each rule says how many values may stay, the strictest one decides, and then `minrank` are kept in any case:
- `maxrank`: at most so many;
- `atol`: those not below `atol`;
- `rtol`: those not below `rtol` times the 2-norm of all of them;
- `discarded_weight`: what is cut may have a sum of squares of at most this part of the sum of all squares;
- `keep_multiplets = true`: a group of equal values that a cut would part is cut off as a whole, or kept as a whole
  where fewer than `minrank` would stay.

Throws what [`svd_compact`](@ref) throws, and an `ArgumentError` for a negative or `NaN` bound.

```jldoctest
julia> using TensorOxide, LinearAlgebra

julia> U, S, Vᴴ, ϵ = TensorOxide.svd_trunc(Diagonal([5.0, 4.0, 3.0]) |> Matrix; maxrank = 1);

julia> S, ϵ
([5.0], 5.0)
```
"""
function svd_trunc(A::AbstractMatrix; maxrank::Integer = typemax(Int), minrank::Integer = 1, atol::Real = 0,
                   rtol::Real = 0, discarded_weight::Real = 0, keep_multiplets::Bool = false)
    maxrank >= 0 || throw(ArgumentError("maxrank = $maxrank is negative"))
    minrank >= 0 || throw(ArgumentError("minrank = $minrank is negative"))
    T = matrix_type(A)
    m, n = size(A)
    k = min(m, n)
    most = min(k, max(maxrank, minrank))
    U, S, Vᴴ = svd_room(T, m, n, most)
    rules = Truncation(min(maxrank, k), min(minrank, k), atol, rtol, discarded_weight, keep_multiplets)
    rank = Ref{Int64}(0)
    ϵ = Ref{Float64}(0)
    decompose((tensors, conj) -> engine_svd_trunc(tensors, conj, rules, rank, ϵ), A, U, S, Vᴴ)
    r = rank[]
    r == most && return U, S, Vᴴ, real(T)(ϵ[])
    return U[:, 1:r], S[1:r], Vᴴ[1:r, :], real(T)(ϵ[])
end

svd_room(T, m, n, k) = Matrix{T}(undef, m, k), Vector{real(T)}(undef, k), Matrix{T}(undef, k, n)

"""
    Q, R = qr_compact(A)

QR decomposition `A = Q·R` of an `m×n` matrix with `k = min(m, n)`: `Q` is `m×k` with orthonormal columns, `R` is `k×n`,
upper triangular (trapezoidal for `m < n`), its diagonal real and ≥ 0.

`A` is any strided matrix; integers are converted to floating point. Throws an `ArgumentError` if an entry is `NaN` or
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
function qr_compact(A::AbstractMatrix)
    T = matrix_type(A)
    m, n = size(A)
    k = min(m, n)
    Q, R = Matrix{T}(undef, m, k), Matrix{T}(undef, k, n)
    decompose(engine_qr_compact, A, Q, R)
    return Q, R
end

"""
    w, V = eigh_full(A)

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
function eigh_full(A::AbstractMatrix)
    T = matrix_type(A)
    size(A, 1) == size(A, 2) || throw(DimensionMismatch("the matrix of size $(size(A)) is not square"))
    check_hermitian(A)
    return eigh_lower(T, A)
end
# The engine reads the lower triangle; the adjoint of the upper one is the same.
const HermitianMatrix = Union{Hermitian,Symmetric{<:Real}}
eigh_full(A::HermitianMatrix) = eigh_lower(matrix_type(A), A.uplo == 'L' ? parent(A) : parent(A)')

function eigh_lower(::Type{T}, A) where {T}
    n = size(A, 1)
    w, V = Vector{real(T)}(undef, n), Matrix{T}(undef, n, n)
    decompose(engine_eigh_full, A, w, V)
    return w, V
end

function check_hermitian(A::AbstractMatrix{T}) where {T}
    largest = asymmetry = zero(float(real(T)))
    for j in axes(A, 2), i in first(axes(A, 1)):j
        largest = max(largest, abs(A[i, j]), abs(A[j, i]))
        asymmetry = max(asymmetry, abs(A[i, j] - conj(A[j, i])))
    end
    # Not-finite entries make this false and are the engine's to report.
    asymmetry > eps(typeof(largest))^(3 / 4) * largest && throw(ArgumentError(
        "the matrix is not Hermitian: it differs from its adjoint by up to $asymmetry, with entries up to $largest; " *
        "pass `Hermitian(A)` to use one triangle of it"))
    return nothing
end

"The element type of the decomposition of `A`."
function matrix_type(A::AbstractMatrix{T}) where {T}
    F = T <: Union{Integer,Complex{<:Integer}} ? float(T) : T
    F <: Element && isconcretetype(F) || throw_unsupported(T, name(MATRIX))
    return F
end

"Call `f(tensors, conj)` with the tensors of the matrix `A` and of the freshly made `outputs`."
function decompose(f, A, outputs...)
    all_tensors = (eltype(A) <: Element ? A : convert(Matrix{matrix_type(A)}, A), outputs...)
    frame = Vector{Int64}(undef, sum(words, all_tensors))
    GC.@preserve frame all_tensors begin
        tensors = convert(Ptr{DLTensor}, pointer(frame))
        room = pointer(frame) + length(all_tensors) * sizeof(DLTensor)
        conj, room = place!(tensors, 1, room, first(all_tensors), MATRIX)
        for k in 2:length(all_tensors)
            _, room = place!(tensors, k, room, all_tensors[k], OUTPUT)
        end
        f(tensors, conj)
    end
    return nothing
end
