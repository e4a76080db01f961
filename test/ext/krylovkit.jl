# KrylovKit over a map that the engine applies.
using KrylovKit, LinearAlgebra
using Random: MersenneTwister

@testset "a planned map, $T" for T in (Float64, ComplexF64)
    rng = MersenneTwister(8)
    # The effective Hamiltonian of two sites, its environments Hermitian.
    hermitian(X) = X + conj(permutedims(X, (3, 2, 1)))
    χ, w, d = 4, 3, 2
    L, R = hermitian(randn(rng, T, χ, w, χ)), hermitian(randn(rng, T, χ, w, χ))
    W = randn(rng, T, w, d, d, w)
    W = W + conj(permutedims(W, (1, 3, 2, 4)))
    x₀ = randn(rng, T, χ, d, d, χ)
    shapes = size.((L, x₀, W, W, R))
    plan = contraction_plan("axb,bijc,xkiy,yljz,dzc->akld", shapes; eltype = T)
    H = TensorOxide.PlannedMap(plan, L, W, W, R; free = 2)
    dense = reshape(mapreduce(k -> vec(H(reshape(T.(1:length(x₀) .== k), size(x₀)))), hcat, 1:length(x₀)), length(x₀), :)
    @test dense ≈ dense'
    vals, vecs, info = KrylovKit.eigsolve(H, x₀, 2, :SR; ishermitian = true, tol = 1e-10)
    @test info.converged >= 2 && vals[1:2] ≈ eigvals(Hermitian(dense))[1:2]
    @test H(vecs[1]) ≈ vals[1] * vecs[1]
    ours = first(TensorOxide.eigsolve(H, x₀, 2, :SR; tol = 1e-10))
    @test ours ≈ vals[1:2]
    step = T <: Complex ? -0.01im : -0.01
    y, info = KrylovKit.exponentiate(H, step, x₀; ishermitian = true, tol = 1e-10)
    @test vec(y) ≈ exp(step * dense) * vec(x₀)
    shift = 2opnorm(dense)
    x, info = KrylovKit.linsolve(H, x₀, x₀, shift, 1; ishermitian = true, tol = 1e-10)
    @test info.converged == 1 && shift * x + H(x) ≈ x₀
end
