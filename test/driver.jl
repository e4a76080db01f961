# What the driver for MatrixAlgebraKit adds to the decompositions: arrays of the caller that may share memory with the
# matrix, triangles that nobody wants, pivoted factors in the order of the matrix, singular values on a diagonal.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

@testset "without MatrixAlgebraKit" begin
    @test_throws ArgumentError TensorOxideDriver()
    @test_throws ArgumentError TensorOxideDriver(:own)
end

# The caller's arrays: contiguous or not.
filled(T, shape...) = fill(T(NaN), shape...)
gaps(T, shape...) = view(fill(T(NaN), (2 .* shape)...), (1:2:2n for n in shape)...)

@testset "$T" for T in TYPES
    rng = MersenneTwister(3)
    for shape in SHAPES, (kind, room) in ((plain, filled), (adjointed, gaps))
        A, memory = kind(rng, T, shape)
        B, before = Array(A), copy(memory)
        (m, n), k = shape, minimum(shape)

        U, S, Vᴴ = room(T, m, m), room(real(T), m, n), room(T, n, n)
        TO.driver_svd_full!(A, U, S, Vᴴ)
        @test S == [i == j ? TO.svd_full(B)[2][i] : 0 for i in 1:m, j in 1:n]
        @test near(U * S * Vᴴ, B) && orthonormal(U) && orthonormal(Matrix(Vᴴ'))
        U, s, Vᴴ = room(T, m, k), room(real(T), k), room(T, k, n)
        TO.driver_svd_compact!(A, U, s, Vᴴ)
        @test (U, s, Vᴴ) == TO.svd_compact(B)
        @test TO.driver_svd_vals!(A, room(real(T), k)) ≈ s

        for pivoted in (false, true), full in (false, true)
            Q, R = room(T, m, full ? m : k), room(T, full ? m : k, n)
            TO.driver_qr!(A, Q, R, pivoted)
            @test near(Q * R, B) && orthonormal(Q)
            p = pivoted ? TO.qr_pivoted(B)[3] : 1:n
            @test istriu(R[:, p]) && positive_diagonal(R[:, p])
            alone = room(T, size(Q)...)
            TO.driver_qr!(A, alone, room(T, 0, 0), pivoted)
            @test alone == Q

            L, Q = room(T, m, full ? n : k), room(T, full ? n : k, n)
            TO.driver_lq!(A, L, Q, pivoted)
            @test near(L * Q, B) && orthonormal(Matrix(Q'))
            p = pivoted ? TO.qr_pivoted(Matrix(B'))[3] : 1:m
            @test istril(L[p, :]) && positive_diagonal(L[p, :])
            alone = room(T, size(Q)...)
            TO.driver_lq!(A, room(T, 0, 0), alone, pivoted)
            @test alone == Q
        end
        for pivoted in (false, true)
            Q, N = pivoted ? TO.qr_pivoted(B)[1] : TO.qr_compact(B)[1], room(T, m, m - k)
            @test TO.driver_qr_null!(A, N, pivoted) === N
            @test orthonormal([Q N])
            Q, Nᴴ = pivoted ? TO.qr_pivoted(Matrix(B'))[1] : TO.qr_compact(Matrix(B'))[1], room(T, n - k, n)
            @test TO.driver_lq_null!(A, Nᴴ, pivoted) === Nᴴ
            @test orthonormal([Q Matrix(Nᴴ')])
        end
        @test memory == before
    end

    for n in (0, 1, 5, 20), room in (filled, gaps)
        A, C = randn(rng, T, n, n), complex(T)
        H = A + A'
        w, V = room(real(T), n), room(T, n, n)
        TO.driver_eigh_full!(H, w, V)
        @test (w, V) == TO.eigh_full(Hermitian(H))
        @test TO.driver_eigh_vals!(H, room(real(T), n)) ≈ w
        # One triangle counts, so that what MatrixAlgebraKit has let pass is not refused.
        @test TO.driver_eigh_vals!(triu(H), room(real(T), n)) ≈ w
        w, V = room(C, n), room(C, n, n)
        TO.driver_eig_full!(A, w, V)
        @test (w, V) == TO.eig_full(A)
        @test TO.driver_eig_vals!(A, room(C, n)) ≈ w
        S, Z, w = room(T, n, n), room(T, n, n), room(C, n)
        TO.driver_schur_full!(A, S, Z, w)
        @test (S, Z, w) == TO.schur_full(A)
        @test TO.driver_schur_vals!(A, room(C, n)) == TO.eig_vals(A)
    end
end

@testset "outputs that share memory with the matrix, $T" for T in TYPES
    A = randn(MersenneTwister(4), T, 6, 6)
    H, R = A + A', filled(T, 6, 6)
    s, w, wide, w̃, w̃₂ = (filled(E, 6) for E in (real(T), real(T), complex(T), real(T), complex(T)))
    into(f, A, others...) = (B = copy(A); f(B, map(x -> x === A ? B : x, others)...); B)
    @test into(TO.driver_svd_compact!, A, A, s, filled(T, 6, 6)) == TO.svd_compact(A)[1]
    @test into((A, Q, R) -> TO.driver_qr!(A, Q, R, false), A, A, R) == TO.qr_compact(A)[1]
    _, Rp, p, _ = TO.qr_pivoted(A)
    @test into((A, Q, R) -> TO.driver_qr!(A, Q, R, true), A, R, A)[:, p] == Rp
    @test into((A, L, Q) -> TO.driver_lq!(A, L, Q, false), A, R, A) == TO.lq_compact(A)[2]
    @test into((A, L, Q) -> TO.driver_lq!(A, L, Q, true), A, R, A) ≈ TO.qr_pivoted(Matrix(A'))[1]'
    @test into(TO.driver_eigh_full!, H, w, H) == TO.eigh_full(Hermitian(H))[2]
    @test into(TO.driver_schur_full!, A, A, filled(T, 6, 6), wide) == TO.schur_full(A)[1]
    # Two blocks of one vector do not overlap, but a copy does no harm.
    data = randn(MersenneTwister(5), T, 20)
    X, Q = reshape(view(data, 1:6), 3, 2), reshape(view(data, 7:12), 3, 2)
    B = Array(X)
    TO.driver_qr!(X, Q, filled(T, 2, 2), false)
    @test Q == TO.qr_compact(B)[1] && X == B
end

@testset "what cannot be" begin
    @test_throws ArgumentError TO.driver_svd_compact!([NaN 0; 0 1], zeros(2, 2), zeros(2), zeros(2, 2))
    @test_throws ArgumentError TO.driver_svd_vals!(Diagonal([1.0, 2.0]), zeros(2))
    @test_throws ArgumentError TO.driver_qr!(big.(ones(2, 2)), big.(ones(2, 2)), big.(ones(2, 2)), false)
    for T in (BigFloat, Complex{BigFloat}, Float16)
        @test_throws ArgumentError TO.svd_compact!(ones(2, 2), (zeros(2, 2), zeros(2), zeros(T, 2, 2)))
    end
    @test_throws DimensionMismatch TO.driver_eig_vals!(ones(2, 3), zeros(ComplexF64, 2))
end
