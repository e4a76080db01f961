# OMEinsum's codes, and the trees that its optimisers find, run by the engine.
using OMEinsum: DynamicEinCode, GreedyMethod, NestedEinsum, ScoreFunction, TreeSA, TreeSASlicer, @ein_str, optimize_code, slice_code,
                uniformsize, getixsv, getiyv
using Random: MersenneTwister

rng = MersenneTwister(6)
A, B, C, v = randn(rng, 2, 3), randn(rng, 3, 4), randn(rng, 4, 5), randn(rng, ComplexF64, 5)

@testset "codes" begin
    @test einsum(ein"ij,jk->ik", A, B) ≈ A * B
    @test einsum(ein"ij->ji", A) == A'
    @test einsum(ein"ij,ij->", A, A) ≈ sum(abs2, A)
    @test einsum(ein"i->ii", [1.0, 2.0]) == [1 0; 0 2]
    @test einsum(ein"αβ,βγ->γα", A, B) ≈ (A * B)'
    @test einsum(ein"(ij,jk),(kl,l)->i", A, B, C, v) ≈ A * B * C * v
    @test einsum(ein"ij,(jk,(kl,l))->i", A, B, C, v) ≈ A * B * C * v
    @test einsum(DynamicEinCode([[:x, :y], [:y, :z]], [:z, :x]), A, B) ≈ (A * B)'
    @test einsum!(fill(NaN, 2, 4), ein"ij,jk->ik", A, B) ≈ A * B
    @test einsum!(ones(2, 4), ein"ij,jk->ik", A, B; α = 2, β = 3) ≈ 2A * B .+ 3
    @test einsum(ein"ij,jk->ik", A .+ 0im, B .* 1im; conj = (false, true)) ≈ A * B * -im
    @test_throws DimensionMismatch einsum(ein"ij,jk->ik", A, A)
end

@testset "trees that were optimised" for optimizer in (GreedyMethod(), TreeSA(ntrials = 1, niters = 5))
    # A ring of matrices with numbers for labels, in an order that no reader would choose.
    n = 12
    ixs = [[k, mod1(k + 1, n)] for k in [7, 2, 12, 1, 9, 4, 3, 11, 6, 5, 10, 8]]
    code = DynamicEinCode(ixs, Int[])
    sizes = uniformsize(code, 3)
    tree = optimize_code(code, sizes, optimizer)
    Ms = [randn(rng, 3, 3) for _ in ixs]
    plan = contraction_plan(tree, size.(Ms))
    @test tree isa NestedEinsum && plan(Ms...) ≈ tree(Ms...)[] ≈ einsum(tree, Ms...)
    @test length(TensorOxide.contraction_path(plan)) == n - 1
    sliced = slice_code(tree, sizes, TreeSASlicer(score = ScoreFunction(sc_target = 2)))
    if !isempty(sliced.slicing)
        @test_throws ArgumentError contraction_plan(sliced, size.(Ms))
        @test_throws ArgumentError einsum(sliced, Ms...)
    end
    @test contraction_plan(sliced, size.(Ms); memory_limit = 10^5)(Ms...) ≈ plan(Ms...)
end
