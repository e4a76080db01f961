# Plans: no allocation per call, use from several threads, lifetime, what they show, and the memory of `einsum`.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

# Measured inside functions, after a first call has compiled them.
in_place(plan, C, A, B) = @allocated plan(C, A, B)
in_place_scaled(plan, C, A, B) = @allocated plan(C, A, B; α = 2, β = 0.5)
remembered(C, A, B) = @allocated einsum!(C, "ij,jk->ik", A, B)
remembered_scaled(C, A, B) = @allocated einsum!(C, "ij,jk->ik", A, B; α = 2, β = 1, conj = (true, false))

@testset "in-place calls allocate nothing, $T" for T in TYPES
    rng = MersenneTwister(9)
    plan = contraction_plan("ij,jk->ik", [(4, 4), (4, 4)]; eltype = T)
    dense = randn(rng, T, 4, 4)
    big = randn(rng, T, 9, 9, 9)
    strided = Any[dense, view(big, 2:2:8, 5, 4:-1:1), PermutedDimsArray(dense, (2, 1)), transpose(dense), dense',
                  view(dense', 1:4, :), view(PermutedDimsArray(big, (3, 1, 2)), 1:4, 1, 2:5),
                  reshape(view(randn(rng, T, 16, 2), :, 2), 4, 4)]
    for A in strided, measure in (in_place, in_place_scaled)
        C, B = zeros(T, 4, 4), copy(dense)
        measure(plan, C, A, B)
        @test measure(plan, C, A, B) == 0
        measure(plan, A, C, B)
        @test measure(plan, A, C, B) == 0
    end
    for A in strided, measure in (remembered, remembered_scaled)
        C, B = zeros(T, 4, 4), copy(dense)
        measure(C, A, B)
        @test measure(C, A, B) == 0
    end
end

# The site of a matrix product state, up to eight operands, and ranks up to eight.
many(plan, C, A, B, D, E) = @allocated plan(C, A, B, D, E)
@testset "nor with more operands and indices" begin
    rng = MersenneTwister(10)
    A, B, D = randn(rng, 2, 2, 2, 2, 2, 2, 2, 2), randn(rng, 2, 2, 2), randn(rng, 2, 2)
    plan = contraction_plan("abcdefgh,gij,hk,kl->ablicdefj", size.((A, B, D, D)))
    C = zeros(2, 2, 2, 2, 2, 2, 2, 2, 2)
    many(plan, C, A, B, D, D)
    @test many(plan, C, A, B, D, D) == 0
end

# A repeated `einsum` makes its result and nothing else, whatever the labels are written in.
@noinline new(C) = similar(C)
alone(C) = @allocated new(C)
of_text(A, B) = @allocated einsum("abc,cde->abde", A, B)
of_integers(A, B) = @allocated einsum(((1, 2, 3), (3, 4, 5)) => (1, 2, 4, 5), A, B)
over_max_plus(A, B) = @allocated einsum("abc,cde->abde", A, B; semiring = MaxPlus())
of_four(A) = @allocated einsum("ab,bc,cd,de->ae", A, A, A, A)
@testset "a result is all that is allocated, χ = $χ, $T" for χ in (1, 8, 32), T in (Float64, ComplexF32)
    A, B, S = ones(T, χ, 2, χ), ones(T, χ, 2, χ), ones(T, χ, χ)
    C = einsum("abc,cde->abde", A, B)
    alone(C), alone(S)
    for measure in (T <: Real ? (of_text, of_integers, over_max_plus) : (of_text, of_integers))
        measure(A, B)
        @test measure(A, B) == alone(C)
    end
    of_four(S)
    @test of_four(S) == alone(S)
end

@testset "types are known to the compiler" begin
    A, C = ones(2, 2), zeros(2, 2)
    plan = contraction_plan("ij,jk->ik", [(2, 2), (2, 2)])
    @test @inferred(plan(A, A)) isa Matrix{Float64}
    @test @inferred(plan(C, A', A; β = 1)) === C
    @test @inferred(contraction_plan("ij,ij->", [(2, 2), (2, 2)])(A, A)) === 4.0
    @test @inferred(einsum!(C, "ij,jk->ik", A, A)) === C
end

@testset "a second call gives the same bits" begin
    rng = MersenneTwister(11)
    As = randn(rng, 20, 30), randn(rng, 30, 40), randn(rng, 40, 10)
    plan = contraction_plan("ij,jk,kl->il", size.(As))
    @test plan(As...) == plan(As...) == einsum("ij,jk,kl->il", As...)
end

@testset "a plan survives an error" begin
    plan = contraction_plan("ij,jk->ik", [(2, 2), (2, 2)])
    A = [1.0 2.0; 3.0 4.0]
    @test_throws DimensionMismatch plan(A, ones(3, 3))
    @test_throws ArgumentError plan(A, A, A)
    @test plan(A, A) == A * A
end

@testset "conjugation of the plan and of the operand cancel" begin
    A = [1.0+2im 3im; 4 5-1im]
    plan = contraction_plan("ij,jk->ik", [(2, 2), (2, 2)]; eltype = ComplexF64, conj = (true, false))
    @test plan(A, A) == conj(A) * A
    @test plan(A', A) == transpose(A) * A
end

@testset "memory limit" begin
    shapes = [(8, 8, 8), (8, 8, 8), (8, 8, 8), (8, 8, 8)]
    free = contraction_plan("abc,cde,efg,gha->bdfh", shapes)
    @test free.info.peak_bytes > 0
    @test_throws ArgumentError contraction_plan("abc,cde,efg,gha->bdfh", shapes; memory_limit = 1)
    As = [randn(MersenneTwister(k), 8, 8, 8) for k in 1:4]
    for limit in (free.info.peak_bytes, 2 * free.info.peak_bytes)
        plan = contraction_plan("abc,cde,efg,gha->bdfh", shapes; memory_limit = limit)
        @test plan.info.peak_bytes <= limit
        @test plan(As...) ≈ free(As...) rtol = 1e-12
    end
end

@testset "show" begin
    plan = contraction_plan("ij,jk,k->i", [(2, 3), (3, 4), (4,)]; eltype = ComplexF32)
    @test repr(plan) == "ContractionPlan{$ComplexF32}(\"ij,jk,k->i\": 2×3, 3×4, 4)"
    text = repr("text/plain", plan)
    @test occursin("ij,jk,k->i", text) && occursin("flops", text)
    # A plan of many steps is shortened in the REPL, and complete elsewhere.
    long = contraction_plan(join(("$('a' + k)$('a' + k + 1)" for k in 0:20), ',') * "->av", fill((2, 2), 21))
    @test length(split(repr("text/plain", long), '\n')) == 44
    shown = sprint((io, x) -> show(IOContext(io, :limit => true, :displaysize => (24, 80)), "text/plain", x), long)
    @test length(split(shown, '\n')) == 20 && occursin("⋮", shown)
    @test repr(contraction_plan(",->", [(), ()])) == "ContractionPlan{Float64}(\",->\": number, number)"
end

function plans_made_and_lost(n)
    for k in 1:n
        contraction_plan("ij,jk->ik", [(k, 2), (2, k)])(ones(k, 2), ones(2, k))
    end
end
@testset "plans are freed" begin
    plan = contraction_plan("ij->ji", [(2, 2)])
    finalize(plan)
    plans_made_and_lost(500)
    GC.gc()
    plans_made_and_lost(10)
    GC.gc()
    @test contraction_plan("ij->ji", [(2, 2)])([1.0 2.0; 3.0 4.0]) == [1.0 3.0; 2.0 4.0]
end

# An intermediate of 32 to 64 MiB; nothing is computed.
large_plan(k) = contraction_plan("(a,b),abc->c", [(2048,), (2048 + 64k,), (2048, 2048 + 64k, 1)])
@testset "einsum remembers a bounded number of plans" begin
    kept() = filter(!isnothing, TO.CACHE.places)
    bytes() = mapreduce(entry -> entry.plan.info.peak_bytes, +, kept(); init = UInt64(0))
    for k in 1:2TO.CACHED_PLANS
        @test einsum("i->", ones(k)) == k
    end
    @test TO.CACHED_PLANS ÷ 2 <= length(kept()) <= TO.CACHED_PLANS
    @test TO.CACHE.bytes == bytes() <= TO.CACHED_BYTES
    # What is used again and again stays, whatever else comes.
    A = ones(3, 3)
    einsum("ij,jk->ik", A, A)
    plan() = only(entry.plan for entry in kept() if entry.expression == "ij,jk->ik" && entry.shapes == [2, 3, 3, 2, 3, 3])
    before = plan()
    for k in 1:2TO.CACHED_PLANS
        einsum("i->", ones(2TO.CACHED_PLANS + k))
        einsum("ij,jk->ik", A, A)
    end
    @test plan() === before
    # A part of a longer text is an expression too, and finds the same plan.
    count = length(kept())
    @test einsum(SubString("see ij,jk->ik", 5), A, A) == A * A && length(kept()) == count
    # Large workspaces push each other out; a plan that is larger than all that may be kept is not kept.
    TO.forget_plans()
    @test isempty(kept()) && TO.CACHE.bytes == 0
    large(k) = TO.remember!(UInt(k), Int64[], large_plan(k), Float64, nothing)
    foreach(large, 1:20)
    @test TO.CACHE.bytes == bytes() <= TO.CACHED_BYTES
    @test 1 <= length(kept()) < 20
    TO.forget_plans()
    # One expression with other shapes, element type, conjugation.
    A = [1.0 2im; 3 4]
    @test einsum("ij->ji", A) == transpose(A)
    @test einsum("ij->ji", A; conj = (true,)) == A'
    @test einsum("ij->ji", A; conj = [true]) == A'
    @test einsum("ij->ji", real(A)) isa Matrix{Float64}
    @test einsum("ij->ji", A[1:1, :]) == transpose(A[1:1, :])
end

@testset "many threads" begin
    script = joinpath(@__DIR__, "threads.jl")
    command = `$(Base.julia_cmd()) --project=$(Base.active_project()) --startup-file=no --threads=4 $script`
    @test success(pipeline(command; stdout = stdout, stderr = stderr))
end
