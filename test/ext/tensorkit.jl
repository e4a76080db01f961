# TensorKit's factorizations with the driver: the same factors as with the defaults, block by block, for dense, U(1)- and
# SU(2)-symmetric tensors; derivatives through the truncated singular value decomposition against differences.
module TensorKitWithDriver
using TensorOxide, Test, Random, LinearAlgebra, TensorKit, Zygote
import MatrixAlgebraKit as MAK

const DRIVER = TensorOxideDriver()
const CASES = (("no symmetry", Float64, ℂ^2, ℂ^6),
               ("U(1)", ComplexF64, U1Space(1 // 2 => 1, -1 // 2 => 1), U1Space(0 => 3, 1 => 2, -1 => 2)),
               ("SU(2)", Float64, SU2Space(1 // 2 => 1), SU2Space(0 => 3, 1 => 2)))

same(ours, theirs) = isapprox(ours, theirs; rtol = 1e-10, atol = 1e-12)
same(ours::Tuple, theirs::Tuple) = all(map(same, ours, theirs))

@testset "$name, $T" for (name, T, P, V) in CASES
    Random.seed!(2)
    t, s = randn(T, V ⊗ P, V ⊗ P), randn(T, V ⊗ P ⊗ P, V)
    svd = MAK.SafeDivideAndConquer(; driver = DRIVER)
    qr = MAK.Householder(; driver = DRIVER)
    @testset "$f" for (f, alg, options) in ((svd_compact, svd, (;)), (svd_vals, svd, (;)),
            (svd_trunc, svd, (; trunc = truncrank(5))), (svd_trunc, svd, (; trunc = truncerror(; rtol = 0.3))),
            (qr_compact, qr, (;)), (lq_compact, qr, (;)), (left_orth, qr, (;)), (right_orth, qr, (;)),
            (left_polar, MAK.PolarViaSVD(svd), (;)))
        before = copy(s)
        @test same(f(s; alg, options...), f(s; options...))
        @test s == before
    end
    # These are unique only up to a choice: what they promise.
    U, S, Vᴴ = svd_full(s; alg = svd)
    @test U * S * Vᴴ ≈ s && isunitary(U) && isunitary(Vᴴ)
    Q, R = qr_full(s; alg = qr)
    @test Q * R ≈ s && isunitary(Q)
    N = left_null(s; alg = qr)
    @test norm(N' * s) < 1e-12 * norm(s) && isisometric(N)
    w = randn(T, V, V ⊗ P ⊗ P)
    N = right_null(w; alg = qr)
    @test norm(w * N') < 1e-12 * norm(w) && isisometric(N; side = :right)
    h = t + t'
    @test same(eigh_full(h; alg = MAK.DivideAndConquer(; driver = DRIVER)), eigh_full(h))
    D, W = eig_full(t; alg = MAK.QRIteration(; driver = DRIVER))
    @test t * W ≈ W * D
    @test_throws ArgumentError svd_compact(t; alg = MAK.QRIteration(; driver = DRIVER))
end

"Does not depend on the gauge: the kept singular values, and the part of `t` that they belong to, held against `k`."
function loss(t, k)
    U, S, Vᴴ, _ = svd_trunc(t; trunc = truncrank(4), alg = MAK.SafeDivideAndConquer(; driver = DRIVER))
    return real(tr(S^3)) + real(dot(k, U * Vᴴ))
end

@testset "Zygote through svd_trunc, $name, $T" for (name, T, P, V) in CASES
    Random.seed!(3)
    t, k, d = (randn(T, V ⊗ P, V) for _ in 1:3)
    value, (gradient,) = Zygote.withgradient(t -> loss(t, k), t)
    @test value ≈ loss(t, k)
    at(h) = loss(t + h * d, k)
    h = 1e-3
    difference = (8 * (at(h) - at(-h)) - (at(2h) - at(-2h))) / 12h
    @test real(dot(gradient, d)) ≈ difference rtol = 1e-7
end

end
