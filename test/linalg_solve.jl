# Elimination and what it solves, against LinearAlgebra and by what defines each result. Backward errors are bounded by a
# small multiple of (m + n)·eps times the norms.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

small(A) = 10 * (sum(size(A)) + 1) * eps(real(eltype(A)))
agree(X, Y, scale = norm(Y)) = norm(X - Y) <= small(Y) * max(scale, floatmin(real(eltype(Y))))

"The condition number, as what rounding may be multiplied by."
cond_bound(A) = isempty(A) ? 1 : norm(A) * norm(pinv(A))

@testset "$T" for T in TYPES
    rng = MersenneTwister(21)
    for shape in [(3, 3), (7, 4), (4, 7), (1, 5), (5, 1), (1, 1), (0, 3), (3, 0), (0, 0), (40, 30), (70, 70)]
        for kind in layouts(T, shape)
            A, memory = kind(rng, T, shape)
            before = copy(memory)
            B = Array(A)
            k = minimum(shape)
            L, U, p = TO.lu(A)
            @test (L, U, p) isa Tuple{Matrix{T},Matrix{T},Vector{Int64}}
            @test size(L) == (shape[1], k) && size(U) == (k, shape[2]) && isperm(p)
            @test istril(L) && istriu(U) && all(==(1), diag(L)) && all(x -> abs(x) <= 1.5, L)
            @test agree(L * U, B[p, :], norm(L) * norm(U))
            L, U, p, q = TO.lu_complete(A)
            @test isperm(p) && isperm(q) && istril(L) && istriu(U)
            @test agree(L * U, B[p, q], norm(L) * norm(U))
            @test agree(TO.pinv(A), pinv(B), norm(pinv(B)) * (1 + norm(B) * norm(pinv(B))))
            for Y in (randn(rng, T, shape[1]), randn(rng, T, shape[1], 3))
                X, rank = TO.lstsq(A, Y)
                @test rank == k && size(X) == (shape[2], size(Y)[2:end]...)
                @test agree(X, pinv(B) * Y, norm(pinv(B))^2 * norm(B) * norm(Y))
            end
            @test memory == before
        end
    end
end

