# The Schur decomposition.

"""
    T, Z, w = schur_full(A; workspace = nothing, provider = nothing)
    T, Z, w = schur_full(tensor, rows, columns)

Schur decomposition `A = Z·T·Z'` with unitary `Z`. `T` is upper triangular for a complex `A`. For a real one it is
quasi-triangular: it has blocks of 1×1 and 2×2 on its diagonal, and a block `[a b; c d]` of 2×2 has `a == d` and `b·c
< 0`, that is, a pair of conjugate eigenvalues. `w`, complex, holds the eigenvalues in the order of the diagonal, of a
pair that with the positive imaginary part first. This order is the driver's, and may be another with another library
or version.

In each column of `Z` the entry of largest magnitude (the first of equals) is real and positive, but for the second
column of a block of 2×2, whose sign goes with that of the first.

Arguments and errors are those of [`eig_full`](@ref); of a tensor that is split, the dimensions `rows` come back in `Z`.

```jldoctest
julia> using TensorOxide

julia> T, Z, w = TensorOxide.schur_full([2.0 1.0; 0.0 3.0]);

julia> w
2-element Vector{ComplexF64}:
 2.0 + 0.0im
 3.0 + 0.0im
```
"""
function schur_full(A::Stack; run...)
    E, n, batch = matrix_type(A), check_square(A), batch_size(A)
    T, Z = Array{E}(undef, n, n, batch...), Array{E}(undef, n, n, batch...)
    return schur_full!(A, (T, Z, Array{complex(E)}(undef, n, batch...)); run...)
end

function schur_full(A::AbstractArray, rows::Tuple, columns::Tuple; run...)
    M, m, n = matricize(A, rows, columns)
    T, Z, w = schur_full(M; run...)
    return T, reshape(Z, m..., size(Z, 2)), w
end

"""
    schur_full!(A, (T, Z, w); workspace = nothing, provider = nothing)

[`schur_full`](@ref) into arrays of the caller, which are returned. `A` stays as it is.
"""
function schur_full!(A::Stack, TZw::Tuple; run...)
    check_square(A)
    return decompose(engine_schur_full, (A,), TZw; run...)
end

"""
    w = schur_vals(A; workspace = nothing, provider = nothing)
    w = schur_vals(tensor, rows, columns)

The eigenvalues of [`schur_full`](@ref) alone: equal to those up to rounding and order.

```jldoctest
julia> using TensorOxide

julia> w = TensorOxide.schur_vals([0.0 -1.0; 1.0 0.0]);

julia> w ≈ [im, -im]
true
```
"""
function schur_vals(A::Stack; run...)
    C, n = complex(matrix_type(A)), check_square(A)
    return schur_vals!(A, Array{C}(undef, n, batch_size(A)...); run...)
end

schur_vals(A::AbstractArray, rows::Tuple, columns::Tuple; run...) = schur_vals(matricize(A, rows, columns)[1]; run...)

"""
    schur_vals!(A, w; workspace = nothing, provider = nothing)

[`schur_vals`](@ref) into a complex array of the caller, which is returned. `A` stays as it is.
"""
function schur_vals!(A::Stack, w::AbstractArray; run...)
    check_square(A)
    return decompose(engine_schur_vals, (A,), (w,); run...)[1]
end
