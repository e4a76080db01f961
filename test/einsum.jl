# Contractions of every kind, element type and memory layout against plain loops.
using TensorOxide, Test, Random, LinearAlgebra

"A random expression of 1 to 4 operands, with the sizes of its labels."
function random_expression(rng)
    pool = collect("abcdef")[1:rand(rng, 1:6)]
    extent = Dict(label => rand(rng) < 0.05 ? 0 : rand(rng, 1:4) for label in pool)
    terms = [join(rand(rng, pool, rand(rng, 0:4))) for _ in 1:rand(rng, 1:4)]
    used = unique(join(terms))
    output = join(shuffle(rng, used)[1:rand(rng, 0:min(4, length(used)))])
    # Now and then a label fills a diagonal of the output.
    length(output) in 1:3 && rand(rng) < 0.1 && (output *= rand(rng, output))
    # Now and then an operand has size 1 where others have more.
    narrow = [rand(rng) < 0.15 ? rand(rng, pool) : ' ' for _ in terms]
    shapes = [Tuple(Int[label == one ? 1 : extent[label] for label in term]) for (term, one) in zip(terms, narrow)]
    wide(label) = all(label != one for (term, one) in zip(terms, narrow) if label in term) ? extent[label] :
        maximum(label != one ? extent[label] : -1 for (term, one) in zip(terms, narrow) if label in term)
    shape = Tuple(Int[(n = wide(label); n < 0 ? 1 : n) for label in output])
    return string(join(terms, ','), "->", output), shapes, shape
end

"`condition`; where it is false, what it was about is printed."
said(condition, about) = (condition || println("failed: ", about); condition)
number(rng, T) = rand(rng, (T(1), randn(rng, T)))

@testset "random expressions and layouts, $T" for T in TYPES
    rng = MersenneTwister(sizeof(T))
    for trial in 1:12
        expression, shapes, shape = random_expression(rng)
        As = [first(any_layout(rng, T, s)) for s in shapes]
        conj = rand(rng, (nothing, Tuple(rand(rng, Bool, length(As)))))
        flags = conj === nothing ? fill(false, length(As)) : conj
        about = "$expression, $(typeof.(As)), sizes $(size.(As)), conj $conj"

        R = einsum(expression, As...; conj = conj)
        @test said(deviation(R isa Number ? fill(R) : R, expression, As; conj = flags) <= 1, about)

        C, memory = any_layout(rng, T, shape)
        α, β = number(rng, T), rand(rng, Bool) ? number(rng, T) : zero(T)
        iszero(β) && fill!(C, NaN)
        about *= ", α = $α, β = $β, output $(typeof(C))"
        C₀, before = Array(C), copy(memory)
        @test einsum!(C, expression, As...; α = α, β = β, conj = conj) === C
        @test said(deviation(C, expression, As; conj = flags, α = α, β = β, C₀ = C₀) <= 1, about)
        copyto!(C, C₀)
        @test said(isequal(memory, before), "wrote beside the output: $about")

        plan = contraction_plan(expression, shapes; eltype = T, conj = conj)
        @test isequal(plan(As...), R)
        plan(C, As...; α = α, β = β)
        @test said(deviation(C, expression, As; conj = flags, α = α, β = β, C₀ = C₀) <= 1, about)
    end
end

@testset "an output in any layout" begin
    rng = MersenneTwister(3)
    for T in (Float64, ComplexF64), shape in [(4,), (2, 2, 3)], kind in layouts(T, shape), β in (0, T(2))
        A = randn(rng, T, reverse(shape)...)
        C, memory = kind(rng, T, shape)
        iszero(β) && fill!(C, NaN)
        C₀, before = Array(C), copy(memory)
        labels = "abc"[1:length(shape)]
        einsum!(C, string(reverse(labels), "->", labels), A; α = 3, β = β)
        expected = 3 .* permutedims(A, length(shape):-1:1)
        iszero(β) || (expected = expected .+ β .* C₀)
        @test Array(C) ≈ expected rtol = 8eps(real(T))
        copyto!(C, C₀)
        @test isequal(memory, before)
    end
end

