# Further decompositions, functions and norms of matrices: what defines them, LinearAlgebra's values where it has them,
# for every element type, shape and layout. Errors are bounded by a small multiple of (m + n)·eps times the norm, as in
# linalg.jl.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

# LinearAlgebra's has no value for empty matrices in old versions of Julia.
opnorm0(A, p) = isempty(A) ? zero(real(eltype(A))) : opnorm(A, p)

const PIVOTING = VERSION < v"1.7" ? Val(true) : ColumnNorm()

@testset "$T" for T in TYPES
    rng = MersenneTwister(16)
    for shape in SHAPES, kind in layouts(T, shape)
        A, memory = kind(rng, T, shape)
        before = copy(memory)
        B = Array(A)
        (m, n), k = shape, minimum(shape)

        U, S, Vᴴ = TO.svd_full(A)
        V = Matrix(Vᴴ')
        @test (U, S, Vᴴ) isa Tuple{Matrix{T},Vector{real(T)},Matrix{T}}
        @test size(U) == (m, m) && size(Vᴴ) == (n, n)
        @test near(U[:, 1:k] * Diagonal(S) * Vᴴ[1:k, :], B) && orthonormal(U) && orthonormal(V)
        @test (U[:, 1:k], S, Vᴴ[1:k, :]) == TO.svd_compact(A) && gauged(U) && gauged(V[:, k+1:end])
        @test near(TO.svd_vals(A), S; scale = norm(S)) && near(TO.svd_vals(A), svdvals(B); scale = norm(S))

        Q, R = TO.qr_full(A)
        @test size(Q) == (m, m) && size(R) == (m, n)
        @test near(Q * R, B) && orthonormal(Q) && istriu(R) && positive_diagonal(R) && gauged(Q[:, k+1:end])
        @test k == 0 || near(Q[:, 1:k], TO.qr_compact(A)[1]; scale = k * cond(R[1:k, 1:k]))
        @test TO.qr_null(A) == Q[:, k+1:end]

        L, Q = TO.lq_compact(A)
        @test size(L) == (m, k) && size(Q) == (k, n)
        @test near(L * Q, B) && orthonormal(Matrix(Q')) && istril(L) && positive_diagonal(L)
        L, Q = TO.lq_full(A)
        @test size(L) == (m, n) && size(Q) == (n, n)
        @test near(L * Q, B) && orthonormal(Matrix(Q')) && istril(L) && positive_diagonal(L)
        @test TO.lq_null(A) == Q[k+1:end, :] && gauged(Matrix(Q')[:, k+1:end])

        Q, R, p, rank = TO.qr_pivoted(A)
        @test p isa Vector{Int} && isperm(p) && rank == k
        @test near(Q * R, B[:, p]) && orthonormal(Q) && istriu(R) && positive_diagonal(R)
        @test all(i -> R[i+1, i+1] |> real <= real(R[i, i]) * (1 + tolerance(A)), 1:k-1)
        k > 0 && @test p == LinearAlgebra.qr(B, PIVOTING).p

        if m >= n
            W, P = TO.left_polar(A)
            @test near(W * P, B) && orthonormal(W) && P == P' && near(P^2, B' * B; scale = norm(B)^2)
        else
            @test_throws DimensionMismatch TO.left_polar(A)
        end
        if m <= n
            P, Wᴴ = TO.right_polar(A)
            @test near(P * Wᴴ, B) && orthonormal(Matrix(Wᴴ')) && P == P' && near(P^2, B * B'; scale = norm(B)^2)
        else
            @test_throws DimensionMismatch TO.right_polar(A)
        end

        σ = svdvals(B)
        for (kind, value) in ((:frobenius, norm(B)), (:spectral, isempty(σ) ? zero(real(T)) : maximum(σ)), (:nuclear, sum(σ)),
                              (:one, opnorm0(B, 1)), (:infinity, opnorm0(B, Inf)))
            @test TO.matrix_norm(A, kind) isa real(T)
            @test TO.matrix_norm(A, kind) ≈ value rtol = tolerance(A)
        end
        if m == n > 0
            @test near(TO.expm(A), exp(B); scale = norm(exp(B)) * (1 + norm(B)))
        end
        @test memory == before
    end
    for n in (0, 1, 2, 5, 40)
        B = randn(rng, T, n, n)
        H = B + B'
        w, V = TO.eigh_full(H)
        scale = norm(w)
        for A in Any[H, view(H, :, :), Matrix(H')', Hermitian(triu(H)), Hermitian(tril(H), :L)]
            @test near(TO.eigh_vals(A), w; scale = scale) && issorted(TO.eigh_vals(A))
            for range in (1:n, 2:n-1, 1:0, n:n-1)
                x, X = TO.eigh_range(A, range)
                @test near(x, w[range]; scale = scale) && size(X) == (n, length(range))
                @test near(H * X, X * Diagonal(x); scale = norm(H)) && orthonormal(X) && gauged(X)
            end
            x, X, ϵ = TO.eigh_trunc(A; maxrank = 3)
            r = min(n, 3)
            expected = sort(w; by = abs, rev = true)
            @test near(x, expected[1:r]; scale = scale) && size(X) == (n, r) && orthonormal(X) && gauged(X)
            @test ϵ isa real(T) && abs(ϵ - norm(expected[r+1:end])) <= tolerance(H) * scale
            @test abs(norm(X * Diagonal(x) * X' - H) - ϵ) <= tolerance(H) * norm(H)
            small = Hermitian(Matrix(A) / max(1, real(T)(n)))
            E = TO.hermitian_function(:exp, small)
            @test E == E' && (n == 0 || near(E, Matrix(exp(small)); scale = norm(E) * (1 + norm(small))))
            @test near(TO.hermitian_function(exp, small), E; scale = norm(E)) && TO.expm(Matrix(small)) == E
            square = TO.hermitian_function(x -> x^2, small)
            @test square == square' && near(square, Matrix(small)^2; scale = norm(small)^2)
            @test near(TO.hermitian_function(x -> cis(x), small) * TO.hermitian_function(x -> cis(-x), small),
                       Matrix{complex(T)}(I, n, n); scale = n)
            root = TO.hermitian_function(:sqrt, Hermitian(Matrix(square)))
            @test near(root * root, Matrix(square); scale = norm(square))
        end
    end
end

@testset "what trips others, $T" for T in TYPES
    R = real(T)
    hilbert = T[1 / (i + j - 1) for i in 1:8, j in 1:8]
    for A in (zeros(T, 4, 3), ones(T, 4, 3), Matrix{T}(I, 4, 4), T[1 0 0; 0 0 0; 0 0 0], hilbert, Matrix(Diagonal(T[1, 1e-6, 1e-12])),
              Matrix(Bidiagonal(fill(T(2), 6), ones(T, 5), :U)))
        U, S, Vᴴ = TO.svd_full(A)
        k = length(S)
        @test near(U[:, 1:k] * Diagonal(S) * Vᴴ[1:k, :], A) && orthonormal(U) && orthonormal(Matrix(Vᴴ')) && gauged(U)
        W, P = TO.left_polar(A)
        @test near(W * P, A) && orthonormal(W) && P == P'
        @test minimum(eigvals(Hermitian(P))) >= -tolerance(A) * norm(A)
        N = TO.qr_null(A)
        @test orthonormal(N) && norm(N' * A) <= tolerance(A) * norm(A)
    end
    @test [TO.qr_pivoted(A)[4] for A in (zeros(T, 4, 3), ones(T, 4, 3), Matrix{T}(I, 4, 4), T[1 0 0; 0 0 0; 0 0 0])] ==
          [0, 1, 4, 1]
    A = randn(MersenneTwister(17), T, 6, 4)
    for scale in (floatmin(R), sqrt(floatmin(R)) / 1000, sqrt(floatmax(R)) * 1000, floatmax(R) / 100)
        @test TO.svd_vals(A * scale) ≈ TO.svd_vals(A) * scale rtol = 100eps(R)
        @test TO.lq_compact(A * scale)[2] ≈ TO.lq_compact(A)[2] rtol = 1000eps(R)
        @test TO.left_polar(A * scale)[1] ≈ TO.left_polar(A)[1] rtol = 1000eps(R)
        @test TO.qr_pivoted(A * scale)[3] == TO.qr_pivoted(A)[3]
        for kind in (:frobenius, :spectral, :nuclear, :one, :infinity)
            @test TO.matrix_norm(A * scale, kind) ≈ TO.matrix_norm(A, kind) * scale rtol = 100eps(R)
        end
    end
    @test TO.matrix_norm(fill(T(nextfloat(zero(R))), 1, 1)) == nextfloat(zero(R))
end

@testset "stacks and splits, $T" for T in TYPES
    rng = MersenneTwister(19)
    for batch in ((3,), (2, 3), (0,)), (m, n) in ((4, 3), (3, 4), (1, 1), (0, 2))
        A = randn(rng, T, m, n, batch...)
        same(f, A) = (X = f(A); all(CartesianIndices(batch)) do I
            all(((x, y),) -> x[ntuple(_ -> :, ndims(x) - length(batch))..., I] == y, zip(X, f(A[:, :, I])))
        end)
        @test all(f -> same(f, A), (TO.svd_full, TO.qr_full, TO.lq_compact, TO.lq_full))
        @test all(f -> same(a -> (f(a),), A), (TO.svd_vals, TO.qr_null, TO.lq_null))
        @test same(a -> TO.qr_pivoted(a)[1:3], A) && size(TO.qr_pivoted(A)[4]) == batch
        @test same(m >= n ? TO.left_polar : TO.right_polar, A)
        @test size(TO.matrix_norm(A)) == batch
        @test all(I -> TO.matrix_norm(A)[I] == TO.matrix_norm(A[:, :, I]), CartesianIndices(batch))
        H = randn(rng, T, n, n, batch...)
        @test same(a -> (TO.expm(a),), H)
        H = H .+ conj.(PermutedDimsArray(H, (2, 1, 3:ndims(H)...)))
        @test same(a -> (TO.eigh_vals(a),), H) && same(a -> TO.eigh_range(a, 1:min(2, n)), H)
        @test same(a -> (TO.hermitian_function(:exp, a),), H) && same(a -> (TO.hermitian_function(exp, a),), H)
    end
    # One rank for all: the largest that one needs.
    A = cat(Diagonal(T[8, 4, 2]), Diagonal(T[8, 1, 0.5]), zeros(T, 3, 3); dims = 3)
    U, S, Vᴴ, ϵ = TO.svd_trunc(A; atol = 2.5)
    @test size(U) == (3, 2, 3) && S ≈ [8 8 0; 4 1 0] && size(Vᴴ) == (2, 3, 3) && ϵ isa Vector{real(T)} && ϵ ≈ [2, 0.5, 0]
    w, V, ϵ = TO.eigh_trunc(-A; atol = 2.5)
    @test size(V) == (3, 2, 3) && w ≈ -[8 8 0; 4 1 0] && ϵ ≈ [2, 0.5, 0]
    @test TO.svd_trunc(A[:, :, 1:0]; maxrank = 2)[4] == real(T)[]

    A = randn(rng, T, 2, 3, 4, 5)
    for (rows, columns) in (((1, 2), (3, 4)), ((1, 3), (2, 4)), ((4,), (3, 1, 2)))
        P = permutedims(A, (rows..., columns...))
        m, n = size(P)[1:length(rows)], size(P)[length(rows)+1:end]
        M = reshape(P, prod(m), prod(n))
        for f in (TO.qr_full, TO.lq_compact, TO.lq_full, prod(m) >= prod(n) ? TO.left_polar : TO.right_polar)
            X, Y = f(A, rows, columns)
            @test size(X)[1:end-1] == m && size(Y)[2:end] == n && map(vec, (X, Y)) == map(vec, f(M))
        end
        U, S, Vᴴ = TO.svd_full(A, rows, columns)
        @test size(U) == (m..., prod(m)) && size(Vᴴ) == (prod(n), n...) && map(vec, (U, S, Vᴴ)) == map(vec, TO.svd_full(M))
        @test TO.svd_vals(A, rows, columns) == TO.svd_vals(M)
        @test size(TO.qr_null(A, rows, columns))[1:end-1] == m && size(TO.lq_null(A, rows, columns))[2:end] == n
    end
end

@testset "few of many eigenvalues, $T" for T in TYPES
    rng, n = MersenneTwister(20), 64
    near_end = real(T) === Float32 ? 1f30 : 1e290
    # Distinct values, each value four times, and neighbours that are closer than rounding keeps apart.
    spectra = (-3 .+ (1:n) / 8, repeat(1:n÷4, inner = 4) .- 8.0, [ones(n - 2); 1 + 4eps(real(T)); 2])
    for spectrum in spectra, scale in (1, near_end, inv(near_end))
        Q = TO.qr_compact(randn(rng, T, n, n))[1]
        w = real(T).(sort(spectrum))
        H = Hermitian(Q * Diagonal(w) * Q') * real(T)(scale)
        whole = Matrix(H)
        for range in (1:8, 29:36, n:n, 1:9), provider in (:auto, :lent, :engine)
            for A in (H, whole, Hermitian(tril(whole), :L), view(whole, n:-1:1, n:-1:1))
                B = Matrix(A) / real(T)(scale)
                x, X = TO.eigh_range(A, range; provider = provider)
                x /= real(T)(scale)
                @test size(X) == (n, length(range)) && orthonormal(X) && gauged(X)
                @test near(x, w[range]; scale = norm(w)) && near(B * X, X * Diagonal(x); scale = norm(w))
            end
        end
    end
end

@testset "outputs of the caller, providers, errors" begin
    A, w = randn(MersenneTwister(18), 6, 4), TO.Workspace()
    for f in (TO.svd_full, TO.qr_full, TO.lq_compact, TO.lq_full, TO.left_polar)
        expected = f(A)
        outputs = map(x -> view(zeros(2 .* size(x)...), map(n -> 2n:-2:1, size(x))...), expected)
        in_place = getfield(TO, Symbol(nameof(f), :!))
        @test in_place(A, outputs; workspace = w) === outputs && map(Array, outputs) == expected
        results = map(p -> f(A; provider = p), (:lent, :engine))
        @test all(x -> isapprox(x...; rtol = 1e-11), zip(results[1][1:end-1], results[2][1:end-1])) || f in (TO.svd_full, TO.qr_full)
    end
    S, N, X = zeros(4), zeros(6, 2), zeros(4, 4)
    @test TO.svd_vals!(A, S; workspace = w) === S && S == TO.svd_vals(A)
    @test TO.qr_null!(A, N) === N && N == TO.qr_null(A) && TO.lq_null!(A', Matrix(N')) == N'
    @test TO.expm!(X, zeros(4, 4)) == I && TO.hermitian_function!(:exp, X, similar(X)) == I
    @test TO.eigh_vals!(X, S) == zeros(4) && TO.eigh_range!(X, 2:3, (zeros(2), zeros(4, 2)))[1] == zeros(2)
    @test TO.qr_pivoted(A; provider = :lent)[3] == TO.qr_pivoted(A; provider = :engine)[3]
    @test TO.qr_pivoted([1.0 0.0; 0.0 1e-3]; atol = 0.1)[4] == 1 && TO.qr_pivoted([1.0 0.0; 0.0 1e-3]; rtol = 0.1)[4] == 1
    @test_throws ArgumentError TO.qr_pivoted(A; rtol = -1)
    @test_throws ArgumentError TO.qr_pivoted(A; atol = NaN)
    @test_throws DimensionMismatch TO.qr_pivoted!(A, (zeros(6, 4), zeros(4, 4), zeros(Int, 3), fill(0)))
    @test_throws BoundsError TO.eigh_range(X, 3:5)
    @test_throws BoundsError TO.eigh_range(X, 0:2)
    @test_throws DimensionMismatch TO.expm(A)
    @test_throws DimensionMismatch TO.eigh_vals(A)
    @test_throws ArgumentError TO.eigh_vals([0 1; 2 0])
    @test_throws ArgumentError TO.matrix_norm(A, :fro)
    @test_throws ArgumentError TO.hermitian_function(:cosh, X)
    @test_throws ArgumentError TO.hermitian_function(:log, -Matrix(1.0I, 2, 2))
    @test_throws ArgumentError TO.hermitian_function(inv, zeros(2, 2))
    @test_throws ArgumentError TO.expm([1e4 1.0; 0.0 1e4])
    for bad in (NaN, Inf), f in (TO.svd_full, TO.svd_vals, TO.qr_full, TO.qr_null, TO.lq_compact, TO.lq_full, TO.lq_null, TO.expm,
                                 TO.left_polar, TO.right_polar, TO.qr_pivoted, TO.eigh_vals, TO.eigh_trunc, TO.matrix_norm)
        @test_throws ArgumentError f([bad 1.0; 1.0 0.0])
    end
    @test TO.svd_vals([3 0; 0 -2]) ≈ [3.0, 2.0] && TO.expm([0 0; 0 0]) == I && TO.matrix_norm([3 4]) ≈ 5.0
end
