# Our backend and allocator for TensorOperations: against plain loops, in every element type and layout.
using TensorOxide, TensorOperations, Test, Random, LinearAlgebra
using TensorOperations: BufferAllocator, DefaultAllocator, IndexError, ManualAllocator, StridedBLAS, StridedView
using TensorOperations: One, Zero

const OURS = TensorOxideBackend()
const ELEMENTS = (Float32, Float64, ComplexF32, ComplexF64)

"A view of random elements: permuted, with gaps, backwards, conjugated, as it falls. One type for many layouts."
function any_view(rng, T, shape)
    isempty(shape) && return StridedView(fill(randn(rng, T)))
    p = randperm(rng, length(shape))
    steps = rand(rng, [-2, -1, 1, 3], length(shape))
    A = StridedView(randn(rng, T, (abs.(steps) .* shape[p] .+ 1)..., 2))
    ranges = (step > 0 ? (1:step:step*n) : (1-step*n:step:2) for (step, n) in zip(steps, shape[p]))
    V = permutedims(A[ranges..., 2], Tuple(invperm(p)))
    return rand(rng, Bool) ? conj(V) : V
end

"A random permutation in two parts, and its inverse."
function random_parts(rng, n, first)
    p = randperm(rng, n)
    return (Tuple(p[1:first]), Tuple(p[first+1:n])), invperm(p)
end
number(rng, T) = rand(rng, (1, randn(rng, real(T)), randn(rng, T)))

"`α` times the product of `As`, summed over what `output` lacks of the labels, more than `β·C`: by plain loops."
function loops(C, (lists, output), As, conjugated, α, β)
    extents = Dict(label => size(A, d) for (list, A) in zip(lists, As) for (d, label) in enumerate(list))
    labels = collect(keys(extents))
    R = iszero(β) ? zeros(eltype(C), size(C)) : β * Array(C)
    for n in 0:prod(values(extents); init = 1)-1
        value = Dict{Int,Int}()
        for label in labels
            n, value[label] = divrem(n, extents[label]) .+ (0, 1)
        end
        term = one(eltype(C))
        for (list, A, flag) in zip(lists, As, conjugated)
            x = A[(value[label] for label in list)...]
            term *= flag ? conj(x) : x
        end
        R[(value[label] for label in output)...] += α * term
    end
    return R
end
# Sums of at most 16 products of numbers about one, the last bits of each wrong.
near(C, R) = isapprox(Array(C), R; rtol = 100eps(real(eltype(C))), atol = 100eps(real(eltype(C))))

@testset "operations, $T" for T in ELEMENTS
    rng = MersenneTwister(sizeof(T))
    # How many indices stay, are summed, and stay of the other operand; few, since each is compiled anew.
    for (n, k, m) in [(2, 1, 1), (1, 2, 1), (1, 1, 0), (0, 2, 0), (1, 0, 1), (0, 0, 0)], again in 1:3
        open, summed, other = (rand(rng, [0, 1, 2, 3, 4, 4], count) for count in (n, k, m))
        o, s, t = collect(1:n), collect(n+1:n+k), collect(n+k+1:n+k+m)
        (pA, inverseA), (pB, inverseB) = random_parts(rng, n + k, n), random_parts(rng, k + m, k)
        pC = Tuple(randperm(rng, n + m))
        conjA, conjB, α = rand(rng, Bool), rand(rng, Bool), number(rng, T)
        β = rand(rng, (Zero(), One(), number(rng, T)))
        output(shape) = (C = any_view(rng, T, shape); iszero(β) ? fill!(C, NaN) : C)
        A, B = any_view(rng, T, [open; summed][inverseA]), any_view(rng, T, [summed; other][inverseB])
        C = output([open; other][collect(Int, pC)])
        R = loops(C, ([[o; s][inverseA], [s; t][inverseB]], [o; t][collect(Int, pC)]), [A, B], [conjA, conjB], α, β)
        @test tensorcontract!(C, A, pA, conjA, B, pB, conjB, (pC, ()), α, β, OURS) === C
        @test near(C, R)

        ((kept, q), inverse) = random_parts(rng, n + 2k, n)
        A, C = any_view(rng, T, [open; summed; summed][inverse]), output(open)
        R = loops(C, ([[o; s; s][inverse]], o), [A], [conjA], α, β)
        @test tensortrace!(C, A, (kept, ()), (q[1:k], q[k+1:2k]), conjA, α, β, OURS, TensorOxideAllocator()) === C
        @test near(C, R)

        (p, inverse) = random_parts(rng, n, min(n, 1))
        A, C = any_view(rng, T, open[inverse]), output(open)
        R = loops(C, ([o[inverse]], o), [A], [conjA], α, β)
        @test tensoradd!(C, A, p, conjA, α, β, OURS) === C
        @test near(C, R)
    end