@testset "lazy conjugation" begin
    rng = MersenneTwister(4)
    A, B = randn(rng, ComplexF64, 3, 4), randn(rng, ComplexF64, 3, 5)
    n = 3                                           # terms of each sum
    @test einsum("ij,jk->ik", A', B) ≈ A' * B rtol = 8n * eps()
    @test einsum("ij,jk->ik", A', B; conj = (true, false)) ≈ transpose(A) * B rtol = 8n * eps()
    C = fill(NaN * im, 5, 4)
    @test einsum!(C', "ij,jk->ik", A', B; α = 2im)' === C
    @test Array(C') ≈ 2im * A' * B rtol = 8n * eps()
    @test einsum("i,i->", A[:, 1], A[:, 1]; conj = [true, false]) ≈ norm(A[:, 1])^2 rtol = 8n * eps()
end

@testset "numbers in, numbers out" begin
    A = [1.0 2.0; 3.0 4.0]
    @test einsum("ii->", A) === 5.0
    @test einsum(",ij->ij", 2, A) == 2A
    @test einsum(",->", 2.0f0, 3) === 6.0f0
    @test einsum!(fill(1.0), "ij,ij->", A, A; β = 2) == fill(32.0)
    @test einsum("->", 1im) === ComplexF64(1im)
end

@testset "element types promote as Julia promotes" begin
    A, B = [1 2; 3 4], [1.0f0 2.0f0; 3.0f0 4.0f0]
    for (X, Y, T) in [(A, B, Float32), (A, A, Float64), (A, B * im, ComplexF32), (B, Float64.(A), Float64),
                      (A * im, A, ComplexF64), (A .> 2, A, Float64), (B, A * (1.0im), ComplexF64), (B, A // 1, Float32)]
        C = einsum("ij,jk->ik", X, Y)
        @test C isa Matrix{T} && C == X * Y
    end
    @test einsum!(zeros(ComplexF64, 2, 2), "ij,jk->ik", A, B) == A * B
    plan = contraction_plan("ij,jk->ik", [(2, 2), (2, 2)]; eltype = ComplexF32)
    @test plan(A, B) isa Matrix{ComplexF32} && plan(A, B) == A * B
    @test einsum("ij->ji", Diagonal([1, 2])) == [1 0; 0 2]      # converted, so copied anyway
end

@testset "many operands and many indices" begin
    rng = MersenneTwister(5)
    letters = vcat('a':'z', 'A':'Z')
    for n in (8, 9, 20)
        As = [randn(rng, 2, 2) for _ in 1:n]
        expression = join((letters[k] * letters[k+1] for k in 1:n), ',') * "->" * letters[1] * letters[n+1]
        # Norms, because each of n factors brings its rounding.
        scale = prod(norm, As)
        @test norm(einsum(expression, As...) - reduce(*, As)) <= 8n * eps() * scale
        C = fill(NaN, 2, 2)
        einsum!(C, expression, As...)
        @test norm(C - reduce(*, As)) <= 8n * eps() * scale
        plan = contraction_plan(expression, size.(As))
        @test plan(As...) == plan(C, As...)
    end
    A = randn(rng, ntuple(_ -> 2, 20)...)
    order = shuffle(rng, 1:20)
    B = einsum(join(letters[1:20]) * "->" * join(letters[order]), A)
    @test B == permutedims(A, order)
    @test einsum(join(letters[1:20]) * "," * join(letters[order]) * "->", A, B) ≈ sum(abs2, A) rtol = 1e-12
end

# Measured inside a function, after a first call has compiled it.
with_integers(C, A, B) = @allocated einsum!(C, ((-1, 7), (7, 3)) => (3, -1), A, B)

@testset "integer labels" begin
    A, B = [1.0 2.0; 3.0 4.0], [0.0 1.0 5.0; 2.0 3.0 7.0]
    @test einsum(((1, 2), (2, 3)) => (1, 3), A, B) == A * B
    @test einsum([[1, 2], [2, 3]] => [1, 3], A, B) == A * B
    @test einsum([(1, 2), [2, 3]] => (3, 1), A, B) == (A * B)'
    @test einsum(((1, 2), (2, 3)) => (3, 1), A, B) == (A * B)'
    @test einsum((Int8[-1, 100], UInt16[100, 60000]) => [-1, 60000], A, B) == A * B
    @test einsum(((1, 1),) => (), A) === 5.0
    @test einsum(((), (5, 5)) => (5,), 2, A) == [2.0, 8.0]
    @test einsum(((3,),) => (3, 3), [1, 2]) == [1 0; 0 2]
    @test einsum("{1}{2},{2}{3}->{1}{3}", A, B) == A * B
    plan = contraction_plan(((1, 2), (2, 3)) => (1, 3), size.((A, B)))
    @test plan(A, B) == A * B && plan.expression == "{1}{2},{2}{3}->{1}{3}"
    C = zeros(3, 2)
    @test with_integers(C, A, B) >= 0 && with_integers(C, A, B) == 0 && C == (A * B)'
    # Equal where they agree, and told apart where they do not.
    @test einsum(((1, 2), (2, 3)) => (1, 3), A, B) == einsum((1:2, 2:3) => [1, 3], A, B)
    @test einsum(((1, 2), (1, 3)) => (2, 3), A, B) == A' * B
    # A text and labels that say the same are kept apart, and so are other labels of one length.
    for k in 1:20
        @test einsum(((k, -k),) => (-k, k), A) == A' && einsum("{$k}{-$k}->{-$k}{$k}", A) == A'
    end
end

@testset "more labels than letters" begin
    rng = MersenneTwister(6)
    n = 120
    As = [randn(rng, 2, 2) for _ in 1:n]
    product = reduce(*, As)
    scale = prod(norm, As)
    rounded(X) = norm(X - product) <= 8n * eps() * scale
    characters = [Char(0xc0 + k) for k in 0:n]      # × and ÷ are among them
    text = join((string(characters[k], characters[k+1]) for k in 1:n), ',')
    @test rounded(einsum(string(text, "->", characters[1], characters[n+1]), As...))
    @test rounded(einsum([[k, k + 1] for k in 1:n] => [1, n + 1], As...))
end

@testset "outputs that are not written are NumPy's" begin
    A, B = reshape(1.0:30.0, 5, 2, 3) |> collect, reshape(1.0:12.0, 3, 4) |> collect
    products = cat((reshape(A[b, :, :] * B, 1, 2, 4) for b in 1:5)...; dims = 1)
    @test einsum("...ij,jk", A, B) == products                                  # the ellipsis, then i and k
    @test einsum("...ij,...jk", A, B) == products                               # one operand has no such index
    @test einsum("...ij,...jk", A, reshape(B, 1, 3, 4)) == products             # or one of size 1
    @test einsum("i...j,jk->ik...", A, B) == permutedims(products, (1, 3, 2))
    @test einsum("bA", B) == B'                                                 # capitals first
    @test einsum("b...a", A) == permutedims(A, (2, 3, 1))
    @test einsum("i...i", A[1:3, :, :]) == [sum(A[i, j, i] for i in 1:3) for j in 1:2]
    @test einsum("...", A) == A && einsum("ii", B[:, 1:3]) == sum(B[i, i] for i in 1:3)
    @test einsum("a,b", [1, 2], [3, 5]) == [3 5; 6 10] && einsum(",i", 2, [1, 3]) == [2, 6]
end

@testset "sizes of 1 go with any other" begin
    A, B = [1.0, 2.0][:, :], [1.0 2.0; 3.0 4.0; 5.0 6.0]
    @test einsum("ij,jk->ik", A, B) == repeat(A, 1, 3) * B
    @test einsum("i,i->i", [2.0], [1.0, 2.0, 3.0]) == [2.0, 4.0, 6.0]
    C = ones(2, 2)
    @test einsum!(C, "ij,jk->ik", A, B; α = 2, β = -1) == 2 * repeat(A, 1, 3) * B .- 1
    # A broadcast axis of stride 0 may be read.
    row = TensorOxide.einsum("ij,ij->", repeat(A, 1, 3), PermutedDimsArray(B, (2, 1)))
    @test row == sum(repeat(A, 1, 3) .* B')
end

@testset "β = 0 is a strong zero" begin
    C = fill(NaN, 2, 2)
    @test einsum!(C, "ij->ij", [1.0 2.0; 3.0 4.0]; β = 0.0) == [1.0 2.0; 3.0 4.0]
    @test einsum!(ones(2, 0), "ij,jk->ik", ones(2, 3), ones(3, 0)) == ones(2, 0)
    @test einsum!(fill(NaN, 2, 2), "ij,jk->ik", ones(2, 0), ones(0, 2)) == zeros(2, 2)
    @test einsum!(ones(2, 2), "ij,jk->ik", ones(2, 0), ones(0, 2); β = 3) == fill(3.0, 2, 2)
    @test einsum!(fill(NaN, 2, 2), "i->ii", ones(2)) == [1.0 0.0; 0.0 1.0]
    @test einsum!(ones(2, 2), "i->ii", ones(2); β = 3) == [4.0 3.0; 3.0 4.0]
end
