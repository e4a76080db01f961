# Gradients through Zygote: every rule is found, in code as users write it.
using TensorOxide, Test, Random, LinearAlgebra, Zygote
const TO = TensorOxide

module InfiniteChain
include(joinpath(@__DIR__, "..", "..", "examples", "imps.jl"))
end

"The derivative of `f` at `x` along `d`, by central differences of fourth order."
function slope(f, x, d; h = 1e-3)
    at(h) = f(x .+ h .* d)
    return (8 * (at(h) - at(-h)) - (at(2h) - at(-2h))) / 12h
end
function check_gradient(f, x)
    g, d = Zygote.gradient(f, x)[1], randn(eltype(x), size(x))
    @test isapprox(real(dot(g, d)), slope(f, x, d); rtol = 1e-7, atol = 1e-8)
    return g
end

@testset "$T" for T in (Float64, ComplexF64)
    Random.seed!(11)
    A, B = randn(T, 4, 4) + 3I, randn(T, 4, 3)
    check_gradient(A -> sum(abs2, einsum("ij,jk->ik", A, B)), A)
    check_gradient(A -> real(einsum("ij,ji->", A, A)), A)
    check_gradient(A -> sum(abs2, einsum("ij,jk,kl->il", A, A', A)), A)
    check_gradient(A -> (USV = TO.svd_compact(A); sum(abs2, USV[1][:, 1:2]) + sum(USV[2] .^ 3)), A)
    check_gradient(A -> sum(abs2, TO.qr_compact(A)[1][:, 1]) + sum(abs2, TO.qr_compact(A)[2] .^ 2), A)
    check_gradient(A -> sum(TO.eigh_vals(Hermitian(A + A')) .^ 3), A)
    check_gradient(A -> real(sum(TO.solve(A, B))), A)
    check_gradient(A -> TO.matrix_norm(TO.expm(A / 4), :nuclear), A)
    check_gradient(A -> TO.logabsdet(A)[1] + abs2(TO.det(A)), A)
    check_gradient(A -> sum(TO.svd_trunc(A; maxrank = 2)[2]), A)
    plan = contraction_plan("ij,jk->ik", size.((A, B)); eltype = T)
    check_gradient(A -> sum(abs2, plan(A, B)), A)
    x₀, D = randn(T, 4), randn(T, 4, 4)
    check_gradient(A -> TO.eigsolve(x -> (A + A') * x, x₀, 1, :SR; tol = 1e-13)[1][1], A)
    check_gradient(A -> abs2(dot(D[:, 1], TO.eigsolve(x -> (A + A') * x, x₀, 1, :SR; tol = 1e-13)[2][1])), A)
    @test_throws ArgumentError Zygote.gradient(A -> sum(abs2, einsum!(similar(A), "ij,jk->ik", A, A)), A)
end

@testset "what others give as NaN" begin
    @test Zygote.gradient(A -> sum(abs2, TO.svd_compact(A)[2]), Matrix(1.0I, 3, 3))[1] ≈ 2I
    @test Zygote.gradient(A -> TO.matrix_norm(A), zeros(3, 3))[1] == zeros(3, 3)
end

@testset "an infinite chain" begin
    M, h = randn(MersenneTwister(2), 4, 2, 4), InfiniteChain.bond(0.7)
    e, way = InfiniteChain.energy(M, h)
    @test Zygote.gradient(M -> InfiniteChain.energy(M, h)[1], M)[1] ≈ InfiniteChain.gradient_of_energy(M, h, e, way)
end
