# What tests of decompositions share: what is near, orthonormal, gauged; shapes.
using LinearAlgebra

tolerance(A) = 10 * (sum(size(A)) + 1) * eps(real(eltype(A)))
near(X, A; scale = norm(A)) = norm(X - A) <= tolerance(A) * max(scale, floatmin(real(eltype(A))))
orthonormal(Q) = norm(Q' * Q - I) <= 10 * (sum(size(Q)) + 1) * eps(real(eltype(Q)))
"In each column, an entry of largest magnitude, up to what the standard counts as equal, is real and positive."
function gauged(U)
    ε = eps(real(eltype(U)))
    return all(eachcol(U)) do u
        largest = maximum(abs, u)
        any(x -> abs(x) >= largest * (1 - 10length(u) * ε) && imag(x) == 0 && real(x) > 0, u)
    end
end
positive_diagonal(R) = all(x -> real(x) >= 0 && imag(x) == 0, diag(R))

const SHAPES = [(3, 3), (7, 4), (4, 7), (1, 5), (5, 1), (1, 1), (0, 3), (3, 0), (0, 0), (40, 30)]
