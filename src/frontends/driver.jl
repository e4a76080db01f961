# Decompositions in the conventions of MatrixAlgebraKit.jl, for the driver that its extension defines: everything goes
# into arrays of the caller, of which some may share memory with the matrix, and an empty triangle is one that nobody
# wants.

"""
    TensorOxideDriver()

The driver that has MatrixAlgebraKit.jl's algorithms computed by the engine. It goes into the keyword `driver` of an
algorithm, `svd_trunc(A; alg = SafeDivideAndConquer(; driver = TensorOxideDriver()))`, or of a function that hands it to
its default algorithm, `qr_compact(A; driver = TensorOxideDriver())`; TensorKit's and MPSKit's functions take the same
algorithms. Needs Julia 1.10 and MatrixAlgebraKit 0.6.5 or newer, loaded before the call: an `ArgumentError` otherwise.

| function | algorithms | options |
|---|---|---|
| `svd_compact`, `svd_full`, `svd_vals`, `svd_trunc` | `SafeDivideAndConquer`, `DivideAndConquer` | `fixgauge` |
| `qr_…`, `lq_…`: `compact`, `full`, `null` | `Householder` | `positive`, `pivoted` |
| `eigh_full`, `eigh_vals`, `eigh_trunc` | `RobustRepresentations`, `DivideAndConquer` | `fixgauge`, `hermitian_tol` |
| `eig_full`, `eig_vals`, `eig_trunc` | `QRIteration` | `fixgauge` |
| `schur_full`, `schur_vals` | `QRIteration` | |

What is built on these, as `left_orth`, `right_null` or `PolarViaSVD(alg)`, takes them too. Any other algorithm or
option is an `ArgumentError`, `blocksize`, `scale = false` and `expert = true` among them: the engine chooses the method,
goes on to another where one does not converge, and blocks and balances as it sees fit. The gauge is always fixed:
`fixgauge = false` and `positive = false` leave a freedom that it makes no use of. Elements are `Float32`, `Float64`,
`ComplexF32` or `ComplexF64`; the outputs may be any strided arrays, and may share memory with the matrix.
"""
TensorOxideDriver(arguments...) = throw(ArgumentError(
    isempty(arguments) ? "TensorOxideDriver() wants MatrixAlgebraKit (0.6.5 or newer) to be loaded: `using " *
                         "MatrixAlgebraKit`" : "TensorOxideDriver takes no arguments"))

"`A`, or a copy of it where an output shares its memory: the engine reads `A` while it writes."
@inline apart(A, outputs...) = any(output -> Base.mightalias(A, output), outputs) ? copy(A) : A

driver_svd_compact!(A, U, S, Vᴴ) = svd_compact!(apart(A, U, S, Vᴴ), (U, S, Vᴴ))
driver_svd_vals!(A, S) = svd_vals!(apart(A, S), S)

"Singular values on the diagonal of a matrix of the size of `A`."
function driver_svd_full!(A, U, S::AbstractMatrix, Vᴴ)
    values = Vector{eltype(S)}(undef, min(size(A)...))
    svd_full!(apart(A, U, Vᴴ), (U, values, Vᴴ))
    fill!(S, 0)
    for (k, value) in enumerate(values)
        S[k, k] = value
    end
    return U, S, Vᴴ
end

"`Q` has as many columns as the compact or the full decomposition; with pivoting `R` comes back unpermuted, `A = Q·R`."
function driver_qr!(A, Q, R, pivoted::Bool)
    A = apart(A, Q, R)
    pivoted && return driver_qr_pivoted!(A, Q, R)
    full, wanted = size(Q, 2) > min(size(A)...), isempty(R) ? similar(A, size(Q, 2), size(A, 2)) : R
    full ? qr_full!(A, (Q, wanted)) : qr_compact!(A, (Q, wanted))
    return Q, R
end

function driver_qr_pivoted!(A, Q, R)
    k = min(size(A)...)
    Qk, Rk, p, _ = qr_pivoted(A)
    copyto!(view(Q, :, 1:k), Qk)
    size(Q, 2) > k && qr_null!(Qk, view(Q, :, k+1:size(Q, 2)))
    isempty(R) && return Q, R
    fill!(R, 0)
    R[1:k, p] = Rk
    return Q, R
end

# Every orthonormal basis of the complement would do, pivoted or not; this one completes the `Q` of the same option.
driver_qr_null!(A, N, pivoted::Bool) =
    pivoted ? qr_null!(qr_pivoted(A)[1], N) : qr_null!(apart(A, N), N)

"As [`driver_qr!`](@ref), from the left: `A = L·Q`."
function driver_lq!(A, L, Q, pivoted::Bool)
    A = apart(A, L, Q)
    pivoted && return driver_lq_pivoted!(A, L, Q)
    full, wanted = size(Q, 1) > min(size(A)...), isempty(L) ? similar(A, size(A, 1), size(Q, 1)) : L
    full ? lq_full!(A, (wanted, Q)) : lq_compact!(A, (wanted, Q))
    return L, Q
end

function driver_lq_pivoted!(A, L, Q)
    Qᴴ, Lᴴ = similar(A, reverse(size(Q))), similar(A, reverse(size(L)))
    driver_qr_pivoted!(A', Qᴴ, Lᴴ)
    LinearAlgebra.adjoint!(Q, Qᴴ)
    isempty(L) || LinearAlgebra.adjoint!(L, Lᴴ)
    return L, Q
end

driver_lq_null!(A, Nᴴ, pivoted::Bool) =
    pivoted ? lq_null!(copy(qr_pivoted(A')[1]'), Nᴴ) : lq_null!(apart(A, Nᴴ), Nᴴ)

# MatrixAlgebraKit has checked that `A` is Hermitian, to the tolerance of its caller.
driver_eigh_full!(A, w, V) = eigh_full!(Hermitian(apart(A, w, V)), (w, V))
driver_eigh_vals!(A, w) = eigh_vals!(Hermitian(apart(A, w)), w)
driver_eig_full!(A, w, V) = eig_full!(apart(A, w, V), (w, V))
driver_eig_vals!(A, w) = eig_vals!(apart(A, w), w)
driver_schur_full!(A, T, Z, w) = schur_full!(apart(A, T, Z, w), (T, Z, w))
# In the order of `eig_vals`, as MatrixAlgebraKit's own drivers have it.
driver_schur_vals!(A, w) = eig_vals!(apart(A, w), w)
