# Pullbacks and pushforwards in Julia's forms: matrices, stacks, split tensors, wrappers, every element type. What the
# engine computes is held to finite differences here once per function, and in depth by its own tests.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

# Random numbers that are the same in every version of Julia: differential quotients want values well apart.
const RULES_RNG = MersenneTwister(5)
random(arguments...) = randn(RULES_RNG, arguments...)

regular(T, n, batch...) = random(T, n, n, batch...) .+ 4 .* Matrix(I, n, n)
positive(T, n) = (A = random(T, n, n); A * A' + I)
hermitian(T, n) = (A = random(T, n, n); (A + A') / 2)

# Sums and products of what may be an array, a number, a tuple of them, or nothing.
dot_all(x, y) = 0.0
dot_all(x::Union{Number,AbstractArray}, y::Union{Number,AbstractArray}) = real(dot(x, y))
dot_all(x::Tuple, y::Tuple) = sum(map(dot_all, x, y))
plus(x, h, dx) = x
plus(x::Union{Number,AbstractArray}, h, dx::Union{Number,AbstractArray}) = x .+ h .* dx
plus(x::Tuple, h, dx::Tuple) = map((x, dx) -> plus(x, h, dx), x, dx)
noise(x) = nothing
noise(x::Union{AbstractFloat,Complex}) = random(typeof(x))
noise(x::AbstractArray{<:Union{AbstractFloat,Complex}}) = random(eltype(x), size(x))
noise(x::Hermitian) = Hermitian(noise(parent(x)))
noise(x::Tuple) = map(noise, x)
noise(x::Tuple{Vararg{Integer}}) = nothing

"The differential quotient of fourth order of `f` along the tangents, against the pushforward; the pullback by transposition."
function check_rule(f, arguments...; tangents = noise(arguments), options...)
    y = f(arguments...; options...)
    dy = TO.pushforward(f, arguments, y, tangents; options...)
    h = 2e-4
    at(h) = f(plus(arguments, h, tangents)...; options...)
    quotient(y₁, y₂, y₃, y₄) = (8 .* (y₁ .- y₂) .- (y₃ .- y₄)) ./ 12h
    for (dy, ys) in zip(as_tuple(dy), zip(map(as_tuple, (at(h), at(-h), at(2h), at(-2h)))...))
        dy === nothing || @test isapprox(dy, quotient(ys...); rtol = 1e-8, atol = 1e-8)
    end
    ȳ = noise(y)
    x̄ = TO.pullback(f, arguments, y, ȳ; options...)
    @test isapprox(dot_all(x̄, tangents), dot_all(ȳ, dy); rtol = 1e-10, atol = 1e-10)
    # Second order: the pullback along the tangents.
    pull(h) = (a = plus(arguments, h, tangents); TO.pullback(f, a, f(a...; options...), ȳ; options...))
    second = TO.pullback_pushforward(f, arguments, y, ȳ, tangents, nothing; options...)
    for (dx̄, xs) in zip(second, zip(map(pull, (h, -h, 2h, -2h))...))
        dx̄ === nothing || @test isapprox(dx̄, quotient(xs...); rtol = 1e-6, atol = 1e-6)
    end
end
as_tuple(x::Tuple) = x
as_tuple(x) = (x,)

@testset "$T" for T in (Float64, ComplexF64)
    for f in (TO.svd_compact, TO.svd_vals, TO.qr_compact, TO.lq_compact), size in ((4, 4), (5, 3), (3, 5), (4, 3, 2))
        check_rule(f, random(T, size))
    end
    check_rule(TO.svd_trunc, random(T, 6, 5); maxrank = 2)
    check_rule(TO.left_polar, random(T, 5, 3))
    check_rule(TO.right_polar, random(T, 3, 5))
    check_rule(TO.lu, regular(T, 4))
    check_rule(TO.lu_complete, random(T, 4, 4))
    check_rule(TO.qr_pivoted, random(T, 5, 4))
    check_rule(TO.cholesky, Hermitian(positive(T, 4)))
    for f in (TO.eigh_full, TO.eigh_vals)
        check_rule(f, Hermitian(hermitian(T, 4)))
    end
    check_rule(TO.eigh_range, Hermitian(hermitian(T, 5)), 2:3)
    check_rule(TO.eigh_trunc, Hermitian(hermitian(T, 5)); maxrank = 2)
    for f in (TO.eig_full, TO.eig_vals, TO.schur_vals, TO.inv, TO.det, TO.logabsdet, TO.expm, TO.pinv)
        check_rule(f, regular(T, 4))
        f === TO.expm || check_rule(f, regular(T, 3, 2))
    end
    check_rule(TO.solve, regular(T, 4), random(T, 4))
    check_rule(TO.solve, regular(T, 4, 2), random(T, 4, 3, 2))
    check_rule(TO.solve_triangular, regular(T, 4), random(T, 4, 2); uplo = :U)
    check_rule(TO.solve_triangular, regular(T, 4), random(T, 4); uplo = :L, unit_diagonal = true)
    check_rule(TO.lstsq, random(T, 5, 3), random(T, 5, 2))
    check_rule(TO.lstsq, random(T, 3, 5), random(T, 3))
    for name in keys(TO.FUNCTIONS)
        check_rule(TO.hermitian_function, name, Hermitian(positive(T, 4)))
    end
    for name in keys(TO.NORMS)
        check_rule(TO.matrix_norm, random(T, 4, 3), name)
    end
end

@testset "split tensors, $T" for T in (Float64, ComplexF64)
    check_rule(TO.svd_compact, random(T, 2, 3, 2), (3, 1), (2,))
    check_rule(TO.svd_trunc, random(T, 2, 3, 2, 2), (1, 4), (3, 2); maxrank = 2)
    check_rule(TO.qr_compact, random(T, 2, 3, 2), (1, 3), (2,))
    check_rule(TO.lq_compact, random(T, 2, 3, 2), (1,), (2, 3))
    check_rule(TO.inv, reshape(regular(T, 4), 2, 2, 2, 2), (2, 1), (4, 3))
    check_rule(TO.solve, reshape(regular(T, 4), 2, 2, 2, 2), random(T, 2, 2, 3), (1, 2), (3, 4))
    check_rule(TO.left_polar, random(T, 2, 3, 2), (1, 2), (3,))
    check_rule(TO.lu, random(T, 2, 2, 4), (1, 2), (3,))
    check_rule(TO.eig_full, reshape(regular(T, 4), 2, 2, 2, 2), (1, 2), (3, 4))
end

@testset "single precision, $T" for T in (Float32, ComplexF32)
    A = T.(regular(complex(Float64), 4) |> A -> T <: Real ? real(A) : A)
    for f in (TO.svd_compact, TO.qr_compact, TO.eig_vals, TO.inv, TO.expm)
        y, ȳ = f(A), noise(f(A))
        Ā, = TO.pullback(f, (A,), y, ȳ)
        B = convert(Matrix{T <: Real ? Float64 : ComplexF64}, A)
        B̄, = TO.pullback(f, (B,), f(B), ȳ)
        @test Ā isa Matrix{T} && isapprox(Ā, B̄; rtol = 1e-4)
    end
end

@testset "forms" begin
    A, B = regular(Float64, 3), random(3, 2)
    X, X̄ = TO.solve(A, B), random(3, 2)
    Ā, B̄ = TO.pullback(TO.solve, (A, B), X, X̄)
    # Layouts: views, transposed and lazily adjoint arrays, structured and integer cotangents.
    big = zeros(7, 7)
    big[7:-2:3, 1:3] = A
    @test TO.pullback(TO.solve, (view(big, 7:-2:3, 1:3), B), X, X̄)[1] == Ā
    @test TO.pullback(TO.solve, (copy(A')', B), X, copy(X̄')')[2] == B̄
    @test TO.pullback(TO.inv, (A,), TO.inv(A), Diagonal([1, 2, 3])) ==
          TO.pullback(TO.inv, (A,), TO.inv(A), diagm(0 => [1.0, 2, 3]))
    # Missing cotangents are zeros; a complex cotangent of a real result counts with its real part.
    S = TO.svd_compact(A)
    @test TO.pullback(TO.svd_compact, (A,), S, nothing)[1] == zeros(3, 3)
    @test TO.pullback(TO.svd_compact, (A,), S, (nothing, [1.0, 2, 3]))[1] ≈
          TO.pullback(TO.svd_vals, (A,), S[2], [1 + 2im, 2, 3])[1]
    # A real matrix with complex arguments beside it is complex.
    @test TO.pullback(TO.solve, (A, complex(B)), complex(X), X̄)[1] ≈ Ā
    # Wrappers of triangles.
    U = UpperTriangular(A)
    @test TO.pullback(TO.solve_triangular, (U, B), TO.solve_triangular(U, B), X̄)[1] ==
          TO.pullback(TO.solve_triangular, (A, B), TO.solve_triangular(U, B), X̄; uplo = :U)[1]
end

@testset "gauge" begin
    # Equal singular values: finite and exact for what does not depend on the choice of vectors.
    A = Matrix(1.0I, 3, 3)
    U, S, Vᴴ = USVᴴ = TO.svd_compact(A)
    C = random(3, 3)
    @test TO.pullback(TO.svd_compact, (A,), USVᴴ, (nothing, 2S, nothing))[1] ≈ 2A
    Ā, = TO.pullback(TO.svd_compact, (A,), USVᴴ, (C * Vᴴ' * Diagonal(S), diag(U' * C * Vᴴ'), Diagonal(S) * U' * C))
    @test Ā ≈ C    # of Re⟨C, U·S·Vᴴ⟩
    @test_throws ArgumentError TO.pullback(TO.svd_compact, (A,), USVᴴ, (C, nothing, nothing))
    @test_logs (:warn, r"gauge") TO.pullback(TO.svd_compact, (A,), USVᴴ, (C, nothing, nothing); on_gauge = :warn)
    @test_logs TO.pullback(TO.svd_compact, (A,), USVᴴ, (C, nothing, nothing); on_gauge = :ignore)
    TO.set_on_gauge(:ignore)
    @test TO.on_gauge() === :ignore && TO.pullback(TO.svd_compact, (A,), USVᴴ, (C, nothing, nothing)) isa Tuple
    TO.set_on_gauge(:error)
    @test_throws ArgumentError TO.set_on_gauge(:never)
    @test_throws ArgumentError TO.pullback(TO.svd_trunc, (A,), TO.svd_trunc(A; maxrank = 1), (nothing, [1.0], nothing))
    # Phases that are fixed are differentiated; where they are free, a loss that sees them depends on the gauge.
    A = random(ComplexF64, 3, 3)
    Ū = random(ComplexF64, 3, 3)
    @test_throws ArgumentError TO.pullback(TO.svd_compact, (A,), TO.svd_compact(A), (Ū, nothing, nothing); phases = :free)
end

@testset "eigenpairs of a map, $T" for T in (Float64, ComplexF64)
    A, D = hermitian(T, 6) + Diagonal(1:6), hermitian(T, 6)
    pair(A) = (e = TO.eigsolve(x -> A * x, ones(T, 6), 1, :LR; tol = 1e-14); (e[1][1], e[2][1]))
    λ, v = pair(A)
    λ̄, v̄ = random(), random(T, 6)
    x = TO.eigenpair_pullback(x -> A * x, λ, v, λ̄, v̄)
    h = 1e-4
    along(h) = (p = pair(A + h * D); λ̄ * p[1] + real(dot(v̄, p[2])))
    @test isapprox(real(dot(x * v', D)), (8 * (along(h) - along(-h)) - (along(2h) - along(-2h))) / 12h; rtol = 1e-7)
    # As from the whole decomposition.
    w, V = TO.eigh_full(Hermitian(A))
    Ā, = TO.pullback(TO.eigh_full, (Hermitian(A),), (w, V), ([zeros(5); λ̄], [zeros(T, 6, 5) v̄]))
    @test (x * v' + v * x') / 2 ≈ Ā
    # Of a map that is not Hermitian: the eigenvalue of largest real part.
    B, E = random(T, 5, 5) + 3I, random(T, 5, 5)
    value(B) = TO.eigsolve(x -> B * x, ones(T, 5), 1, :LR; ishermitian = false, tol = 1e-14)
    vals, vecs, _ = value(B)
    x = TO.eigenpair_pullback(x -> B' * x, vals[1], vecs[1], 1.0, nothing)
    at(h) = real(value(B + h * E)[1][1])
    @test isapprox(real(dot(x * vecs[1]', E)), (8 * (at(h) - at(-h)) - (at(2h) - at(-2h))) / 12h; rtol = 1e-6)
    @test_throws ArgumentError TO.eigenpair_pullback(x -> B' * x, λ, v, 1.0, nothing; phases = :mine)
end

@testset "refusals" begin
    A = regular(Float64, 3)
    X = TO.inv(A)
    @test_throws ArgumentError TO.pullback(sum, (A,), X, X)
    @test_throws ArgumentError TO.pullback(TO.inv, (A,), X, X; on_gauge = :maybe)
    @test_throws ArgumentError TO.pullback(TO.inv, (A,), X, X; phases = :mine)
    @test_throws ArgumentError TO.pullback(TO.inv, (A,), X, X; gauge_tolerance = -1)
    @test_throws DimensionMismatch TO.pullback(TO.inv, (A,), X, ones(2, 2))
    @test_throws DimensionMismatch TO.pullback(TO.inv, (A,), ones(2, 2), ones(2, 2))
    @test_throws ArgumentError TO.pullback(TO.hermitian_function, (exp, positive(Float64, 2)), ones(2, 2), ones(2, 2))
    @test_throws LinearAlgebra.SingularException TO.pullback(TO.solve, (zeros(2, 2), ones(2)), ones(2), ones(2))
end
