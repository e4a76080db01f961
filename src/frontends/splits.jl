# Decompositions of an `OxideMatrix` whose rank the caller decides when it has seen the values, as tensor packages do by
# rules of their own.

"""
    svd_by(rule, A::OxideMatrix, most = typemax(Int)) -> U, S, V

Singular value decomposition `A = U·Diagonal(S)·transpose(V)`, cut to the `rule(S, ϵ)` largest values, where `S` is a
`Vector` of the `most` largest of them and `ϵ` the 2-norm of those that are left out beforehand.
"""
function svd_by(rule::F, A::OxideMatrix{T}, most::Integer = typemax(Int)) where {F,T}
    (m, n), most = size(A), clamp(most, 1, max(1, minimum(size(A))))
    U, V = OxideMatrix{T}(undef, m, min(most, m, n)), OxideMatrix{T}(undef, n, min(most, m, n))
    S, ϵ = Vector{real(T)}(undef, size(U, 2)), zero(real(T))
    if most < min(m, n)
        _, ϵ = svd_trunc!(A, (U, S, transpose(V)))
    else
        svd_compact!(A, (U, S, transpose(V)))
    end
    r = rule(S, ϵ)
    return first_columns(U, r), OxideVector{real(T)}(resize!(S, r), 0, WHOLE), first_columns(V, r)
end

"""
    eigh_by(rule, A::HermitianMatrix) -> w, V

Eigenvalues, by falling modulus, and vectors of a Hermitian matrix, cut to the first `rule(w)` of them, where `w` is a
`Vector` of all values.
"""
function eigh_by(rule::F, A::HermitianMatrix) where {F}
    w, V = eigh_full(A)
    order = sortperm(w; rev = true, by = abs)
    w = w[order]
    r = rule(w)
    kept = OxideMatrix{eltype(V)}(undef, size(V, 1), r)
    n = size(V, 1)
    for k in 1:r
        copyto!(kept.memory, (k - 1) * n + 1, V, (order[k] - 1) * n + 1, n)
    end
    return OxideVector{eltype(w)}(resize!(w, r), 0, WHOLE), kept
end

"""
    eig_by(rule, A::OxideMatrix) -> w, V

[`eigh_by`](@ref) for any square matrix: complex eigenvalues in the order of [`eig_full`](@ref).
"""
function eig_by(rule::F, A::OxideMatrix) where {F}
    w, V = eig_full(A)
    r = rule(w)
    return OxideArray(w[1:r]), OxideArray(V[:, 1:r])
end

"""
    qr_of(A::OxideMatrix) -> Q, R
    ql_of(A::OxideMatrix) -> Q, L

[`qr_compact`](@ref), and the same with a lower triangular factor `L`, whose last diagonal (that which ends in the lower
right corner) is real and ≥ 0: the factors of `A` with its columns in reverse order, in reverse order.
"""
function qr_of(A::OxideMatrix{T}) where {T}
    m, n = size(A)
    QR = OxideMatrix{T}(undef, m, min(m, n)), OxideMatrix{T}(undef, min(m, n), n)
    return qr_compact!(A, QR)
end
function ql_of(A::OxideMatrix{T}) where {T}
    m, n = size(A)
    k = min(m, n)
    Q, L = OxideMatrix{T}(undef, m, k), OxideMatrix{T}(undef, k, n)
    qr_compact!(view(A, :, n:-1:1), (view(Q, :, k:-1:1), view(L, k:-1:1, n:-1:1)))
    return Q, L
end

function first_columns(A::OxideMatrix{T}, r) where {T}
    r == size(A, 2) && return A
    first = OxideMatrix{T}(undef, size(A, 1), r)
    copyto!(first.memory, 1, A.memory, A.offset + 1, length(first))
    return first
end

"""
    diagonal_labels(labelsC, labelsA, labelsD) -> labelsC, labelsA

The labels of a contraction `C = A·D` with a diagonal `D` when that is the vector of its diagonal, with the first of its
labels: the others become the first one. `nothing` if `D` has no labels.
"""
function diagonal_labels(labelsC, labelsA, labelsD)
    isempty(labelsD) && return nothing
    merge(label) = label in labelsD ? first(labelsD) : label
    return map(merge, labelsC), map(merge, labelsA)
end
