# Eigenvalues and Schur forms of matrices that are not Hermitian: what defines them, known values, LinearAlgebra's,
# figures of NumPy, for every element type, shape and layout, by what Julia lends and by the engine alone; and their
# errors.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

"Real parts ascend but for rounding, and imaginary parts where real parts are the same."
function in_order(w)
    slack = 11sqrt(length(w)) * eps(real(eltype(w))) * norm(w, Inf)
    return all(k -> real(w[k]) <= real(w[k+1]) + slack && (real(w[k]) != real(w[k+1]) || imag(w[k]) <= imag(w[k+1])),
               1:length(w)-1)
end
"For real matrices: values and vectors are real, or come with their exact conjugates."
function conjugate_pairs(w, V)
    return all(1:length(w)) do k
        imag(w[k]) == 0 && return all(iszero ∘ imag, V[:, k])
        any(j -> w[j] == conj(w[k]) && V[:, j] == conj(V[:, k]), 1:length(w))
    end
end
residual_bound(A) = (11size(A, 1) + 8) * eps(real(eltype(A))) * norm(A)
"Everything that eigenvectors promise."
function eigen_holds(A, w, V)
    all(k -> norm(A * V[:, k] - w[k] * V[:, k]) <= residual_bound(A), 1:length(w)) || return false
    all(v -> abs(norm(v) - 1) <= (length(w) + 4) * eps(real(eltype(A))), eachcol(V)) || return false
    return gauged(V) && in_order(w) && (eltype(A) <: Complex || conjugate_pairs(w, V))
