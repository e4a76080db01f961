# Contractions over other algebras against plain loops, and the configurations that attain an optimum against brute force.
using TensorOxide, Test, Random
const TO = TensorOxide

"The operations of a semiring: sum, product, zero, one."
operations(::MaxPlus) = (max, +, -Inf, 0.0)
operations(::MinPlus) = (min, +, Inf, 0.0)
operations(::MaxTimes) = (max, *, 0.0, 1.0)
operations(::AndOr) = (|, &, false, true)
operations(::PlusTimes) = (+, *, 0, 1)

sample(rng, ::MaxTimes, T, shape) = T.(rand(rng, 0:4, shape) ./ 2)
sample(rng, ::AndOr, T, shape) = rand(rng, Bool, shape)
sample(rng, ::PlusTimes, T, shape) = rand(rng, Int64, shape)
sample(rng, ::TO.Semiring, T, shape) = T[rand(rng) < 0.1 ? operations(MaxPlus())[3] : x for x in rand(rng, -9:9, shape)]
sample(rng, s::MinPlus, T, shape) = -sample(rng, MaxPlus(), T, shape)

"The matrix product by its definition."
function product(s, A, B)
    add, mul, zero, _ = operations(s)
    return [reduce(add, [mul(A[i, k], B[k, j]) for k in axes(A, 2)]; init = zero) for i in axes(A, 1), j in axes(B, 2)]
end

const ALGEBRAS = [(MaxPlus(), Float64), (MaxPlus(), Float32), (MinPlus(), Float64), (MinPlus(), Float32),
                  (MaxTimes(), Float64), (MaxTimes(), Float32), (AndOr(), Bool), (PlusTimes(), Int64)]

@testset "products over $s, $T" for (s, T) in ALGEBRAS
    rng = MersenneTwister(1)
    add, mul, zero, one = operations(s)
    for (m, n, k) in [(2, 3, 4), (1, 1, 1), (3, 0, 2), (2, 2, 0), (40, 33, 50), (9, 100, 20)]
        A, B = sample(rng, s, T, (m, k)), sample(rng, s, T, (k, n))
        expected = product(s, A, B)
        C = einsum("ik,kj->ij", A, B; semiring = s)
        @test C isa Matrix{T} && C == expected
        # Any layout, and an output of its own.
        wide = sample(rng, s, T, (2m + 1, 2n + 1))
        out = view(wide, 2m:-2:2, 1:2:2n)
        before = copy(wide)
        old = Array(out)
        @test einsum!(out, "ki,kj->ij", PermutedDimsArray(A, (2, 1)), view(B, :, :); semiring = s) === out
        @test Array(out) == expected
        copyto!(out, old)
        @test einsum!(out, "ik,kj->ij", A, B; semiring = s, β = 1) == add.(expected, old)
        copyto!(out, old)
        @test wide == before
    end
    A = sample(rng, s, T, (3, 3))
    @test einsum("ii->", A; semiring = s) == T(reduce(add, [A[i, i] for i in 1:3]))      # of −0 and 0 either is the least
    @test einsum("ij->j", A; semiring = s) == [reduce(add, A[:, j]) for j in 1:3]
    @test einsum("i->ii", A[:, 1]; semiring = s) == [i == j ? A[i, 1] : T(zero) for i in 1:3, j in 1:3]
    @test einsum("i,i,i->i", A[:, 1], A[:, 2], A[:, 3]; semiring = s) == mul.(mul.(A[:, 1], A[:, 2]), A[:, 3])
    @test einsum("i,->i", A[:, 1], T(one); semiring = s) == A[:, 1]
    @test einsum("ab,(bc,cd)->ad", A, A, A; semiring = s) == product(s, A, product(s, A, A))
    @test einsum([[1, 2], [2, 3]] => [3, 1], A, A; semiring = s) == permutedims(product(s, A, A))
    @test einsum("ij,jk->ik", A[:, 1:1], A; semiring = s) == product(s, repeat(A[:, 1:1], 1, 3), A)
end

# Measured inside functions, after a first call has compiled them.
run_bytes(plan, C, A, B) = @allocated plan(C, A, B)
einsum_bytes(C, A, B, s) = @allocated einsum!(C, "ik,kj->ij", A, B; semiring = s)
labels_bytes(C, A, B, s) = @allocated einsum!(C, ((1, 2), (2, 3)) => (1, 3), A, B; semiring = s)

