# Decompositions: the product gives the matrix back, factors are orthonormal, gauge and order are the standard's, for
# every element type, shape and layout. Backward errors are bounded by a small multiple of (m + n)·eps times the norm.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

tolerance(A) = 10 * (sum(size(A)) + 1) * eps(real(eltype(A)))
near(X, A) = norm(X - A) <= tolerance(A) * max(norm(A), floatmin(real(eltype(A))))
orthonormal(Q) = norm(Q' * Q - I) <= 10 * (sum(size(Q)) + 1) * eps(real(eltype(Q)))
"In each column, an entry of largest magnitude is real and positive."
function gauged(U)
    ε = eps(real(eltype(U)))
    return all(eachcol(U)) do u
        largest = maximum(abs, u)
        any(x -> abs(x) >= largest * (1 - 8ε) && imag(x) == 0 && real(x) > 0, u)
    end
end

const SHAPES = [(3, 3), (7, 4), (4, 7), (1, 5), (5, 1), (1, 1), (0, 3), (3, 0), (0, 0), (40, 30)]

@testset "$T" for T in TYPES
    rng = MersenneTwister(6)
    for shape in SHAPES, kind in layouts(T, shape)
        A, memory = kind(rng, T, shape)
        before = copy(memory)
        B = Array(A)
        k = minimum(shape)

        U, S, Vᴴ = TO.svd_compact(A)
        @test (U, S, Vᴴ) isa Tuple{Matrix{T},Vector{real(T)},Matrix{T}}
        @test size(U) == (shape[1], k) && size(S) == (k,) && size(Vᴴ) == (k, shape[2])
        @test near(U * Diagonal(S) * Vᴴ, B) && orthonormal(U) && orthonormal(Matrix(Vᴴ'))
        @test issorted(S; rev = true) && all(>=(0), S) && gauged(U)
        @test TO.svd_trunc(A) == (U, S, Vᴴ, 0)

        Q, R = TO.qr_compact(A)
        @test size(Q) == (shape[1], k) && size(R) == (k, shape[2])
        @test near(Q * R, B) && orthonormal(Q) && istriu(R)
        @test all(x -> real(x) >= 0 && imag(x) == 0, diag(R))
        @test memory == before
    end
    for n in (0, 1, 2, 5, 40)
        B = randn(rng, T, n, n)
        H = B + B'
        memory = randn(rng, T, 2n + 1, n + 3)
        V = view(memory, 2:2:2n, n:-1:1)
        V .= H
        for A in Any[H, transpose(Matrix(transpose(H))), PermutedDimsArray(permutedims(H), (2, 1)), V, Matrix(H')',
                  Hermitian(triu(H)), Hermitian(tril(H), :L)]
            w, V = TO.eigh_full(A)
            @test (w, V) isa Tuple{Vector{real(T)},Matrix{T}}
            @test near(V * Diagonal(w) * V', H) && orthonormal(V) && issorted(w) && gauged(V)
        end
        T <: Real && @test TO.eigh_full(Symmetric(triu(H)))[1] ≈ TO.eigh_full(H)[1]
    end
end

@testset "extreme magnitudes, $T" for T in TYPES
    rng = MersenneTwister(7)
    A = randn(rng, T, 6, 4)
    R = real(T)
    for scale in (floatmin(R), sqrt(floatmin(R)) / 1000, sqrt(floatmax(R)) * 1000, floatmax(R) / 100)
        U, S, Vᴴ = TO.svd_compact(A * scale)
        @test S ≈ TO.svd_compact(A)[2] * scale rtol = 100eps(R)
        @test U ≈ TO.svd_compact(A)[1] rtol = 1000eps(R)
    end
end

@testset "rank-deficient and repeated" begin
    for T in TYPES
        for A in (zeros(T, 4, 3), ones(T, 4, 3), Matrix{T}(I, 4, 4), T[1 0 0; 0 0 0; 0 0 0])
            U, S, Vᴴ = TO.svd_compact(A)
            @test near(U * Diagonal(S) * Vᴴ, A) && orthonormal(U) && orthonormal(Matrix(Vᴴ')) && gauged(U)
            Q, R = TO.qr_compact(A)
            @test near(Q * R, A) && orthonormal(Q)
        end
        w, V = TO.eigh_full(Matrix{T}(I, 5, 5))
        @test w == ones(5) && orthonormal(V)
    end
end

@testset "truncation" begin
    rng = MersenneTwister(8)
    # Singular values 8, 4, 2, 2, 1: squares 64, 16, 4, 4, 1, sum 89.
    σ = [8.0, 4.0, 2.0, 2.0, 1.0]
    for T in TYPES
        X, Y = TO.qr_compact(randn(rng, T, 7, 5))[1], TO.qr_compact(randn(rng, T, 5, 5))[1]
        A = X * Diagonal(real(T).(σ)) * Y'
        for (rules, rank) in [((maxrank = 2,), 2), ((maxrank = 9,), 5), ((maxrank = 0,), 1),
                              ((maxrank = 0, minrank = 0), 0), ((atol = 1.5,), 4), ((atol = 3,), 2),
                              ((atol = 100,), 1), ((atol = 100, minrank = 3), 3),
                              ((rtol = 0.15,), 4), ((rtol = 0.3,), 2), ((discarded_weight = 1.5 / 89,), 4),
                              ((discarded_weight = 5.5 / 89,), 3), ((discarded_weight = 1,), 1),
                              ((maxrank = 4, discarded_weight = 0.2, atol = 0.5), 2), ((maxrank = 2, minrank = 4), 4)]
            U, S, Vᴴ, ϵ = TO.svd_trunc(A; rules...)
            @test size(U) == (7, rank) && length(S) == rank && size(Vᴴ) == (rank, 5)
            @test (U, S, Vᴴ, ϵ) isa Tuple{Matrix{T},Vector{real(T)},Matrix{T},real(T)}
            @test S ≈ σ[1:rank] rtol = tolerance(A)
            @test ϵ ≈ norm(σ[rank+1:end]) atol = tolerance(A) * norm(σ)
            @test norm(U * Diagonal(S) * Vᴴ - A) ≈ ϵ atol = tolerance(A) * norm(σ)
            @test gauged(U)
        end
    end
    D = Matrix(Diagonal([8.0, 4.0, 2.0, 2.0, 1.0]))
    @test TO.svd_trunc(D; maxrank = 3)[2] == [8, 4, 2]
    @test TO.svd_trunc(D; maxrank = 3, keep_multiplets = true)[2] in ([8, 4], [8, 4, 2, 2])
    @test TO.svd_trunc(D; maxrank = 4, keep_multiplets = true)[2] == [8, 4, 2, 2]
end

@testset "integers are converted" begin
    @test TO.svd_compact([3 0; 0 -2])[2] == [3.0, 2.0]
    @test TO.qr_compact([0 1; 2 0]) == ([0.0 1.0; 1.0 0.0], [2.0 0.0; 0.0 1.0])
    @test TO.eigh_full([2 0; 0 1])[1] == [1.0, 2.0]
    @test TO.svd_compact([true false; false true])[2] == [1.0, 1.0]
    @test TO.eigh_full([0 im; -im 0])[1] ≈ [-1.0, 1.0]
end