end
"Everything that a Schur decomposition promises."
function schur_holds(A, T, Z, w)
    n = size(A, 1)
    near(Z * T * Z', A) && orthonormal(Z) || return false
    eltype(A) <: Complex && return istriu(T) && w == diag(T) && gauged(Z)
    all(iszero, T[i, j] for j in 1:n for i in j+2:n) && real(w) == diag(T) || return false
    first = [k == 1 || T[k, k-1] == 0 for k in 1:n]
    return gauged(Z[:, first]) && all(1:n) do k
        first[k] && (k == n || first[k+1]) && return w[k] == T[k, k]
        i = first[k] ? k : k - 1
        im = sqrt(abs(T[i, i+1])) * sqrt(abs(T[i+1, i]))
        standard = T[i, i] == T[i+1, i+1] && T[i, i+1] * T[i+1, i] < 0
        return standard && isapprox(imag(w[k]), first[k] ? im : -im; rtol = 8eps(typeof(im)))
    end
end
roots_are(w, v; tol) = all(x -> minimum(abs.(v .- x)) <= tol, w) && all(x -> minimum(abs.(w .- x)) <= tol, v)

@testset "layouts, $T" for T in TYPES
    rng = MersenneTwister(30)
    for kind in layouts(T, (6, 6))
        A, memory = kind(rng, T, (6, 6))
        before = copy(memory)
        @test eigen_holds(Array(A), TO.eig_full(A)...)
        @test memory == before
    end
    A, _ = nested(rng, T, (6, 6))
    @test schur_holds(Array(A), TO.schur_full(A)...) && schur_holds(Array(A'), TO.schur_full(A')...)
end

@testset "$T, $provider" for T in TYPES, provider in (:auto, :lent, :engine)
    rng = MersenneTwister(31)
    ε = eps(real(T))
    for n in (0, 1, 2, 5, 8, 20)
        A = randn(rng, T, n, n)
        w, V = TO.eig_full(A; provider = provider)
        @test (w, V) isa Tuple{Vector{complex(T)},Matrix{complex(T)}} && size(V) == (n, n)
        @test eigen_holds(A, w, V)
        # The eigenvalues of these matrices have conditions below 1e3.
        expected = n == 0 ? w : eigvals(A)
        @test roots_are(w, expected; tol = 1e4 * n * ε) && in_order(TO.eig_vals(A; provider = provider))
        @test roots_are(TO.eig_vals(A; provider = provider), expected; tol = 1e4 * n * ε)
        S, Z, w = TO.schur_full(A; provider = provider)
        @test (S, Z, w) isa Tuple{Matrix{T},Matrix{T},Vector{complex(T)}}
        @test schur_holds(A, S, Z, w)
        @test roots_are(TO.schur_vals(A; provider = provider), expected; tol = 1e4 * n * ε)
    end
    for n in (70, 150)
        A = randn(rng, T, n, n)
        @test eigen_holds(A, TO.eig_full(A; provider = provider)...)
        @test schur_holds(A, TO.schur_full(A; provider = provider)...)
    end
    # What others trip over.
    n = 12
    hostile = Dict(
        "zero" => zeros(T, n, n), "ones" => ones(T, n, n), "identity" => Matrix{T}(I, n, n),
        "Hilbert" => T[1 / (i + j - 1) for i in 1:n, j in 1:n],
        "Jordan" => T[i == j ? 2 : i + 1 == j for i in 1:n, j in 1:n],
        "nilpotent" => T[i == j + 1 for i in 1:n, j in 1:n],
        "cyclic" => T[i == mod1(j + 1, n) for i in 1:n, j in 1:n],
        "Frank" => T[i <= j + 1 ? n + 1 - max(i, j) : 0 for i in 1:n, j in 1:n],
        "Grcar" => T[i == j + 1 ? -1 : i <= j <= i + 3 for i in 1:n, j in 1:n],
        "graded" => randn(rng, T, n, n) .* T[10.0^(-10 * (i + j) / 2n) for i in 1:n, j in 1:n],
        "unbalanced" => randn(rng, T, n, n) .* T[10.0^(3 * (i - j) / n) for i in 1:n, j in 1:n],
        "cluster" => Matrix{T}(I, n, n) + 10ε * randn(rng, T, n, n),
        "rank one" => randn(rng, T, n) * randn(rng, T, 1, n),
        "skew" => (X = randn(rng, T, n, n); X - X'),
        "tiny" => randn(rng, T, n, n) * floatmin(real(T)) * 1000,
        "huge" => randn(rng, T, n, n) * (floatmax(real(T)) / 1000))
    for (name, A) in hostile
        # Norms and products of the last two leave the range.
        scale = name == "tiny" ? 1 / (floatmin(real(T)) * 1000) :
                name == "huge" ? 1000 / floatmax(real(T)) : one(real(T))
        w, V = TO.eig_full(A; provider = provider)
        @test (name, eigen_holds(A * scale, w * scale, V)) == (name, true)
        S, Z, w = TO.schur_full(A; provider = provider)
        @test (name, schur_holds(A * scale, S * scale, Z, w * scale)) == (name, true)
    end
end

@testset "known values" begin
    for provider in (:lent, :engine)
        @test TO.eig_vals([0.0 -1.0; 1.0 0.0]; provider = provider) ≈ [-im, im]
        # (x − 1)(x − 2)(x − 3)(x − 4) by its companion matrix.
        C = [10.0 -35.0 50.0 -24.0; 1 0 0 0; 0 1 0 0; 0 0 1 0]
        @test TO.eig_vals(C; provider = provider) ≈ 1:4 rtol = 1e-12
        # Circulant of (1, 2, 3): 6, and −3/2 ± i·√3/2.
        w = TO.eig_vals([1.0 3 2; 2 1 3; 3 2 1]; provider = provider)
        @test w ≈ [-1.5 - im * sqrt(0.75), -1.5 + im * sqrt(0.75), 6]
        # numpy.linalg.eig of NumPy 2.4, in the order and the gauge of the standard.
        w, V = TO.eig_full([1.0 2 3 4; -2 1 0 5; 3 -1 2 1; 0 4 -6 2]; provider = provider)
        x, y = -2.4970726358366857 - 1.359553421779629im, 5.497072635836684 - 3.2565002388509208im
        @test w ≈ [x, conj(x), y, conj(y)] rtol = 1e-13
        @test V[:, 1] ≈ [0.09323242327560792 + 0.2548323355516528im, 0.7726890316868692,
                         0.16252913731113167 - 0.19508125691688863im,
                         -0.5031369644344156 - 0.10816946917963297im] rtol = 1e-12
        @test V[:, 4] ≈ [0.5884952755965457, 0.29879906676142165 + 0.3244879383872425im,
                         0.29256485980661917 - 0.22612297325252032im,
                         0.29280332181542396 + 0.4864570121314662im] rtol = 1e-12
        # Similar to tridiag(−1, 2, −1), whose eigenvalues are 2 − 2cos(kπ/6).
        D = Diagonal([1.0, 2, 4, 8, 16])
        T = D * SymTridiagonal(fill(2.0, 5), fill(-1.0, 4)) / D
        @test TO.eig_vals(Matrix(T); provider = provider) ≈ [2 - 2cos(k * π / 6) for k in 1:5] rtol = 1e-13
    end
    @test TO.eig_full([2 0; 0 1])[1] == [1, 2] && TO.schur_full([2 1; 0 1])[3] == [2, 1]
    @test TO.eig_full(fill(3im, 1, 1)) == ([3im], fill(1.0 + 0im, 1, 1))
end

@testset "stacks and splits, $T" for T in TYPES
    rng = MersenneTwister(32)
    for batch in ((3,), (2, 3), (0,)), n in (4, 1, 0)
        A = randn(rng, T, n, n, batch...)
        same(f) = (X = f(A); all(CartesianIndices(batch)) do I
            all(((x, y),) -> x[ntuple(_ -> :, ndims(x) - length(batch))..., I] == y, zip(X, f(A[:, :, I])))
        end)
        @test same(TO.eig_full) && same(TO.schur_full) && same(a -> (TO.eig_vals(a),)) && same(a -> (TO.schur_vals(a),))
    end
    A = randn(rng, T, 2, 3, 3, 2)
    M = reshape(permutedims(A, (1, 3, 2, 4)), 6, 6)
    w, V = TO.eig_full(A, (1, 3), (2, 4))
    @test size(V) == (2, 3, 6) && (w, reshape(V, 6, 6)) == TO.eig_full(M)
    @test TO.eig_vals(A, (1, 3), (2, 4)) == TO.eig_vals(M)
    S, Z, w = TO.schur_full(A, (1, 3), (2, 4))
    @test size(Z) == (2, 3, 6) && (S, reshape(Z, 6, 6), w) == TO.schur_full(M)
    @test TO.schur_vals(A, (1, 3), (2, 4)) == TO.schur_vals(M)
end

@testset "outputs of the caller, errors" begin
    A, space = randn(MersenneTwister(33), 6, 6), TO.Workspace()
    for f in (TO.eig_full, TO.schur_full)
        expected = f(A)
        outputs = map(x -> view(zeros(eltype(x), 2 .* size(x)...), map(n -> 2n:-2:1, size(x))...), expected)
        @test getfield(TO, Symbol(nameof(f), :!))(A, outputs; workspace = space) === outputs
        @test map(Array, outputs) == expected
    end
    w = zeros(ComplexF64, 6)
    @test TO.eig_vals!(A, w) === w && w == TO.eig_vals(A) && TO.schur_vals!(A, w) === w && w == TO.schur_vals(A)
    for f in (TO.eig_full, TO.eig_vals, TO.schur_full, TO.schur_vals)
        @test_throws DimensionMismatch f(ones(2, 3))
        @test_throws DimensionMismatch f(ones(3))
        @test_throws DimensionMismatch f(ones(2, 2, 3), (1, 2), (3,))
        @test_throws ArgumentError f(fill(1.0, 2, 2), (1,), (1,))
        for bad in (NaN, Inf, -Inf), provider in (:lent, :engine)
            @test_throws ArgumentError f([1.0 bad; 1.0 0.0]; provider = provider)
        end
        @test_throws ArgumentError f(fill(floatmax(), 3, 3))
        @test_throws ArgumentError f(fill(big"1.0", 2, 2))
    end
    @test_throws ArgumentError TO.eig_full!(A, (zeros(6), zeros(6, 6)))
    @test_throws DimensionMismatch TO.eig_full!(A, (w, zeros(ComplexF64, 5, 6)))
end
