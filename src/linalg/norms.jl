# Norms of matrices.

const NORMS = (frobenius = 0, spectral = 1, nuclear = 2, one = 3, infinity = 4)

"""
    matrix_norm(A, kind = :frobenius)

A norm of a matrix, or an array with that of each matrix of a stack: `:frobenius`, the root of the sum of squares;
`:spectral`, the largest singular value; `:nuclear`, the sum of them; `:one`, the largest sum of magnitudes of a column;
`:infinity`, of a row. Of an empty matrix it is 0. Nothing overflows or underflows on the way.

Throws an `ArgumentError` for another word, if an entry is `NaN` or infinite, or if the norm is too large for the type.

```jldoctest
julia> using TensorOxide

julia> A = [3.0 0.0; 4.0 0.0];

julia> [round(TensorOxide.matrix_norm(A, kind); digits = 12) for kind in (:frobenius, :spectral, :one, :infinity)]
4-element Vector{Float64}:
 5.0
 5.0
 7.0
 4.0
```
"""
function matrix_norm(A::Stack, kind::Symbol = :frobenius; run...)
    haskey(NORMS, kind) || throw(ArgumentError("the norm is one of $(join(keys(NORMS), ", ")), not $kind"))
    code = NORMS[kind]
    norms = Array{real(matrix_type(A))}(undef, batch_size(A))
    decompose((tensors, conj, how) -> engine_norm(tensors, code, how), (A,), (norms,); run...)
    return ndims(A) == 2 ? norms[] : norms
end
