# Systems of linear equations, and inverses.

"""
    X = solve(A, B)
    X = solve(T, B, rows, columns)

The solution of `A·X = B` for a square matrix `A`, from [`lu`](@ref); `B` is a vector or a matrix. For a stack `A`, `B`
has the same further dimensions.

`T` is a tensor: `rows` and `columns` are tuples that name each of its dimensions once. `B` then begins with the
dimensions of the rows; `X` begins with those of the columns, and ends as `B` does.

`A` and `B` are any strided arrays; integers are converted to floating point. Throws a
`LinearAlgebra.SingularException(k)` if the `k`-th pivot is exactly zero, a `DimensionMismatch` if the sizes do not fit,
an `ArgumentError` if an entry is `NaN` or infinite, or if one of `X` is too large for the type.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.solve([0.0 4.0; 2.0 0.0], [8.0, 6.0])
2-element Vector{Float64}:
 3.0
 2.0
```
"""
solve(A::Stack, B::AbstractArray; run...) = solve!(A, B, unknowns(A, B); run...)
function solve(A::AbstractArray, B::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, Y, shape = split_system(A, B, rows, columns)
    return reshape(solve(M, Y; run...), shape)
end

"""
    solve!(A, B, X; workspace = nothing, provider = nothing)

[`solve`](@ref) into an array of the caller, which is returned. `A` and `B` stay as they are.
"""
function solve!(A::Stack, B::AbstractArray, X; run...)
    check_square(A)
    return first(decompose(engine_solve, system(A, B), (X,); run...))
end

"""
    X = solve_triangular(A, B; uplo, unit_diagonal = false)

The solution of `A·X = B` for the upper (`uplo = :U`) or lower (`:L`) triangle of `A`, of which nothing else is read;
`unit_diagonal = true` has ones on its diagonal. The triangular wrappers of LinearAlgebra say both by themselves. A
transposed or adjoint `A` is the transposed or adjoint array, whose triangle is the other one: `solve_triangular(L', B;
uplo = :U)`. Otherwise as [`solve`](@ref): a zero on the diagonal throws a `LinearAlgebra.SingularException(k)`.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.solve_triangular([2.0 1.0; NaN 4.0], [4.0, 8.0]; uplo = :U)
2-element Vector{Float64}:
 1.0
 2.0
```
"""
solve_triangular(A::Stack, B::AbstractArray; options...) = solve_triangular!(A, B, unknowns(A, B); options...)

"""
    solve_triangular!(A, B, X; uplo, unit_diagonal = false, workspace = nothing, provider = nothing)

[`solve_triangular`](@ref) into an array of the caller, which is returned. `A` and `B` stay as they are.
"""
function solve_triangular!(A::Stack, B::AbstractArray, X; uplo::Symbol, unit_diagonal::Bool = false, run...)
    uplo in (:U, :L) || throw(ArgumentError("uplo is :U or :L, not $(repr(uplo))"))
    check_square(A)
    engine = (tensors, conj, run) -> engine_solve_triangular(tensors, conj, uplo === :U, unit_diagonal, run)
    return first(decompose(engine, system(A, B), (X,); run...))
end
solve_triangular!(A::UpperTriangular, B::AbstractArray, X; run...) =
    solve_triangular!(parent(A), B, X; uplo = :U, run...)
solve_triangular!(A::LowerTriangular, B::AbstractArray, X; run...) =
    solve_triangular!(parent(A), B, X; uplo = :L, run...)
solve_triangular!(A::UnitUpperTriangular, B::AbstractArray, X; run...) =
    solve_triangular!(parent(A), B, X; uplo = :U, unit_diagonal = true, run...)
solve_triangular!(A::UnitLowerTriangular, B::AbstractArray, X; run...) =
    solve_triangular!(parent(A), B, X; uplo = :L, unit_diagonal = true, run...)

"The matrices of a system of tensors, and the size of the solution."
function split_system(A, B, rows, columns)
    M, m, n = matricize(A, rows, columns)
    k = length(m)
    ndims(B) >= k && size(B)[1:k] == m || throw(DimensionMismatch(
        "the right-hand side of size $(size(B)) does not begin with the sizes $m of the rows"))
    rest = size(B)[k+1:end]
    return M, reshape(B, prod(m), prod(rest)), (n..., rest...)
end

"The element type of the solution of a system."
system_type(A, B) = promote_type(matrix_type(A), float(eltype(B)))

"A fresh array for the solution: with as many rows as `A` has columns, otherwise of the size of `B`."
unknowns(A, B) = Array{system_type(A, B)}(undef, size(A, 2), size(B)[2:end]...)

"Both sides with elements of one type; the second one is not to be read conjugated."
function system(A, B)
    T = system_type(A, B)
    X = eltype(A) === T ? A : convert(Array{T,ndims(A)}, A)
    Y = eltype(B) === T ? B : convert(Array{T,ndims(B)}, B)
    return X, T <: Complex && last(layout(Y, MATRIX)) ? Array(Y) : Y
end

"""
    inv(A)

The inverse of a square matrix, or of those of a stack, from [`lu`](@ref). `inv(T, rows, columns)` splits a tensor: the
inverse has the dimensions of the columns first. Throws a `LinearAlgebra.SingularException(k)` if the `k`-th pivot is
exactly zero, a `DimensionMismatch` if the matrix is not square, an `ArgumentError` if an entry is `NaN` or infinite, or
if one of the inverse is too large for the type.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.inv([4.0 2.0; 2.0 2.0])
2×2 Matrix{Float64}:
  0.5  -0.5
 -0.5   1.0
```
"""
inv(A::Stack; run...) = inv!(A, Array{matrix_type(A)}(undef, size(A)); run...)
function inv(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    return reshape(inv(M; run...), n..., m...)
end

"""
    inv!(A, X; workspace = nothing, provider = nothing)

[`inv`](@ref) into an array of the caller, which is returned. `A` stays as it is.
"""
function inv!(A::Stack, X; run...)
    check_square(A)
    return first(decompose(engine_inv, (A,), (X,); run...))
end
