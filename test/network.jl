# Contractions without a plan, and of networks whose indices have names, against `einsum`.
using TensorOxide, Test, Random
const TO = TensorOxide

@testset "two tensors without a plan, $T" for T in (Float32, Float64, ComplexF32, ComplexF64)
    rng = MersenneTwister(1)
    sizes = Dict(-1 => 3, -2 => 2, 1 => 4, 2 => 1, 3 => 5, 4 => 2, 5 => 0)
    for (a, b, c) in [((1, -1), (-1, 3), (1, 3)), ((1, -1), (-1, 3), (3, 1)), ((-1, 1, -2), (-2, 4, -1), (4, 1)),
                      ((-1, -2), (-1, -2), ()), ((1,), (3,), (3, 1)), ((), (1, 3), (3, 1)), ((1, 4), (1, 4), (4, 1)),
                      ((2, -1), (-1, 2, 4), (4, 2)), ((5, -1), (-1, 1), (1, 5)), ((1, 5), (5, 3), (1, 3)), ((), (), ())]
        random(labels) = randn(rng, T, map(l -> sizes[l], labels))
        A, B, C = random(a), random(b), random(c)
        expected = einsum!(copy(C), (a, b) => c, A, B; α = 2, β = 3)
        @test TO.contract!(copy(C), c, A, a, B, b, 2, 3) ≈ expected
        @test TO.contract!(fill!(copy(C), NaN), c, A, a, B, b, 1, 0) ≈ einsum!(copy(C), (a, b) => c, A, B)
        # Layouts: stored in reverse order, and conjugated.
        if !isempty(c)
            order = length(c):-1:1
            C2 = PermutedDimsArray(permutedims(C, order), order)
            @test TO.contract!(C2, c, A, a, B, b, 2, 3) ≈ expected
        end
        ndims(A) == 2 && @test TO.contract!(copy(C), c, copy(A')', a, B, b, 2, 3) ≈ expected
    end
    A = randn(rng, T, 40, 30)
    @test TO.contract!(zeros(T, 40, 40), (1, 2), A, (1, 3), A, (2, 3), 1, 0) ≈ A * transpose(A)
    many = ntuple(identity, 60)     # more indices than a frame has room for
    X = ones(T, ntuple(_ -> 1, 60))
    @test TO.contract!(fill(T(NaN)), (), X, many, X, many, 1, 0)[] == 1
    C = zeros(T, 2, 2)
    @test_throws DimensionMismatch TO.contract!(C, (1, 2), ones(T, 2, 3), (1, 3), ones(T, 2, 2), (3, 2), 1, 0)
    @test_throws DimensionMismatch TO.contract!(C, (1, 2, 3), ones(T, 2, 2), (1, 3), ones(T, 2, 2), (3, 2), 1, 0)
    @test_throws ArgumentError TO.contract!(C, (1, 4), ones(T, 2, 2), (1, 3), ones(T, 2, 2), (3, 2), 1, 0)
    @test_throws ArgumentError TO.contract!(C, (1, 2), C, (1, 3), ones(T, 2, 2), (3, 2), 1, 0)
    @test C == zeros(T, 2, 2)
end

@testset "networks with names" begin
    rng = MersenneTwister(2)
    A, B, C = randn(rng, ComplexF64, 2, 3), randn(rng, 3, 4), randn(rng, ComplexF64, 4, 2)
    X = Array{ComplexF64}(undef, 2, 2)
    @test TO.contract_network!(X, (:d, :a), [(:a, "b") => A, ("b", 3.0) => B, (3.0, :d) => C]) ≈ transpose(A * B * C)
    @test TO.contract_network!(X, [:d, :a], [[:a, :b] => A, [:b, :c] => B, [:c, :d] => C], (true, false, false)) ≈
        transpose(conj(A) * B * C)
    @test TO.contract_network!(fill(NaN + 0im), (), [(:a, :b) => A, (:a, :b) => A], (true, false))[] ≈ sum(abs2, A)
    @test_throws DimensionMismatch TO.contract_network!(X, (:a, :c), [(:a, :b) => A, (:b, :c) => C])
    @test TO.open_places((3, -1, 0, 7, 2), Val(3)) == (1, 4, 5) && TO.open_places((), Val(0)) == ()
end