end

@testset "arrays of Julia's own" begin
    rng = MersenneTwister(2)
    A, B = randn(rng, ComplexF64, 4, 3, 2), randn(rng, ComplexF64, 3, 4)
    v = randn(rng, ComplexF64, 3)
    for (X, Y) in [(view(A, 4:-1:1, :, :), B'), (PermutedDimsArray(permutedims(A, (3, 1, 2)), (2, 3, 1)), transpose(B)),
                   (reshape(view(A, :, :, :), 4, 3, 2), view(transpose(B), :, 3:-1:1)),
                   (conj(StridedView(A)), StridedView(B)')]
        expected = [sum(conj(X[a, b, c]) * Y[x, b] for b in 1:3) for x in 1:4, a in 1:4, c in 1:2]
        C = view(fill(complex(NaN), 4, 3, 4, 2), :, 2, 4:-1:1, :)
        @tensor backend = OURS C[x, a, c] = conj(X[a, b, c]) * Y[x, b]
        @test C ≈ expected
    end
    C = zeros(ComplexF64, 4, 2)'
    @tensor backend = OURS C[c, a] = A[a, b, c] * v[b]
    @test C ≈ [sum(A[a, b, c] * v[b] for b in 1:3) for c in 1:2, a in 1:4]
end

@testset "diagonals, $T" for T in ELEMENTS
    rng = MersenneTwister(3)
    D, E, A = Diagonal(randn(rng, T, 3)), Diagonal(randn(rng, T, 3)), randn(rng, T, 3, 3, 3)
    d, e = Array(D), Array(E)
    @tensor backend = OURS C[a, b, c] := A[b, x, a] * conj(D[c, x])
    @tensor R[a, b, c] := A[b, x, a] * conj(d[c, x])
    @test C ≈ R
    @tensor backend = OURS C[a, b, c, d] := D[a, c] * E[d, b]
    @tensor R[a, b, c, d] := d[a, c] * e[d, b]
    @test C ≈ R
    @tensor backend = OURS C[a] := D[x, y] * A[y, a, x]
    @tensor R[a] := d[x, y] * A[y, a, x]
    @test C ≈ R
    @tensor backend = OURS C[a, b] := D[b, a] + 2 * E[a, x] * D[x, b]
    @test C ≈ d + 2e * d
    @test (@tensor backend = OURS tensorscalar(D[a, a])) ≈ sum(D.diag)
    F = Diagonal(fill(T(NaN), 3))
    @tensor backend = OURS F[a, b] = D[a, x] * E[x, b]
    @test F ≈ D * E
    @test_throws ArgumentError @tensor backend = OURS F[a, b] = D[a, x] * e[x, b]
end

@testset "index notation" begin
    rng = MersenneTwister(5)
    A, B, C = randn(rng, ComplexF64, 4, 3, 5), randn(rng, 5, 3, 2), randn(rng, ComplexF32, 2, 4)
    R = ncon([A, B, C], [[1, 2, 3], [3, 2, 4], [4, 1]])
    @tensor R2[a, d] := A[a, b, c] * B[c, b, d]
    for allocator in (DefaultAllocator(), ManualAllocator(), BufferAllocator(), TensorOxideAllocator())
        S = @tensor backend = OURS allocator = allocator tensorscalar(A[a, b, c] * B[c, b, d] * C[d, a])
        @test S ≈ R && S isa ComplexF64
        @test ncon([A, B, C], [[1, 2, 3], [3, 2, 4], [4, 1]]; backend = OURS, allocator = allocator) ≈ R
        @tensor backend = OURS allocator = allocator opt = true S2[d; a] := conj(A[a, b, c]) * B[c, b, d] + 2 * C[d, a]
        @test S2 ≈ R2' + 2C && S2 isa Matrix{ComplexF64}
        # A narrower output, and an operand that is added to itself.
        D = ones(ComplexF32, 4, 2)
        @tensor backend = OURS allocator = allocator D[a, d] = A[a, b, c] * B[c, b, d]
        @test D ≈ R2 rtol = 1e-5
        X = copy(R2)
        @tensor backend = OURS allocator = allocator X[a, b] += 2 * conj(X[a, b])
        @test X ≈ R2 + 2conj(R2)
    end
    # The allocator with the others' backend.
    @tensor allocator = TensorOxideAllocator() S[d, e] := A[a, b, c] * B[c, b, d] * conj(A[a, x, y]) * B[y, x, e]
    @test S ≈ transpose(R2) * conj(R2)
    @test TensorOxide.mark(TensorOxide.task_scratch()) == (1, 0)
    @test sprint(show, OURS) == "TensorOxideBackend()"
end

@testset "temporaries and results apart" begin
    rng = MersenneTwister(7)
    A, B, C = randn(rng, 9, 8), randn(rng, 8, 7), randn(rng, 7, 9)
    function thrice(A, B, C, D)
        @tensor backend = TensorOxideBackend() allocator = TensorOxideAllocator() D[a, d] = A[a, b] * B[b, c] * C[c, d]
        return nothing
    end
    D = zeros(9, 9)
    thrice(A, B, C, D)
    @test D ≈ A * B * C
    thrice(A, B, C, D)
    @test (@allocated thrice(A, B, C, D)) == 0
    results = map(1:3) do k
        @tensor backend = OURS allocator = TensorOxideAllocator() D[a, d] := (k * A[a, b]) * B[b, c] * C[c, d]
    end
    @test all(k -> results[k] isa Matrix{Float64} && results[k] ≈ k * A * B * C, 1:3)
    # Many tasks, each with its own.
    tasks = map(1:8) do k
        Threads.@spawn sum(1:k) do _
            @tensor backend = OURS allocator = TensorOxideAllocator() D[a, d] := A[a, b] * B[b, c] * C[c, d]
        end
    end
    @test all(k -> fetch(tasks[k]) ≈ k * A * B * C, 1:8)
    # An error between leaves temporaries behind; the next to go back takes them along.
    empty!(TensorOxideAllocator())
    @test_throws DimensionMismatch begin
        @tensor backend = OURS allocator = TensorOxideAllocator() D[a, d] = A[a, b] * B[b, c] * A[c, d]
    end
    @test TensorOxide.mark(TensorOxide.task_scratch()) != (1, 0)
    empty!(TensorOxideAllocator())
    @test TensorOxide.mark(TensorOxide.task_scratch()) == (1, 0)
end

@testset "errors" begin
    A, B, C = ones(2, 3), ones(3, 4), ones(2, 4)
    contract(C, A, B; pA = ((1,), (2,)), pB = ((1,), (2,)), pC = ((1, 2), ()), α = One(), β = Zero()) =
        tensorcontract!(C, A, pA, false, B, pB, false, pC, α, β, OURS)
    @test contract(C, A, B) == A * B
    for (error, C, A, B, options) in [
            (DimensionMismatch, C, A, ones(2, 4), (;)), (DimensionMismatch, ones(4, 2), A, B, (;)),
            (IndexError, C, A, B, (; pC = ((1, 1), ()))), (IndexError, C, A, B, (; pA = ((1, 2), ()))),
            (IndexError, ones(2, 4, 1), A, B, (;)), (ArgumentError, C, A, complex(B), (;)),
            (ArgumentError, C, A, B, (; α = 1im)), (ArgumentError, C, A, B, (; β = 1im)),
            (ArgumentError, ones(Int, 2, 4), A, B, (;)), (ArgumentError, ones(BigFloat, 2, 4), A, B, (;)),
            (ArgumentError, ones(3, 3), UpperTriangular(ones(3, 3)), ones(3, 3), (;)),
            (ArgumentError, view(C, [1, 2], :), A, B, (;))]
        @test_throws error contract(C, A, B; options...)
    end
    M = ones(3, 3)
    @test_throws ArgumentError contract(M, M, M)
    @test_throws ArgumentError tensoradd!(M, M, ((2, 1), ()), false, One(), Zero(), OURS)
    trace(C, A, q; α = One()) = tensortrace!(C, A, ((1,), ()), q, false, α, Zero(), OURS)
    @test_throws ArgumentError trace(ones(3), ones(3, 3, 3), ((2,), (3,)); α = 1im)
    @test_throws IndexError trace(ones(3), ones(3, 3, 3), ((2,), (2,)))
    @test_throws DimensionMismatch trace(ones(3), ones(3, 3, 2), ((2,), (3,)))
    @test_throws DimensionMismatch tensoradd!(ones(3, 2), ones(3, 2), ((2, 1), ()), false, One(), Zero(), OURS)
    @test_throws IndexError tensoradd!(ones(3, 2), ones(3, 2), ((2, 2), ()), false, One(), Zero(), OURS)
    # A complex factor that is real will do.
    @test contract(C, A, B; α = 2 + 0im) == 2A * B
end

@testset "nothing changes by loading" begin
    A = StridedView(ones(2, 2))
    @test TensorOperations.select_backend(tensorcontract!, A, A, A) isa StridedBLAS
    @test !(TensorOperations.select_backend(tensoradd!, A, A) isa typeof(OURS))
end
