# Krylov methods over functions and plans, for every element type, against dense decompositions; and their errors.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

"A Hermitian matrix of which `norm` is about 1."
hermitian(rng, T, n) = (A = randn(rng, T, n, n); (A + A') / real(T)(4 * sqrt(n)))
"The same map, as a function and in the engine."
maps(A::Matrix{T}) where {T} =
    (x -> A * x, TO.PlannedMap(contraction_plan("ij,j->i", (size(A), (size(A, 1),)); eltype = T), A; free = 2))
gauge(v) = (k = findfirst(x -> abs(x) >= maximum(abs, v) * (1 - 1e-3), v); imag(v[k]) == 0 && real(v[k]) > 0)

@testset "$T" for T in TYPES
    rng = MersenneTwister(20)
    ε = eps(real(T))
    for n in (1, 2, 7, 50)
        A = hermitian(rng, T, n)
        λ = eigvals(Hermitian(A))
        x = randn(rng, T, n)
        for map in maps(A), (which, expected) in (:SR => λ, :LR => reverse(λ), :LM => sort(λ; by = abs, rev = true))
            howmany = min(n, 3)
            vals, vecs, info = TO.eigsolve(map, x, howmany, which; krylovdim = 12, maxiter = 500, tol = 1e3ε)
            @test (vals, vecs) isa Tuple{Vector{real(T)},Vector{Vector{T}}}
            @test vals ≈ expected[1:howmany] atol = 1e4ε
            @test info.converged == howmany && info.numops >= howmany && info.numiter >= 1
            for (λ, v, r, size) in zip(vals, vecs, info.residual, info.normres)
                @test norm(v) ≈ 1 && gauge(v)
                @test A * v - λ * v ≈ r atol = 100ε
                @test norm(r) ≈ size atol = 100ε
            end
        end
        for map in maps(A), t in (T <: Complex ? (-0.7, 1.3im, -2im) : (-0.7, 2.0))
            y, info = TO.exponentiate(map, t, x)
            @test y isa Vector{T}
            @test y ≈ exp(t * A) * x rtol = 1e3ε
            @test info.converged == 1 && info.residual === nothing && info.normres < 1e3ε * norm(y) + 1e-11
        end
        B = A + 2I
        for map in maps(B), isposdef in (false, true), x₀ in (zero(x), randn(rng, T, n))
            y, info = TO.linsolve(map, x, x₀; isposdef = isposdef, rtol = 100ε)
            @test y isa Vector{T}
            @test y ≈ B \ x rtol = 1e4ε
            @test info.converged == 1
            @test info.normres ≈ norm(x - B * y) atol = 1e3ε
            @test info.residual ≈ x - B * y atol = 1e3ε
        end
        @test TO.linsolve(x -> A * x, x, zero(x), 4, -1)[1] ≈ (4I - A) \ x rtol = 1e4ε
    end
    # A tensor as the vector, in any layout; a plan that conjugates an operand, and operands that are wrappers.
    L, M = hermitian(rng, T, 4), hermitian(rng, T, 3)
    θ = PermutedDimsArray(randn(rng, T, 3, 2, 4), (3, 1, 2))
    plan = contraction_plan("xa,xyc,by->abc", ((4, 4), (4, 3, 2), (3, 3)); eltype = T, conj = (true, false, false))
    map = TO.PlannedMap(plan, L, transpose(copy(transpose(M))); free = 2)
    @test map(θ) ≈ einsum("ax,xyc,by->abc", L, θ, M)
    smallest = minimum(vec(eigvals(Hermitian(L)) * eigvals(Hermitian(M))'))
    space = TO.KrylovSpace{T}()
    vals, vecs, info = TO.eigsolve(map, θ, 1, :SR; space = space)
    @test vals[1] ≈ smallest atol = 1e3ε
    @test vecs[1] isa Array{T,3} && size(vecs[1]) == size(θ)
    same = TO.eigsolve(map, θ, 1, :SR; space = space)
    @test same[1] == vals && same[2] == vecs
    @test TO.eigsolve(map, Array(θ), 1, :SR)[2] == vecs
    @test TO.eigsolve(x -> map(x), θ, 1, :SR; space = space)[1:2] == (vals, vecs)
end

@testset "maps that are not Hermitian, $T" for T in TYPES
    rng = MersenneTwister(22)
    ε = eps(real(T))
    for n in (1, 2, 6, 60)
        A = randn(rng, T, n, n) / T(sqrt(n)) + Diagonal(T[k <= 6 ? (1.4, -1.7, 1.6, -1.2, 0.3, 2)[k] : 0 for k in 1:n])
        λ = eigvals(A)
        x = randn(rng, T, n)
        whichs = [:LM => abs, :LR => real, :SR => x -> -real(x)]
        T <: Complex && append!(whichs, [:LI => imag, :SI => x -> -imag(x)])
        for map in maps(A), (which, key) in whichs, howmany in 1:min(n, 4)
            options = (krylovdim = 20, maxiter = 500, tol = 1e3ε, ishermitian = false)
            vals, vecs, info = TO.eigsolve(map, x, howmany, which; options...)
            @test (vals, vecs) isa Tuple{Vector{complex(T)},Vector{Vector{complex(T)}}}
            @test info.converged == howmany && length(vals) == length(vecs) == howmany
            # The values are as extreme as those of the dense decomposition, and are among them.
            @test key.(vals) ≈ sort(key.(λ); rev = true)[1:howmany] atol = 1e5ε
            @test all(v -> minimum(abs.(λ .- v)) <= 1e5ε, vals)
            for (λ, v, r, size) in zip(vals, vecs, info.residual, info.normres)
                @test norm(v) ≈ 1 && gauge(v)
                @test A * v - λ * v ≈ r atol = 300ε
                @test norm(r) ≈ size atol = 300ε
            end
            paired(k) = (vals[k-1], vecs[k-1]) == (conj(vals[k]), conj(vecs[k]))
            T <: Real && @test all(k -> imag(vals[k]) >= 0 || paired(k), 1:howmany)
            same = TO.eigsolve(map, x, howmany, which; options...)
            @test same[1] == vals && same[2] == vecs
        end
    end
    θ = randn(rng, T, 3, 4)
    L = randn(rng, T, 4, 4)
    plan = contraction_plan("ab,bc->ac", ((3, 4), (4, 4)); eltype = T)
    vals, vecs, info = TO.eigsolve(TO.PlannedMap(plan, L; free = 1), θ, 2, :LM; ishermitian = false)
    @test vecs[1] isa Matrix{complex(T)} && size(vecs[1]) == (3, 4) && minimum(abs.(eigvals(L) .- vals[1])) < 1e4ε
end

@testset "ways to end" begin
    rng = MersenneTwister(21)
    A = hermitian(rng, Float64, 300)
    vals, vecs, info = TO.eigsolve(x -> A * x, randn(rng, 300), 2, :LR; krylovdim = 4, maxiter = 2)
    @test info.converged == 0 && info.numiter == 2 && all(info.normres .> 1e-12)
    @test TO.eigsolve(identity, ones(4), 3)[1] ≈ ones(3)
    @test TO.eigsolve(zero, ones(4), 4)[1] == zeros(4)
    cycle(x) = [x[2:end]; 0.5x[1]]
    few = TO.eigsolve(cycle, randn(rng, 300), 2, :LR; krylovdim = 5, maxiter = 2, ishermitian = false)[3]
    @test few.converged == 0 && few.numiter == 2 && all(few.normres .> 1e-12)
    @test TO.eigsolve(identity, ones(4), 3; ishermitian = false)[1] ≈ ones(3)
    @test TO.eigsolve(x -> [0 -2; 2 0] * x, [1, 0], 2; ishermitian = false)[1] ≈ [2im, -2im]
    eager = TO.eigsolve(x -> A * x, randn(rng, 300), 1, :LR; tol = 0.1, eager = true)
    @test eager[3].converged == 1 && eager[3].numops < 30
    @test TO.exponentiate(x -> A * x, 1, zeros(300))[1] == zeros(300)
    x, info = TO.linsolve(x -> [x[1], 0.0], [1.0, 1.0])
    @test info.converged == 0 && info.normres ≈ 1
    @test occursin("0 converged", sprint(show, info))
    # Integers are converted, and a complex time makes a real vector complex.
    @test TO.eigsolve(x -> [2 1; 1 2] * x, [1, 0], 2)[1] ≈ [3, 1]
    @test TO.exponentiate(x -> [0 1; 1 0] * x, im, [1, 0])[1] ≈ [cos(1), im * sin(1)]
    @test TO.linsolve(x -> 2x, [2, 4])[1] == [1, 2]
    @test TO.linsolve(x -> 2x, [2.0, 4.0], [0.0, 0.0], 2im)[1] ≈ [1, 2] / (1 + im)
    # What the map does with its argument, or keeps of it, does no harm.
    wild(x) = (y = A * x; fill!(x, NaN); y)
    @test TO.eigsolve(wild, A[:, 1], 1, :SR)[1] == TO.eigsolve(x -> A * x, A[:, 1], 1, :SR)[1]
end

@testset "errors" begin
    A, x = [2.0 1.0; 1.0 2.0], [1.0, 0.0]
    f(x) = A * x
    for call in (() -> TO.eigsolve(f, [0.0, 0.0]), () -> TO.eigsolve(f, [NaN, 0.0]), () -> TO.eigsolve(f, Float64[]),
                 () -> TO.eigsolve(x -> x * NaN, x), () -> TO.eigsolve(x -> [0 -1; 1 0] * x, x),
                 () -> TO.eigsolve(f, x, 3), () -> TO.eigsolve(f, x, 0), () -> TO.eigsolve(f, x, 1, :SM),
                 () -> TO.eigsolve(f, x, 1, :SR; tol = -1), () -> TO.eigsolve(f, x, 1, :SR; maxiter = 0),
                 () -> TO.eigsolve(f, ones(5), 2, :SR; krylovdim = 2),
                 () -> TO.eigsolve(f, x, 1, :LI), () -> TO.eigsolve(f, x, 1, :SI; ishermitian = false),
                 () -> TO.eigsolve(f, ones(5), 2, :SR; krylovdim = 3, ishermitian = false),
                 () -> TO.eigsolve(f, x; space = TO.KrylovSpace{Float32}()), () -> TO.eigsolve(f, big.(x)),
                 () -> TO.eigsolve(f, 1.0), () -> TO.exponentiate(f, NaN, x), () -> TO.exponentiate(f, 1e4, x),
                 () -> TO.linsolve(f, [Inf, 0.0]), () -> TO.linsolve(x -> -x, x; isposdef = true),
                 () -> TO.linsolve(f, x; rtol = NaN))
        @test_throws ArgumentError call()
    end
    @test_throws DimensionMismatch TO.eigsolve(x -> [1.0], x)
    @test_throws DimensionMismatch TO.eigsolve(x -> 1.0, x)
    @test_throws DimensionMismatch TO.linsolve(f, x, [1.0])
    @test_throws KeyError TO.eigsolve(x -> throw(KeyError(:mine)), x)
    plan = contraction_plan("ij,j->i", ((2, 2), (2,)))
    map = TO.PlannedMap(plan, A; free = 2)
    @test_throws ArgumentError TO.PlannedMap(plan; free = 2)
    @test_throws ArgumentError TO.PlannedMap(plan, A; free = 3)
    @test_throws ArgumentError TO.PlannedMap(plan, Float32.(A); free = 2)
    @test_throws DimensionMismatch TO.PlannedMap(plan, ones(2, 3); free = 2)
    @test_throws DimensionMismatch TO.PlannedMap(plan, x; free = 1)
    @test_throws DimensionMismatch TO.eigsolve(map, ones(3))
    @test_throws DimensionMismatch TO.eigsolve(map, ones(1, 2))
    @test_throws ArgumentError TO.eigsolve(map, Float32.(x))
    conjugated = contraction_plan("i->i", ((2,),); eltype = ComplexF64, conj = (true,))
    @test_throws ArgumentError TO.eigsolve(TO.PlannedMap(conjugated; free = 1), complex(x))
end
