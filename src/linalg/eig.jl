# Eigenvalues and eigenvectors of matrices that need not be Hermitian.

"""
    w, V = eig_full(A; workspace = nothing, provider = nothing)
    w, V = eig_full(T, rows, columns)

Eigenvalues and right eigenvectors, `A·V = V·Diagonal(w)`, of a square matrix, both complex also for a real `A`. `w`
is sorted by real part and, where real parts are equal to rounding, by imaginary part. Each column of `V` has norm 1,
and its entry of largest magnitude (the first of equals) is real and positive. For a real `A`, eigenvalues that are
not real come in pairs of exact conjugates, and so do their vectors; vectors of real eigenvalues are real.

`norm(A·v - λ·v) ≤ 10·n·eps·norm(A)` holds for each pair, or it is an error. A defective matrix has fewer than `n`
independent eigenvectors: some columns of `V` are then parallel, up to rounding.

`A` is any strided matrix, or a stack of matrices; integers are converted to floating point. The dimensions of the
tensor `T` that `rows` and `columns` name form a matrix as in [`svd_compact`](@ref), where also `workspace` and
`provider` are explained; the dimensions `rows` come back in `V`. Throws a `DimensionMismatch` for a matrix that is
not square, an `ArgumentError` if an entry is `NaN` or infinite, a `LinearAlgebra.LAPACKException` if no driver gives
a small residual; its cause names them.

```jldoctest
julia> using TensorOxide

julia> w, V = TensorOxide.eig_full([2.0 1.0; 0.0 3.0]);

julia> w
2-element Vector{ComplexF64}:
 2.0 + 0.0im
 3.0 + 0.0im

julia> V ≈ [1 sqrt(1/2); 0 sqrt(1/2)]
true
```
"""
function eig_full(A::Stack; run...)
    C, n = complex(matrix_type(A)), check_square(A)
    return eig_full!(A, (Array{C}(undef, n, batch_size(A)...), Array{C}(undef, n, n, batch_size(A)...)); run...)
end

function eig_full(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    w, V = eig_full(M; run...)
    return w, reshape(V, m..., size(V, 2))
end

"""
    eig_full!(A, (w, V); workspace = nothing, provider = nothing)

[`eig_full`](@ref) into complex arrays of the caller, which are returned. `A` stays as it is.
"""
function eig_full!(A::Stack, wV::Tuple; run...)
    check_square(A)
    return decompose(engine_eig_full, (A,), wV; run...)
end

"""
    w = eig_vals(A; workspace = nothing, provider = nothing)
    w = eig_vals(T, rows, columns)

The eigenvalues of [`eig_full`](@ref) alone, in the same order, which takes a fraction of the time.

```jldoctest
julia> using TensorOxide

julia> w = TensorOxide.eig_vals([0.0 -1.0; 1.0 0.0]);

julia> w ≈ [-im, im], w[1] == conj(w[2])
(true, true)
```
"""
function eig_vals(A::Stack; run...)
    C, n = complex(matrix_type(A)), check_square(A)
    return eig_vals!(A, Array{C}(undef, n, batch_size(A)...); run...)
end

eig_vals(A::AbstractArray, rows::Tuple, columns::Tuple; run...) = eig_vals(matricize(A, rows, columns)[1]; run...)

"""
    eig_vals!(A, w; workspace = nothing, provider = nothing)

[`eig_vals`](@ref) into a complex array of the caller, which is returned. `A` stays as it is.
"""
function eig_vals!(A::Stack, w::AbstractArray; run...)
    check_square(A)
    return decompose(engine_eig_vals, (A,), (w,); run...)[1]
end