@testset "plans over $s, $T" for (s, T) in ALGEBRAS
    rng = MersenneTwister(3)
    add = first(operations(s))
    A, B = sample(rng, s, T, (30, 20)), sample(rng, s, T, (20, 40))
    plan = contraction_plan("ik,kj->ij", size.((A, B)); semiring = s, eltype = T)
    expected = T.(product(s, A, B))
    @test plan isa TO.ContractionPlan{T,2,2,typeof(s)} && plan(A, B) == expected
    C = Array{T}(expected)
    @test plan(C, A, B; β = true) == add.(expected, expected)
    @test plan(view(C, :, 40:-1:1), view(A, :, :), B) == expected
    foreach(f -> f(), (() -> run_bytes(plan, C, A, B), () -> einsum_bytes(C, A, B, s), () -> labels_bytes(C, A, B, s)))
    @test run_bytes(plan, C, A, B) == einsum_bytes(C, A, B, s) == labels_bytes(C, A, B, s) == 0
    @test C == expected
    text = sprint(show, MIME("text/plain"), plan)
    @test occursin("$T over ", text) && occursin("ik,kj->ij: tiles", text)
    @test occursin("over $(nameof(typeof(s))): 30×20, 20×40", repr(plan))
    # A limit is kept, by slices, and they add up to the same.
    As = (A, B, sample(rng, s, T, (40, 30)), sample(rng, s, T, (30, 30)))
    shapes = size.(As)
    whole = contraction_plan("ab,bc,cd,ae->de", shapes; semiring = s, eltype = T)
    limit = whole.info.peak_bytes ÷ 12
    sliced = contraction_plan("ab,bc,cd,ae->de", shapes; semiring = s, eltype = T, memory_limit = limit)
    @test sliced.info.slices > 1 && sliced.info.peak_bytes <= limit
    @test sliced(As...) == whole(As...) == product(s, permutedims(product(s, product(s, A, B), As[3])), As[4])
    @test TO.contraction_path(whole) isa AbstractVector
    given = contraction_plan("ab,bc,cd,ae->de", shapes; semiring = s, eltype = T, path = [(0, 1), (0, 2), (0, 1)])
    @test given(As...) == whole(As...)
end

@testset "one expression over several algebras" begin
    A, B = [1 2; 3 4], [0 1; 1 2]
    for _ in 1:2
        @test einsum("ij,jk->ik", A, B) == A * B
        @test einsum("ij,jk->ik", A, B; semiring = PlusTimes()) == A * B
        @test einsum("ij,jk->ik", A, B; semiring = MaxPlus()) == [3 4; 5 6]
        @test einsum("ij,jk->ik", A, B; semiring = MinPlus()) == [1 2; 3 4]
        @test einsum("ij,jk->ik", A, B; semiring = MaxTimes()) == [2 4; 4 8]
        @test einsum("ij,jk->ik", A .> 1, B .> 0; semiring = AndOr()) == [true true; true true]
    end
    @test einsum("i,i->", [typemax(Int), 1], [2, 3]; semiring = PlusTimes()) === 2typemax(Int) + 3
    @test einsum("ij,jk->ik", Int8[1 2], [true; true][:, 1:1]; semiring = PlusTimes()) == fill(3, 1, 1)
end

