# Decompositions: the product gives the matrix back, factors are orthonormal, gauge and order are the standard's, for
# every element type, shape and layout. Backward errors are bounded by a small multiple of (m + n)·eps times the norm.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

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

# A matrix whose singular values, or moduli of eigenvalues, fall by a factor.
function falling(rng, T, m, n, factor)
    σ = real(T).(factor .^ (0:min(m, n)-1))
    X, Y = TO.qr_compact(randn(rng, T, m, length(σ)))[1], TO.qr_compact(randn(rng, T, n, length(σ)))[1]
    return X * Diagonal(σ) * Y', X, σ
end

@testset "truncation by the randomised method, $T" for T in TYPES
    rng = MersenneTwister(12)
    for (m, n) in ((80, 80), (130, 70), (70, 130)), method in (:randomized, :auto)
        A, _, σ = falling(rng, T, m, n, 0.2)
        for rules in ((maxrank = 5,), (maxrank = 8, rtol = 0.003), (maxrank = 6, discarded_weight = 1e-3))
            U, S, Vᴴ, ϵ = TO.svd_trunc(A; method = method, rules...)
            all = TO.svd_trunc(A; rules...)
            r = length(S)
            @test (U, S, Vᴴ, ϵ) isa Tuple{Matrix{T},Vector{real(T)},Matrix{T},real(T)} && size(U) == (m, r)
            @test r == length(all[2]) && S ≈ all[2]
            @test isapprox(ϵ, all[4]; atol = 100eps(real(T)))
            @test isapprox(ϵ, norm(A - U * Diagonal(S) * Vᴴ); atol = 100eps(real(T)))
            @test orthonormal(U) && orthonormal(Matrix(Vᴴ')) && gauged(U)
            @test norm(U - all[1]) < 4eps(real(T))^(3 / 4) / (σ[r] - σ[r+1])
        end
    end
    A, _, _ = falling(rng, T, 80, 80, 0.2)
    @test TO.svd_trunc(A; maxrank = 4, method = :randomized, seed = 3) ==
        TO.svd_trunc(A; maxrank = 4, method = :randomized, seed = 3)
    # Values that hardly fall: the whole decomposition, to the last bit.
    B = randn(rng, T, 80, 80)
    @test TO.svd_trunc(B; maxrank = 4, method = :randomized) == TO.svd_trunc(B; maxrank = 4)
    @test TO.svd_trunc(reshape(A, 8, 10, 10, 8), (1, 2), (3, 4); maxrank = 4, method = :randomized)[2] ==
        TO.svd_trunc(A; maxrank = 4, method = :randomized)[2]
    _, X, σ = falling(rng, T, 80, 80, 0.2)
    w = [isodd(l) ? σ[l] : -σ[l] for l in eachindex(σ)]
    H = X * Diagonal(w) * X'
    for H in (H, Hermitian(triu(H)), Hermitian(tril(H), :L))
        v, V, ϵ = TO.eigh_trunc(H; maxrank = 5, method = :randomized)
        @test v ≈ w[1:5] && norm(H * V - V * Diagonal(v)) < 2eps(real(T))^(3 / 4) && gauged(V)
        @test isapprox(ϵ, norm(w[6:end]); atol = 100eps(real(T)))
    end
end

@testset "truncation into arrays of the caller, $T" for T in TYPES
    A = Matrix{T}(Diagonal([8, 4, 2, 1]))
    U, S, Vᴴ = fill(T(7), 4, 3), fill(real(T)(7), 3), fill(T(7), 3, 4)
    @test TO.svd_trunc!(A, (U, S, Vᴴ)) === (3, one(real(T)))
    @test S == [8, 4, 2] && U * Diagonal(S) * Vᴴ == Diagonal([8, 4, 2, 0])
    fill!(S, 7)
    @test TO.svd_trunc!(A, (U, S, Vᴴ); atol = 3) == (2, real(T)(sqrt(5)))
    @test S == [8, 4, 7]
    @test_throws DimensionMismatch TO.svd_trunc!(A, (U, S, Vᴴ); maxrank = 4)
    r, ϵ = TO.svd_trunc!(cat(A, 2A; dims = 3), (zeros(T, 4, 3, 2), zeros(real(T), 3, 2), zeros(T, 3, 4, 2)); atol = 3)
    @test r == 3 && ϵ == [1, 2]
    V = zeros(T, 4, 3)
    for A in (-A, Hermitian(-A))
        @test TO.eigh_trunc!(A, (S, V); maxrank = 1) == (1, real(T)(sqrt(21))) && S[1] == -8
        @test V[:, 1] == [1, 0, 0, 0]
    end
end

# Bytes per call, in a loop that is compiled for the types of all arguments, as a caller's own is.
function calls(f::F, n, arguments::A; options...) where {F,A}
    for _ in 1:n
        f(arguments...; options...)
    end
end
function allocated(f::F, arguments...; options...) where {F}
    calls(f, 2, arguments; options...)
    none = @allocated calls(f, 0, arguments; options...)
    return ((@allocated calls(f, 100, arguments; options...)) - none) / 100
end

@testset "calls into arrays of the caller allocate nothing, $T" for T in (Float64, ComplexF64)
    rng = MersenneTwister(13)
    A, b, w = randn(rng, T, 5, 5), randn(rng, T, 5), TO.Workspace()
    H = A * A' + I
    U, S, Vᴴ, X, x, rank = similar(A), real(b), similar(A), similar(A), similar(b), fill(0)
    @test allocated(TO.svd_compact!, A, (U, S, Vᴴ)) == 0
    @test allocated(TO.svd_compact!, view(A, 1:4, :)', (view(U, :, 1:4), view(S, 1:4), view(Vᴴ, 1:4, 1:4))) == 0
    @test allocated(TO.svd_vals!, A, S; workspace = w) == 0
    @test allocated(TO.svd_trunc!, A, (U, S, Vᴴ); atol = 0.1) == 0
    @test allocated(TO.qr_compact!, A, (U, X); workspace = w, provider = :engine) == 0
    @test allocated(TO.eigh_full!, H, (S, X)) == 0
    @test allocated(TO.eigh_full!, Hermitian(H), (S, X)) == 0
    @test allocated(TO.eigh_trunc!, Hermitian(H), (S, X); maxrank = 2) == 0
    @test allocated(TO.solve!, A, b, x) == 0
    @test allocated(TO.lstsq!, A, b, (x, rank)) == 0
    @test allocated(TO.inv!, A, X) == 0
    @test allocated(TO.cholesky!, H, X) == 0
end

@testset "integers are converted" begin
    @test TO.svd_compact([3 0; 0 -2])[2] == [3.0, 2.0]
    @test TO.qr_compact([0 1; 2 0]) == ([0.0 1.0; 1.0 0.0], [2.0 0.0; 0.0 1.0])
    @test TO.eigh_full([2 0; 0 1])[1] == [1.0, 2.0]
    @test TO.svd_compact([true false; false true])[2] == [1.0, 1.0]
    @test TO.eigh_full([0 im; -im 0])[1] ≈ [-1.0, 1.0]
end

@testset "stacks, $T" for T in TYPES
    rng = MersenneTwister(9)
    for batch in ((3,), (2, 3), (0,), (1, 1)), (m, n) in ((4, 3), (3, 4), (1, 1), (0, 2), (17, 5))
        A = randn(rng, T, m, n, batch...)
        U, S, Vᴴ = TO.svd_compact(A)
        Q, R = TO.qr_compact(PermutedDimsArray(permutedims(A, (2:ndims(A)..., 1)), (ndims(A), 1:ndims(A)-1...)))
        @test size(U) == (m, min(m, n), batch...) && size(S) == (min(m, n), batch...)
        for I in CartesianIndices(batch)
            @test (U[:, :, I], S[:, I], Vᴴ[:, :, I]) == TO.svd_compact(A[:, :, I])
            @test (Q[:, :, I], R[:, :, I]) == TO.qr_compact(A[:, :, I])
        end
        H = randn(rng, T, n, n, batch...)
        H = H + conj.(PermutedDimsArray(H, (2, 1, 3:ndims(H)...)))
        w, V = TO.eigh_full(H)
        @test all(I -> (w[:, I], V[:, :, I]) == TO.eigh_full(H[:, :, I]), CartesianIndices(batch))
    end
    A = ones(T, 2, 2, 3)
    A[1, 1, 2] = NaN
    @test_throws ArgumentError("matrix [1] of the batch: the matrix holds NaN or infinity, or its factors are too large " *
                               "for its type") TO.svd_compact(A)
    @test_throws DimensionMismatch TO.svd_compact(ones(T, 3))
end

@testset "tensors in rows and columns, $T" for T in TYPES
    A = randn(MersenneTwister(10), T, 2, 3, 4, 5)
    for (rows, columns) in (((1, 2), (3, 4)), ((1, 3), (2, 4)), ((4,), (3, 1, 2)), ((), (1, 2, 3, 4)), ((2, 4, 1, 3), ()))
        P = permutedims(A, (rows..., columns...))
        m, n = size(P)[1:length(rows)], size(P)[length(rows)+1:end]
        M = reshape(P, prod(m), prod(n))
        U, S, Vᴴ = TO.svd_compact(A, rows, columns)
        @test size(U) == (m..., length(S)) && size(Vᴴ) == (length(S), n...)
        @test (reshape(U, prod(m), :), S, reshape(Vᴴ, :, prod(n))) == TO.svd_compact(M)
        U, S, Vᴴ, ϵ = TO.svd_trunc(A, rows, columns; maxrank = 2)
        @test (vec(U), S, vec(Vᴴ), ϵ) == map(x -> x isa Matrix ? vec(x) : x, TO.svd_trunc(M; maxrank = 2))
        Q, R = TO.qr_compact(A, rows, columns)
        @test (vec(Q), vec(R)) == vec.(TO.qr_compact(M)) && size(Q)[1:end-1] == m && size(R)[2:end] == n
    end
    @test_throws ArgumentError TO.svd_compact(A, (1, 2), (3,))
    @test_throws ArgumentError TO.qr_compact(A, (1, 2), (2, 3))
end

@testset "outputs and workspaces of the caller, $T" for T in TYPES
    rng = MersenneTwister(11)
    A, w = randn(rng, T, 6, 4), TO.Workspace()
    before = copy(A)
    U, S, Vᴴ = view(zeros(T, 12, 4), 12:-2:1, :), zeros(real(T), 4), transpose(zeros(T, 4, 4))
    @test TO.svd_compact!(A, (U, S, Vᴴ); workspace = w) === (U, S, Vᴴ)
    @test (Array(U), S, Array(Vᴴ)) == TO.svd_compact(A) && A == before
    for provider in (:auto, :lent, :engine)
        U, S, Vᴴ = TO.svd_compact(A; provider = provider, workspace = w)
        @test near(U * Diagonal(S) * Vᴴ, A)
    end
    @test_throws ArgumentError TO.qr_compact(A; provider = :nobody)
    @test_throws DimensionMismatch TO.qr_compact!(A, (zeros(T, 6, 4), zeros(T, 4, 5)))
    @test_throws ArgumentError TO.qr_compact!(A, (zeros(T, 6, 4), view(A, 1:4, 1:4)))
end
