# Functions of matrices.

"""
    expm(A)

The exponential of a square matrix: by its eigenvalues if it is Hermitian to the last bit, and is then Hermitian to the last
bit; otherwise by scaling and squaring of a Padé approximant (Al-Mohy and Higham, SIAM J. Matrix Anal. Appl. 31, 970
(2009)).

`A` is any strided matrix; integers are converted to floating point. Throws an `ArgumentError` if an entry of `A` is `NaN` or
infinite, or if one of `exp(A)` is too large for its type, a `DimensionMismatch` if `A` is not square.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.expm([0.0 2.0; 0.0 0.0]) == [1 2; 0 1]
true
```
"""
function expm(A::Stack; run...)
    T, n = matrix_type(A), check_square(A)
    return expm!(A, Array{T}(undef, n, n, batch_size(A)...); run...)
end

"""
    expm!(A, X; workspace = nothing, provider = nothing)

[`expm`](@ref) into an array of the caller, which is returned. `A` stays as it is.
"""
function expm!(A::Stack, X::AbstractArray; run...)
    check_square(A)
    return decompose(engine_expm, (A,), (X,); run...)[1]
end

const FUNCTIONS = (exp = 0, log = 1, sqrt = 2, inv = 3, invsqrt = 4)

"""
    hermitian_function(f, A)

`f(A) = V·Diagonal(f.(w))·V'` for a Hermitian `A = V·Diagonal(w)·V'`, as [`eigh_full`](@ref) reads it.

`f` is a name, `:exp`, `:log`, `:sqrt`, `:inv` or `:invsqrt`, or any function of a real number. With a name the engine does
it all, and `:sqrt` takes an eigenvalue that is negative by no more than rounding, `n·eps` times the largest, for 0. Where
`f` is real the result is Hermitian to the last bit. Throws what `eigh_full` throws, and an `ArgumentError` if `f` is not
finite at an eigenvalue.

```jldoctest
julia> using TensorOxide

julia> round.(TensorOxide.hermitian_function(:sqrt, [5.0 4.0; 4.0 5.0]); digits = 12)
2×2 Matrix{Float64}:
 2.0  1.0
 1.0  2.0

julia> round.(TensorOxide.hermitian_function(x -> x^2, [1.0 1.0; 1.0 1.0]); digits = 12)
2×2 Matrix{Float64}:
 2.0  2.0
 2.0  2.0
```
"""
function hermitian_function(f::Symbol, A::Stack; run...)
    T, n = matrix_type(A), check_square(A)
    return hermitian_function!(f, A, Array{T}(undef, n, n, batch_size(A)...); run...)
end
function hermitian_function(f, A::Stack; run...)
    w, V = eigh_full(A; run...)
    y = map(f, w)
    for (x, value) in zip(w, y)
        isfinite(value) || throw(ArgumentError("the function is not a finite number at the eigenvalue $x"))
    end
    T = promote_type(eltype(V), float(eltype(y)))
    X = Array{T}(undef, size(V))
    for I in CartesianIndices(batch_size(A))
        U = V[:, :, I]
        B = U * Diagonal(y[:, I]) * U'
        X[:, :, I] = eltype(y) <: Real ? Matrix(Hermitian(B, :L)) : B
    end
    return X
end

"""
    hermitian_function!(f::Symbol, A, X; workspace = nothing, provider = nothing)

[`hermitian_function`](@ref) into an array of the caller, which is returned. `A` stays as it is.
"""
function hermitian_function!(f::Symbol, A::Stack, X::AbstractArray; run...)
    haskey(FUNCTIONS, f) || throw(ArgumentError("the function is one of $(join(keys(FUNCTIONS), ", ")), not $f"))
    check_square(A)
    check_hermitian(A)
    code = FUNCTIONS[f]
    return decompose_lower((tensors, conj, how) -> engine_hermitian_function(tensors, conj, code, how), A, (X,);
                     run...)[1]
end
