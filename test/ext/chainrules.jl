# The rules as ChainRulesCore sees them: against finite differences, by ChainRulesTestUtils.
using TensorOxide, Test, Random, LinearAlgebra, ChainRulesCore, ChainRulesTestUtils
const TO = TensorOxide

# Finite differences of two sides cannot agree where a result is an integer, or not a number of the tangent's kind.
function check(f, arguments...; options...)
    test_rrule(f, arguments...; check_inferred = false, fkwargs = values(options))
    test_frule(f, arguments...; check_inferred = false, fkwargs = values(options))
end
regular(T, n) = randn(T, n, n) + 4I
positive(T, n) = (A = randn(T, n, n); A * A' + I)

@testset "$T" for T in (Float64, ComplexF64)
    Random.seed!(7)
    check(TO.inv, regular(T, 4))
    check(TO.solve, regular(T, 4), randn(T, 4))
    check(TO.solve, regular(T, 4), randn(T, 4, 2))
    check(TO.det, regular(T, 3))
    check(TO.logabsdet, regular(T, 3))
    check(TO.expm, randn(T, 4, 4))
    check(TO.pinv, randn(T, 5, 3))
    check(TO.matrix_norm, randn(T, 4, 3))
    for shape in ((4, 4), (5, 3), (3, 5))
        check(TO.svd_compact, randn(T, shape...))
        check(TO.svd_vals, randn(T, shape...))
        check(TO.qr_compact, randn(T, shape...))
        check(TO.lq_compact, randn(T, shape...))
    end
    check(TO.svd_trunc, randn(T, 6, 5); maxrank = 2)
    check(TO.svd_compact, randn(T, 2, 3, 2), (1, 3), (2,))
    check(TO.svd_compact, randn(T, 4, 3, 2))
    check(TO.left_polar, randn(T, 5, 3))
    check(TO.right_polar, randn(T, 3, 5))
    check(TO.eig_vals, randn(T, 4, 4))
    check(TO.eig_full, randn(T, 4, 4))
end

@testset "real input has real tangents" begin
    A = regular(Float64, 3)
    _, back = rrule(TO.eig_vals, A)
    @test unthunk(back(randn(ComplexF64, 3))[2]) isa Matrix{Float64}
    _, back = rrule(TO.svd_compact, A)
    @test unthunk(back(Tangent{Any}(ZeroTangent(), randn(3), NoTangent()))[2]) isa Matrix{Float64}
    S, dS = frule((NoTangent(), randn(3, 3)), TO.svd_vals, A)
    @test dS isa Vector{Float64}
end

@testset "structured input has structured tangents" begin
    H = Hermitian(positive(ComplexF64, 3))
    _, back = rrule(TO.eigh_vals, H)
    @test unthunk(back(randn(3))[2]) isa Hermitian
    D = UpperTriangular(regular(Float64, 3))
    _, back = rrule(TO.solve_triangular, D, randn(3))
    @test unthunk(back(randn(3))[2]) isa UpperTriangular
end
