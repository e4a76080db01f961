# Derivatives of contractions in Julia's forms, against finite differences and the definition by transposition.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

const TERMS = ("ij,jk->ik", "ii->", "ii->i", "i->ii", "ij->j", "ij,ij->", "bij,bjk->bik", "ij,jk,kl->il", "i,i,i->i", "ij,kl->",
               "ab,(bc,cd)->ad", "aij,bij->ab")
terms_of(expression) = split(replace(first(split(expression, "->")), r"[()]" => ""), ',')
sizes_of(expression) = [Tuple(2 + (label - 'a') % 3 for label in term) for term in terms_of(expression)]
small(T, expression) = map(size -> randn(T, size), sizes_of(expression))
inner(x, y) = real(sum(conj.(x) .* y))

@testset "$T" for T in (Float64, ComplexF64, Float32, ComplexF32)
    Random.seed!(3)
    tolerance = 50 * eps(real(T))
    for expression in TERMS, flags in (false, true)
        As = small(T, expression)
        conj = [flags && isodd(k) for k in 1:length(As)]
        Ȧs = map(A -> randn(T, size(A)), As)
        C, record = TO.recorded(einsum, expression, As...; conj = conj)
        @test C ≈ einsum(expression, As...; conj = conj)
        # A contraction is linear in each operand.
        Ċ = TO.pushforward(einsum, (expression, As...), C, (nothing, Ȧs...); conj = conj)
        alone(k) = einsum(expression, As[1:k-1]..., Ȧs[k], As[k+1:end]...; conj = conj)
        @test Ċ ≈ sum(alone, 1:length(As)) rtol = tolerance
        C̄ = randn(T, size(C)) |> x -> C isa Number ? x[] : x
        Ās = TO.pullback(record, C̄)
        for k in 1:length(As)
            @test isapprox(inner(Ās[k], Ȧs[k]), inner(C̄, alone(k)); rtol = tolerance, atol = 10tolerance)
        end
        @test TO.pullback(einsum, (expression, As...), C, C̄; conj = conj) == (nothing, Ās...)
        # The second order is linear, too: the tangent of the pullback, operand by operand.
        dC̄ = C̄ isa Number ? randn(T) : randn(T, size(C̄))
        dĀs = TO.pullback_pushforward(einsum, (expression, As...), C, C̄, (nothing, Ȧs...), dC̄; conj = conj)
        moved(h) = TO.pullback(einsum, (expression, (As .+ h .* Ȧs)...), C, C̄ + h * dC̄; conj = conj)
        h = cbrt(eps(real(T)))
        for (dĀ, up, down) in zip(Base.tail(dĀs), Base.tail(moved(h)), Base.tail(moved(-h)))
            @test isapprox(dĀ, (up .- down) ./ 2h; rtol = 20h^2, atol = 20h^2)
        end
    end
end

@testset "forms" begin
    A, B = randn(3, 4), randn(4, 2)
    plan = contraction_plan("ij,jk->ik", size.((A, B)))
    C, record = TO.recorded(plan, A, B)
    C̄ = randn(3, 2)
    @test all(TO.pullback(record, C̄) .≈ (C̄ * B', A' * C̄))
    @test TO.pullback(record, C̄) == TO.pullback(record, C̄; last = true) == TO.pullback(record, C̄)
    @test all(TO.pullback(plan, (A, B), C, C̄) .≈ (C̄ * B', A' * C̄))
    @test TO.pushforward(plan, (A, B), C, (nothing, B)) ≈ C
    @test TO.pullback(record, nothing) == (zero(A), zero(B))
    # Views, transposed and lazily adjoint arrays; real operands beside complex ones; numbers.
    Z = randn(ComplexF64, 4, 3)
    Ā, B̄ = TO.pullback(einsum, ("ij,jk->ik", Z', B), Z' * B, C̄)[2:3]
    @test Ā ≈ C̄ * B' && B̄ ≈ real(Z * C̄)
    @test TO.pullback(einsum, ("ij,jk->ik", view(A, 3:-1:1, :), B), C, C̄)[2] ≈ C̄ * B'
    x̄, Ā = TO.pullback(einsum, (",ij->ij", 2.0, A), 2A, A)[2:3]
    @test x̄ ≈ sum(abs2, A) && Ā ≈ 2A
    # A long chain: more operands than have a method of their own.
    chain = [randn(2, 2) for _ in 1:20]
    labels = join(("{$k}{$(k + 1)}" for k in 1:20), ',') * "->{1}{21}"
    P, record = TO.recorded(einsum, labels, chain...)
    @test P ≈ prod(chain)
    @test TO.pullback(record, ones(2, 2))[10] ≈ prod(chain[1:9])' * ones(2, 2) * prod(chain[11:20])'
    # The labels of the operands that a sum has alone, and sizes of 0 and 1.
    @test TO.pullback(einsum, ("ij->", zeros(0, 3)), 0.0, 1.0)[2] == zeros(0, 3)
    @test TO.pullback(einsum, ("ij,ij->ij", ones(1, 3), ones(2, 3)), ones(2, 3), ones(2, 3))[2] == fill(2.0, 1, 3)
end

@testset "refusals" begin
    A, B = randn(3, 4), randn(4, 2)
    @test_throws DimensionMismatch TO.pullback(einsum, ("ij,jk->ik", A, B), A * B, ones(2, 2))
    @test_throws DimensionMismatch TO.pushforward(einsum, ("ij,jk->ik", A, B), A * B, (nothing, B, A))
    @test_throws ArgumentError TO.recorded(contraction_plan("ij,jk->ik", size.((A, B)); semiring = MaxPlus()), A, B)
    @test_throws ArgumentError TO.recorded(contraction_plan("ij,jk->ik", size.((A, B))), A)
end
