# Triangular factors by elimination, and determinants from them.

"""
    L, U, p = lu(A)

Elimination with partial pivoting, `A[p, :] = L·U`, of an `m×n` matrix with `k = min(m, n)`: `L` is `m×k`, lower triangular
with ones on the diagonal, `U` is `k×n`, upper triangular, `p` a permutation of `1:m`. The pivot of a column is the entry
with the largest `abs(real(x)) + abs(imag(x))` that is left in it, the first of equals. A singular matrix has a zero on the
diagonal of `U`, which is no error.

`A` is any strided matrix, or a stack of matrices with further dimensions; integers are converted to floating point.
`lu(T, rows, columns)` splits a tensor. Throws an `ArgumentError` if an entry is `NaN` or infinite.

```jldoctest
julia> using TensorOxide

julia> L, U, p = TensorOxide.lu([1.0 3.0; 2.0 4.0]);

julia> U
2×2 Matrix{Float64}:
 2.0  4.0
 0.0  1.0

julia> p
2-element Vector{Int64}:
 2
 1
```
"""
lu(A::Stack; run...) = lu!(A, (triangles(A)..., permutation(A, 1)); run...)
function lu(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    L, U, p = lu(M; run...)
    return reshape(L, m..., :), reshape(U, :, n...), p
end

"""
    lu!(A, (L, U, p); workspace = nothing, provider = nothing)

[`lu`](@ref) into arrays of the caller, `p` of `Int64`, which are returned. `A` stays as it is.
"""
function lu!(A::Stack, LUp::Tuple; run...)
    decompose(engine_lu, (A,), LUp; run...)
    LUp[3] .+= 1
    return LUp
end

"""
    L, U, p, q = lu_complete(A)

Elimination with complete pivoting, `A[p, q] = L·U`: as [`lu`](@ref), with the pivot that is the largest in all that is left,
the first of equals column by column. Up to rounding, the number of nonzeros on the diagonal of `U` is the rank.

```jldoctest
julia> using TensorOxide

julia> L, U, p, q = TensorOxide.lu_complete([1.0 2.0; 2.0 4.0]);

julia> U
2×2 Matrix{Float64}:
 4.0  2.0
 0.0  0.0
```
"""
lu_complete(A::Stack; run...) =
    lu_complete!(A, (triangles(A)..., permutation(A, 1), permutation(A, 2)); run...)
function lu_complete(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    L, U, p, q = lu_complete(M; run...)
    return reshape(L, m..., :), reshape(U, :, n...), p, q
end

"""
    lu_complete!(A, (L, U, p, q); workspace = nothing, provider = nothing)

[`lu_complete`](@ref) into arrays of the caller, `p` and `q` of `Int64`, which are returned. `A` stays as it is.
"""
function lu_complete!(A::Stack, LUpq::Tuple; run...)
    decompose(engine_lu_complete, (A,), LUpq; run...)
    LUpq[3] .+= 1
    LUpq[4] .+= 1
    return LUpq
end

"Fresh arrays for the triangles of `A`."
function triangles(A)
    T, batch = matrix_type(A), batch_size(A)
    m, n = matrix_size(A)
    return Array{T}(undef, m, min(m, n), batch...), Array{T}(undef, min(m, n), n, batch...)
end
permutation(A, d) = Array{Int64}(undef, size(A, d), batch_size(A)...)

"""
    det(A)

The determinant of a square matrix, or an array of those of the matrices of a stack, from [`lu`](@ref): 0 for a singular
one, 1 for an empty one. It is 0 or infinite where it is beyond the range of the type; [`logabsdet`](@ref) is not.

`det(T, rows, columns)` splits a tensor. Throws a `DimensionMismatch` if the matrix is not square, an `ArgumentError` if an
entry is `NaN` or infinite.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.det([0.0 4.0; 2.0 0.0])
-8.0
```
"""
det(A::Stack; run...) = scalar(det!(A, numbers(matrix_type(A), A); run...))
det(A::AbstractArray, rows::Tuple, columns::Tuple; run...) = det(first(matricize(A, rows, columns)); run...)

"""
    det!(A, d; workspace = nothing, provider = nothing)

[`det`](@ref) into an array of the caller, which is returned: of the dimensions of the batch, none for one matrix.
"""
function det!(A::Stack, d; run...)
    check_square(A)
    return first(decompose(engine_det, (A,), (d,); run...))
end

"""
    l, phase = logabsdet(A)

`l = log(abs(det(A)))` and `phase = det(A)/abs(det(A))` of a square matrix, or arrays of those of the matrices of a stack:
`-Inf` and 0 for a singular one, 0 and 1 for an empty one. Otherwise as [`det`](@ref).

```jldoctest
julia> using TensorOxide

julia> TensorOxide.logabsdet([0.0 1.0; 1.0 0.0])
(0.0, -1.0)
```
"""
logabsdet(A::Stack; run...) =
    map(scalar, logabsdet!(A, (numbers(real(matrix_type(A)), A), numbers(matrix_type(A), A)); run...))
logabsdet(A::AbstractArray, rows::Tuple, columns::Tuple; run...) =
    logabsdet(first(matricize(A, rows, columns)); run...)

"""
    logabsdet!(A, (l, phase); workspace = nothing, provider = nothing)

[`logabsdet`](@ref) into arrays of the caller, which are returned: of the dimensions of the batch, none for one matrix.
"""
function logabsdet!(A::Stack, results::Tuple; run...)
    check_square(A)
    return decompose(engine_logabsdet, (A,), results; run...)
end

"A fresh array of a number for each matrix."
numbers(T, A) = Array{T}(undef, batch_size(A)...)
"The number, where there is only one matrix."
scalar(x::AbstractArray{<:Any,0}) = x[]
scalar(x::AbstractArray) = x