@testset "what a semiring refuses" begin
    A = ones(2, 2)
    refused(f, words...) = (e = try f() catch e e end; e isa ArgumentError && all(w -> occursin(w, e.msg), words))
    @test refused(() -> einsum("ij->ji", A; semiring = AndOr()), "operand 1", "Float64", "Bool")
    @test refused(() -> einsum("ij->ji", A; semiring = PlusTimes()), "operand 1", "Int64")
    @test refused(() -> einsum("ij->ji", A * im; semiring = MaxPlus()), "Complex", "Float64")
    @test refused(() -> einsum!(copy(A), "ij->ij", A; semiring = MaxPlus(), α = 2), "α = 2")
    @test refused(() -> einsum!(copy(A), "ij->ij", A; semiring = MaxPlus(), β = 2), "β = 2")
    @test refused(() -> einsum!(zeros(Int, 2, 2), "ij->ij", A; semiring = MaxPlus()), "output")
    @test refused(() -> einsum!(A, "ij->ji", A; semiring = MaxPlus()), "output", "operand 1") && A == ones(2, 2)
    @test refused(() -> einsum("ij->ik", A; semiring = MaxPlus()), "'k'")
    @test refused(() -> TO.argmax_config("ij->i", [1 2]; semiring = PlusTimes()), "PlusTimes")
    @test_throws DimensionMismatch einsum("ij,jk->ik", A, ones(3, 3); semiring = MaxPlus())
    @test refused(() -> contraction_plan("ij->ji", [(2, 2)]; semiring = AndOr(), eltype = Int), "plan", "Int64", "Bool")
    @test refused(() -> contraction_plan("ij->ji", [(2, 2)]; semiring = MaxPlus(), eltype = ComplexF64), "Complex")
    plan = contraction_plan("ij->ji", [(2, 2)]; semiring = MaxPlus())
    @test refused(() -> plan(A; α = 2), "α = 2") && refused(() -> plan(copy(A), A; β = -1), "β = -1")
    @test refused(() -> plan(A, A, A), "1 operands", "3 arrays") && refused(() -> plan(A, A), "output", "operand 1")
    @test refused(() -> TO.argmax_config(contraction_plan("ij->", [(2, 2)]), A), "numbers")
    @test refused(() -> TO.argmax_config(plan, A, A), "1 operand", "2")
    @test_throws DimensionMismatch einsum!(ones(3, 3), "ij->ij", A; semiring = MaxPlus())
    @test einsum("ij->ji", [1 2; 3 4] .> 2; semiring = AndOr()) == [false true; false true]
end

@testset "the ground state of a ±J spin glass" begin
    rng = MersenneTwister(2)
    # A 3×4 lattice with bonds of random sign and random fields.
    sites = [(i, j) for i in 1:3, j in 1:4]
    number(i, j) = LinearIndices(sites)[i, j]
    bonds = [[(number(i, j), number(i + 1, j)) for i in 1:2 for j in 1:4];
             [(number(i, j), number(i, j + 1)) for i in 1:3 for j in 1:3]]
    J, h = rand(rng, (-1, 1), length(bonds)), rand(rng, -2:2, 12)
    spin(k) = 3 - 2k                                    # index 1 is up
    energy(k) = -sum(J[b] * spin(k[s]) * spin(k[t]) for (b, (s, t)) in enumerate(bonds)) - sum(h .* spin.(k))
    lowest = minimum(energy([1 + (x >> n & 1) for n in 0:11]) for x in 0:2^12-1)
    tensors = Any[[[-J[b] J[b]; J[b] -J[b]] for b in eachindex(bonds)]; [[-h[s], h[s]] for s in 1:12]]
    labels = [[[s, t] for (s, t) in bonds]; [[s] for s in 1:12]]
    E, (names, ground) = TO.argmax_config(labels => Int[], tensors...; semiring = MinPlus())
    @test E == lowest == energy(ground[sortperm(names)]) && sort(names) == 1:12
    # With two spins left open: one configuration for each of their values.
    E, (names, ground) = TO.argmax_config(labels => [1, 12], tensors...; semiring = MinPlus())
    order = sortperm(names)
    for k in 1:2, l in 1:2
        configuration = ground[order, k, l]
        @test configuration[1] == k && configuration[12] == l && energy(configuration) == E[k, l]
    end
    @test minimum(E) == lowest
    @test einsum(labels => Int[], tensors...; semiring = MinPlus()) == lowest
end

@testset "configurations" begin
    value, (labels, places) = TO.argmax_config("ij,j->", [1.0 5.0; 2.0 3.0], [0.0, -1.0])
    @test value === 4.0 && labels == ["i", "j"] && places == [1, 2]
    value, (labels, places) = TO.argmax_config("ij->j", [0.5 0.1; 0.2 0.9]; semiring = MaxTimes())
    @test value == [0.5, 0.9] && labels == ["i", "j"] && places == [1 2; 1 2]
    plan = contraction_plan(((7, 8), (8,)) => (), [(2, 2), (2,)]; semiring = MaxPlus())
    @test TO.argmax_config(plan, [1 5; 2 3], [0.0, -1.0]) == (4.0, [7, 8] => [1, 2])
    value, (_, places) = TO.argmax_config("ij->j", zeros(0, 2))
    @test value == [-Inf, -Inf] && places == zeros(Int, 2, 2)
end