@testset "systems, $T" for T in TYPES
    rng = MersenneTwister(22)
    for n in (0, 1, 2, 5, 16, 17, 40), kind in layouts(T, (n, n))
        A = first(kind(rng, T, (n, n)))
        B = Array(A)
        for Y in (randn(rng, T, n), randn(rng, T, n, 3), view(randn(rng, T, 4, 2n), 4:-2:1, 1:2:2n)', randn(rng, T, 1, n)')
            X = TO.solve(A, Y)
            @test size(X) == size(Y) && X isa Array{T}
            @test agree(B * X, Array(Y), norm(B) * norm(X) * 10)
            for (W, uplo) in ((UpperTriangular, :U), (LowerTriangular, :L))
                X = TO.solve_triangular(A, Y; uplo = uplo)
                @test agree(W(B) * X, Array(Y), norm(B) * norm(X))
                @test X == TO.solve_triangular(W(A), Y)
                V = uplo === :U ? UnitUpperTriangular : UnitLowerTriangular
                X = TO.solve_triangular(A, Y; uplo = uplo, unit_diagonal = true)
                @test agree(V(B) * X, Array(Y), (norm(B) + n) * norm(X))
                @test X == TO.solve_triangular(V(A), Y)
                # The adjoint of one triangle is the other.
                X = TO.solve_triangular(Array(A)', Y; uplo = uplo)
                @test agree(W(Matrix(B')) * X, Array(Y), norm(B) * norm(X))
            end
        end
        X = TO.inv(A)
        @test agree(B * X, Matrix{T}(I, n, n), norm(B) * norm(X) * 10)
        @test TO.det(A) isa T
        @test abs(TO.det(A) - det(B)) <= small(B) * cond_bound(B) * abs(det(B)) + small(B)
        l, phase = TO.logabsdet(A)
        @test (l, phase) isa Tuple{real(T),T}
        @test abs(l - logabsdet(B)[1]) <= small(B) * cond_bound(B)
        @test abs(phase - logabsdet(B)[2]) <= small(B) * cond_bound(B)
        H = B * B' + I
        for A in Any[H, Hermitian(triu(H)), Hermitian(tril(H), :L), PermutedDimsArray(permutedims(H), (2, 1)), Matrix(H')']
            L = TO.cholesky(A)
            @test L isa Matrix{T} && istril(L) && all(x -> imag(x) == 0 && real(x) > 0, diag(L))
            @test agree(L * L', H)
        end
    end
end

@testset "singular, $T" for T in TYPES
    for n in (1, 3, 16, 17, 50), k in unique((1, (n + 1) ÷ 2, n)), provider in (:engine, :lent, :auto)
        A = Matrix{T}(I, n, n)
        A[:, k] .= 0
        for f in (A -> TO.inv(A; provider = provider), A -> TO.solve(A, ones(T, n); provider = provider),
                  A -> TO.solve_triangular(A, ones(T, n); uplo = :L, provider = provider))
            @test_throws SingularException(k) f(A)
        end
        @test TO.det(A; provider = provider) == 0 && TO.logabsdet(A; provider = provider) == (-Inf, 0)
        L, U, p = TO.lu(A; provider = provider)
        @test L * U == A[p, :]
        A[k, k] = -1
        @test_throws PosDefException(k) TO.cholesky(A; provider = provider)
        @test_throws PosDefException(k) TO.cholesky(Hermitian(A); provider = provider)
    end
    @test_throws SingularException(2) TO.inv(ones(T, 2, 2))
    @test_throws SingularException(1) TO.solve(zeros(T, 3, 3), zeros(T, 3))
    @test TO.pinv(zeros(T, 3, 2)) == zeros(T, 2, 3)
    @test TO.lstsq(zeros(T, 3, 2), ones(T, 3)) == (zeros(T, 2), 0)
    X, rank = TO.lstsq(ones(T, 4, 3), T[1, 2, 3, 6])
    @test rank == 1 && X ≈ fill(T(1), 3)
    # The rank follows the tolerances.
    A = Diagonal(T[8, 4, 2, 1]) |> Matrix
    for (rules, r) in ((NamedTuple(), 4), ((atol = 3,), 2), ((rtol = 0.3,), 2), ((atol = 1, rtol = 0.1), 3), ((atol = 9,), 0))
        X, rank = TO.lstsq(A, ones(T, 4); rules...)
        @test rank == r && X ≈ [T.([1 / 8, 1 / 4, 1 / 2, 1][1:r]); zeros(T, 4 - r)]
        @test TO.pinv(A; rules...) ≈ Diagonal(X)
    end
    @test_throws ArgumentError TO.pinv(A; rtol = -1)
    @test_throws ArgumentError TO.pinv(A; atol = NaN)
end

@testset "awkward matrices, $T" for T in TYPES
    R = real(T)
    for n in (8, 30), provider in (:engine, :lent)
        rng = MersenneTwister(23)
        b = randn(rng, T, n)
        hilbert = T[1 / (i + j - 1) for i in 1:n, j in 1:n]
        graded = randn(rng, T, n, n) .* T.(exp10.(range(0, -8; length = n)))
        for A in (hilbert, graded, Matrix(Diagonal(T.(exp2.(1:n)))))
            L, U, p = TO.lu(A; provider = provider)
            @test agree(L * U, A[p, :])
            X = TO.solve(A, b; provider = provider)
            @test norm(A * X - b) <= small(A) * 10 * (norm(A) * norm(X) + norm(b))
        end
        for scale in (floatmin(R) / 16, floatmin(R), sqrt(floatmin(R)) / 1000, sqrt(floatmax(R)) * 1000, floatmax(R) / 100)
            A = randn(rng, T, n, n)
            S = A * scale
            A = S / scale   # denormal entries have fewer digits
            @test TO.solve(S, b * scale; provider = provider) ≈ A \ b rtol = 100 * cond_bound(A) * eps(R)
            L, U, p = TO.lu(S; provider = provider)
            @test agree(L * (U / scale), A[p, :], norm(A) * 10 + (scale < floatmin(R) ? norm(A) / 1000eps(R) : 0))
            @test TO.logabsdet(S; provider = provider)[1] ≈ logabsdet(A)[1] + n * log(scale) rtol = 1000 * cond_bound(A) * eps(R)
            H = A * A' + I
            @test TO.cholesky(Hermitian(H * (scale / 100)); provider = provider) / sqrt(scale / 100) ≈ cholesky(H).L rtol =
                (scale < sqrt(floatmin(R)) ? 0.01 : 1000eps(R))
        end
        for bad in (NaN, Inf, -Inf)
            A = randn(rng, T, n, n)
            A[2, 1] = bad
            @test_throws ArgumentError TO.lu(A)
            @test_throws ArgumentError TO.lu_complete(A)
            @test_throws ArgumentError TO.solve(A, b)
            @test_throws ArgumentError TO.solve_triangular(A, b; uplo = :L)
            @test TO.solve_triangular(A, b; uplo = :U) isa Vector{T}
            @test_throws ArgumentError TO.cholesky(Hermitian(A, :L))
            @test_throws ArgumentError TO.inv(A)
            @test_throws ArgumentError TO.det(A)
            @test_throws ArgumentError TO.pinv(A)
            @test_throws ArgumentError TO.lstsq(A, b)
            @test_throws ArgumentError TO.solve(Matrix{T}(I, n, n), A)
        end
    end
    # Determinants beyond the range.
    A = Matrix(Diagonal(fill(T(2)^100, 20)))
    @test isinf(TO.det(A)) && TO.det(TO.inv(A)) == 0
    @test TO.logabsdet(A)[1] ≈ 2000 * log(2)
    @test TO.det(zeros(T, 0, 0)) == 1 && TO.logabsdet(zeros(T, 0, 0)) == (0, 1)
end

@testset "stacks, $T" for T in TYPES
    rng = MersenneTwister(24)
    for batch in ((3,), (2, 3), (0,), (1, 1)), n in (1, 4, 18)
        A, B, b = randn(rng, T, n, n, batch...), randn(rng, T, n, 2, batch...), randn(rng, T, n, batch...)
        L, U, p = TO.lu(A)
        X, x, Y = TO.solve(A, B), TO.solve(A, b), TO.inv(A)
        Z, rank = TO.lstsq(A, B)
        d, (l, phase) = TO.det(A), TO.logabsdet(A)
        @test size(X) == size(B) && size(x) == size(b) && size(d) == size(l) == size(phase) == size(rank) == batch
        for I in CartesianIndices(batch)
            @test (L[:, :, I], U[:, :, I], p[:, I]) == TO.lu(A[:, :, I])
            @test X[:, :, I] == TO.solve(A[:, :, I], B[:, :, I]) && x[:, I] == TO.solve(A[:, :, I], b[:, I])
            @test Y[:, :, I] == TO.inv(A[:, :, I]) && d[I] == TO.det(A[:, :, I])
            @test (l[I], phase[I]) == TO.logabsdet(A[:, :, I]) && (Z[:, :, I], rank[I]) == TO.lstsq(A[:, :, I], B[:, :, I])
        end
    end
    A = ones(T, 2, 2, 3)
    A[2, 2, 1] = 3
    @test_throws SingularException(2) TO.inv(A)
    @test_throws DimensionMismatch TO.solve(A, ones(T, 2, 2))
    @test_throws DimensionMismatch TO.solve(A, ones(T, 3, 3))
    @test_throws DimensionMismatch TO.inv(ones(T, 2, 3))
end

@testset "tensors in rows and columns, $T" for T in TYPES
    A = randn(MersenneTwister(25), T, 2, 3, 3, 2)
    for (rows, columns) in (((1, 2), (3, 4)), ((1, 3), (4, 2)), ((4, 2), (3, 1)))
        P = permutedims(A, (rows..., columns...))
        m, n = size(P)[1:2], size(P)[3:4]
        M = reshape(P, 6, 6)
        L, U, p = TO.lu(A, rows, columns)
        @test (reshape(L, 6, 6), reshape(U, 6, 6), p) == TO.lu(M) && size(L) == (m..., 6) && size(U) == (6, n...)
        L, U, p, q = TO.lu_complete(A, rows, columns)
        @test (reshape(L, 6, 6), reshape(U, 6, 6), p, q) == TO.lu_complete(M)
        for f in (TO.inv, TO.pinv)
            X = f(A, rows, columns)
            @test size(X) == (n..., m...) && reshape(X, 6, 6) == f(M)
        end
        for rest in ((), (3,), (2, 2))
            B = randn(MersenneTwister(26), T, m..., rest...)
            X, (Y, rank) = TO.solve(A, B, rows, columns), TO.lstsq(A, B, rows, columns)
            @test size(X) == size(Y) == (n..., rest...) && rank == 6
            @test reshape(X, 6, :) == TO.solve(M, reshape(B, 6, :)) && reshape(Y, 6, :) == TO.lstsq(M, reshape(B, 6, :))[1]
        end
        @test TO.det(A, rows, columns) == TO.det(M) && TO.logabsdet(A, rows, columns) == TO.logabsdet(M)
    end
    H = reshape(TO.inv(Matrix{T}(4I, 6, 6)), 2, 3, 2, 3)
    X, rank = TO.lstsq(ones(T, 2, 3, 2), ones(T, 3, 2, 4), (2, 3), (1,))
    @test X ≈ fill(T(1 / 2), 2, 4) && rank == 1
    for B in (ones(T, 3, 2), ones(T, 2), ones(T, 6))
        @test_throws DimensionMismatch TO.solve(A, B, (1, 2), (3, 4))
    end
    @test TO.cholesky(H, (1, 2), (3, 4)) == reshape(Matrix{T}(I / 2, 6, 6), 2, 3, 2, 3)
end

@testset "outputs of the caller, conversions, refusals" begin
    A, b, w = [2.0 1.0; 1.0 3.0], [3.0, 4.0], TO.Workspace()
    x = view(zeros(4), 4:-2:2)
    @test TO.solve!(A, b, x; workspace = w) === x && x ≈ [1, 1]
    L, U, p = zeros(2, 2), view(zeros(4, 2), 1:2:3, :), zeros(Int64, 2)
    @test TO.lu!(A, (L, U, p)) === (L, U, p) && L * U == A[p, :]
    d = fill(0.0)
    @test TO.det!(A, d) === d && d[] ≈ 5
    @test TO.solve([2 0; 0 4], [2, 4]) == [1.0, 1.0]
    @test TO.solve([2.0 0; 0 4], [2im, 4]) == [1im, 1]
    @test TO.solve([2im 0; 0 4], [2, 4]) == [-1im, 1]
    @test TO.det([1 2; 3 4]) ≈ -2 && TO.inv([2 0; 0 4]) == [0.5 0; 0 0.25] && TO.cholesky([4 0; 0 9]) == [2.0 0; 0 3]
    @test_throws ArgumentError TO.solve_triangular(A, b; uplo = :X)
    @test_throws ArgumentError TO.cholesky([1.0 2.0; 3.0 4.0])
    @test_throws ArgumentError TO.solve!(A, b, b)
    @test_throws ArgumentError TO.lu!(A, (A, zeros(2, 2), p))
    @test_throws ArgumentError TO.lu!(A, (zeros(2, 2), zeros(2, 2), zeros(2)))
    @test_throws DimensionMismatch TO.solve!(A, b, zeros(3))
    @test_throws DimensionMismatch TO.cholesky(ones(2, 3))
end
