# NDTensors, ITensors and ITensorMPS on OxideVector data, against the same calls on NDTensors' own storage.
using TensorOxide, Test, Random, LinearAlgebra
using Adapt: adapt
using ITensors: ITensors, ITensor, Index, QN, apply, array, combiner, commonind, dag, delta, dim, diag_itensor, dims,
                factorize, hadamard_product, hasinds, inds, inner, noprime, order, permute, prime, qr, random_itensor,
                sim, storage, tensor
using ITensorMPS: ITensorMPS, MPS, dmrg, expect, correlation_matrix, maxlinkdim, random_mps, siteinds, tdvp
using NDTensors: NDTensors
using TensorOxide: OxideArray, OxideMatrix, OxideVector, oxide

const FIELDS = (Float32, Float64, ComplexF32, ComplexF64)
tol(T) = 200 * eps(real(T))
plain(x) = adapt(Array, x)
"Data of our type, block by block or not."
ours(A::ITensor) = NDTensors.data(tensor(A)) isa OxideVector
"The tensor of ours, with the indices and elements of the other one."
agrees(A::ITensor, B::ITensor) = ours(A) && !ours(B) && eltype(A) === eltype(B) && hasinds(A, inds(B)) &&
    order(A) == order(B) && norm(plain(A) - B) <= tol(eltype(B)) * max(norm(B), 1)

# Indices without and with quantum numbers.
const PLAIN = [Index(n, "i$k") for (k, n) in enumerate((2, 3, 1, 4, 2, 3))]
const CHARGED = [Index(QN(0) => 2, QN(1) => 1; tags = "q1"), Index(QN(-1) => 1, QN(0) => 2; tags = "q2"),
                 Index(QN(0) => 1; tags = "q3"), Index(QN(0) => 2, QN(1) => 2; tags = "q4"),
                 Index(QN(1) => 1, QN(0) => 1; tags = "q5"), Index(QN(-1) => 2, QN(1) => 1; tags = "q6")]

# The compiler meets each combination of an element type, a number of indices and a kind of index for the first time, so
# that all of them would take long: all orders with one type, all types with one order.
@testset "there and back, $T, $N indices" for T in FIELDS, N in (T === ComplexF64 ? (0:6) : (3,)),
                                              is in (PLAIN, CHARGED)
    is === CHARGED && N == 0 && continue
    A = random_itensor(T, is[1:N]...)
    for B in (oxide(A), adapt(OxideVector, A), adapt(OxideVector{T}, A), adapt(OxideArray, A))
        @test ours(B) && eltype(B) === T && inds(B) == inds(A)
        @test plain(B) == A && typeof(storage(plain(B))) === typeof(storage(A)) && plain(NDTensors.cpu(B)) == A
    end
    @test eltype(adapt(OxideVector{ComplexF64}, A)) === ComplexF64
    @test norm(oxide(A)) ≈ norm(A) && ours(copy(oxide(A))) && copy(oxide(A)) == oxide(A)
    B = oxide(A)
    B .= 0
    @test norm(B) == 0 && norm(A) > 0
end

@testset "contractions, $T" for T in FIELDS
    i, j, k, l, m, n = PLAIN
    cases = [((i, j), (j, l)), ((i, j, l), (l, i)), ((j, l, i), (i, n, l)), ((i, j), (i, j)), ((k,), (k,)),
             ((i,), (j,)), ((k, i), (k, j)), ((i, j), (k,)), ((i, j, k, l), (l, m, j, n)),
             ((l, m, j, n), (i, j, k, l)), ((i, k), (i, k)),
             ((i, j, k, l, m, n), (n, j, m)), ((), (i, j)), ((i,), ()), ((m, j), (n, m, i, l, j, k))]
    for (a, b) in (T === Float64 ? cases : cases[[2, 4, 9, 13]])
        A, B = random_itensor(T, a...), random_itensor(T, b...)
        @test agrees(oxide(A) * oxide(B), A * B)
        @test agrees(dag(oxide(A)) * oxide(B), dag(A) * B)
    end
    for (a, b) in cases[[2, 6]]
        A, B, C = random_itensor(T, a...), random_itensor(T, b...), random_itensor(ComplexF64, b...)
        # The two storages mixed: the result is one of ours.
        @test agrees(oxide(A) * B, A * B) && agrees(A * oxide(B), A * B)
        @test agrees(oxide(A) * oxide(C), A * C)
    end
    A, B = random_itensor(T, i, j), random_itensor(T, j, l)
    C = random_itensor(T, l, i)
    @test agrees(mul!(oxide(C), oxide(A), oxide(B)), mul!(copy(C), A, B))
    @test agrees(mul!(oxide(C), oxide(A), oxide(B), 2, 3), mul!(copy(C), A, B, 2, 3))
    @test inner(oxide(A), oxide(2A)) ≈ inner(A, 2A) && inner(oxide(A), oxide(A)) isa T
end

@testset "contractions with quantum numbers, $T" for T in (Float64, ComplexF32)
    i, j, k, l, m, n = CHARGED
    for (a, b) in [((i, dag(j)), (j, l)), ((i, dag(j), dag(l)), (l, n, dag(i))), ((i, j), (dag(i), dag(j))),
                   ((i, j, k, l), (dag(l), m, dag(j), n)), ((i,), (j,))]
        A, B = random_itensor(T, a...), random_itensor(T, b...)
        isempty(NDTensors.nzblocks(tensor(A))) && continue
        C, D = oxide(A) * oxide(B), A * B
        @test agrees(C, D) && NDTensors.nnzblocks(tensor(C)) == NDTensors.nnzblocks(tensor(D))
        @test agrees(oxide(A) * B, D) && agrees(A * oxide(B), D)
        @test agrees(oxide(A) * oxide(complex(B)), A * complex(B))
        @test agrees(dag(oxide(A)) * oxide(A), dag(A) * A)
        @test agrees(prime(oxide(A), a[1]) * oxide(dag(A)), prime(A, a[1]) * dag(A))
    end
end

@testset "signs of fermions" begin
    ITensors.enable_auto_fermion()
    try
        i, j, k, l = [Index(QN("Nf", 0, -1) => 2, QN("Nf", 1, -1) => 1; tags = "f$n") for n in 1:4]
        A, B = random_itensor(QN("Nf", 1, -1), i, dag(j), k), random_itensor(QN("Nf", 1, -1), j, l, dag(k))
        signed = A * B
        @test norm(signed) > 0 && agrees(oxide(A) * oxide(B), signed) && agrees(oxide(B) * oxide(A), B * A)
        ITensors.disable_auto_fermion()
        @test norm(signed - A * B) > 0.1 * norm(signed)     # they matter here
    finally
        ITensors.disable_auto_fermion()
    end
end

@testset "diagonals, $T" for T in (Float32, ComplexF64)
    i, j, k, l, m, n = PLAIN
    i2, i3 = sim(i), sim(i)
    A = random_itensor(T, i, j)
    d = randn(T, 2)
    D = diag_itensor(d, i, i2)
    for (E, F) in [(D, A), (D, random_itensor(T, l)), (D, random_itensor(T, i, i2, j)), (D, random_itensor(T, i2, i)),
                   (diag_itensor(d, i, i2, i3), A), (diag_itensor(d, i, i2, i3), random_itensor(T, i, j, i2)),
                   (diag_itensor(d, i, j), random_itensor(T, j, l)), (delta(T, i, i2), A), (delta(T, i, i2, i3), A),
                   (delta(T, i, i2), random_itensor(T, l)), (delta(T, i, i2), random_itensor(T, i, i2)),
                   (delta(T, i, j), random_itensor(T, j, l))]
        G = oxide(E)
        @test agrees(G * oxide(F), E * F) && agrees(oxide(F) * G, E * F) && agrees(E * oxide(F), E * F)
    end
end

@testset "sums, scalings, permutations, $T" for (T, is) in ((Float64, PLAIN), (ComplexF32, PLAIN),
                                                            (ComplexF64, CHARGED))
    A, B = random_itensor(T, is[1:4]...), permute(random_itensor(T, is[1:4]...), is[[3, 1, 4, 2]]...)
    a, b = oxide(A), oxide(B)
    @test agrees(a + b, A + B) && agrees(a - b, A - B) && agrees(2a, 2A) && agrees(a / 2, A / 2) && agrees(-a, -A)
    @test agrees(permute(a, inds(b)), permute(A, inds(B))) && agrees(conj(a), conj(A)) && agrees(dag(a), dag(A))
    @test agrees(real(a), real(A)) && agrees(complex(a), complex(A))
    for f! in Function[(a, b) -> a .+= b, (a, b) -> a .-= 2 .* b, (a, b) -> a .= 3 .* b,
                       (a, b) -> a .= a .* 2 .+ b .* 3, (a, b) -> a ./= 2,
               (a, b) -> rmul!(a, 2), (a, b) -> axpy!(2, b, a), (a, b) -> axpby!(2, b, 3, a), (a, b) -> a .= b,
               (a, b) -> copyto!(a, b), (a, b) -> fill!(a, 2), (a, b) -> normalize!(a)]
        x, X = copy(a), copy(A)
        f!(x, b), f!(X, B)
        @test agrees(x, X)
    end
    @test agrees(a + B, A + B) && agrees(A + b, A + B)      # mixed
    @test agrees(1im * a, 1im * A)
    C = combiner(is[2], is[4])
    @test agrees(a * C, A * C) && agrees(dag(C) * (C * a), A) && a[1, 1, 1, 1] == A[1, 1, 1, 1]
    is === PLAIN || continue
    @test agrees(hadamard_product(a, b), hadamard_product(A, B)) && sum(a) ≈ sum(A)
    a[2, 1, 1, 1] = 5
    @test plain(a)[2, 1, 1, 1] == 5 && array(a) isa OxideArray{T,4}
end

"The same singular or eigenvalues, errors and sizes; and factors that make up the tensor, to what was cut."
same_values(x, y, T) = length(x) == length(y) && norm(x - y) <= tol(T) * max(norm(y), 1)

@testset "decompositions, $T" for T in FIELDS, charged in (T === ComplexF64 ? (false, true) : (false,))
    i, j, k, l = charged ? (CHARGED[1], dag(CHARGED[4]), CHARGED[5], dag(sim(CHARGED[4]))) : PLAIN[[1, 4, 2, 6]]
    A = random_itensor(T, i, j, k, l)
    a = oxide(A)
    for options in ((;), (; maxdim = 3), (; cutoff = 1e-2), (; cutoff = 1e-2, maxdim = 4), (; cutoff = 0.9, mindim = 2),
                    (; cutoff = 0.1, use_absolute_cutoff = true), (; cutoff = 0.5, use_relative_cutoff = false),
                    (; cutoff = 0.3, maxdim = 3, use_relative_cutoff = false, mindim = 2), (; maxdim = 100, cutoff = 0))
        U, S, V, spec = svd(a, i, k; options...)
        U0, S0, V0, spec0 = svd(A, i, k; options...)
        @test ours(U) && ours(V) && dim(commonind(U, S)) == dim(commonind(U0, S0))
        @test same_values(sort(spec.eigs), sort(spec0.eigs), T)
        @test isapprox(spec.truncerr, spec0.truncerr; atol = tol(T))
        @test norm(plain(U * S * V) - U0 * S0 * V0) <= tol(T) * norm(A)
        which = haskey(options, :maxdim) ? ("svd", "eigen", nothing) : ("svd", nothing)
        for decomposition in which, ortho in ("left", "right")
            factor(A) = factorize(A, i, k; which_decomp = decomposition, ortho = ortho, options...)
            L, R = factor(a)
            L0, R0 = factor(A)
            @test ours(L) && ours(R) && norm(plain(L * R) - L0 * R0) <= sqrt(tol(T)) * norm(A)
        end
    end
    for positive in (false, true)
        Q, R = qr(a, i, k; positive = positive)
        @test ours(Q) && ours(R) && agrees(Q * R, A)
        q = commonind(Q, R)
        @test norm(array(plain(dag(Q) * prime(Q, q))) - I) <= tol(T) * dim(q)
    end
    for f in (ITensors.ql, ITensors.rq, ITensors.lq)
        X, Y = f(a, i, k)
        @test agrees(X * Y, A)
    end
    s = charged ? i : j
    H = random_itensor(T, s', dag(s))
    H = H + ITensors.swapprime(dag(H), 0 => 1)
    # A·W = W'·D, with the indices as ITensors' documentation has them.
    function diagonalizes(D, W, A)
        l, r = ITensors.uniqueind(D, W), commonind(D, W)
        return norm(plain(A * W - ITensors.replaceinds(W, (s, r) => (s', l)) * D)) <= tol(T) * norm(A)
    end
    for options in ((;), (; maxdim = 2), (; cutoff = 1e-3))
        D, W, spec = ITensors.eigen(oxide(H * H'), s'', dag(s); ishermitian = true, options...)
        D0, W0, spec0 = ITensors.eigen(H * H', s'', dag(s); ishermitian = true, options...)
        @test ours(W) && eltype(D) === real(T) && dims(D) == dims(D0)
        @test same_values(sort(spec.eigs), sort(spec0.eigs), T)
        @test isapprox(spec.truncerr, spec0.truncerr; atol = tol(T))
    end
    D, W = ITensors.eigen(oxide(H), s', dag(s); ishermitian = true)
    @test diagonalizes(D, W, oxide(H))
    P = random_itensor(T, s', dag(s))
    D, W = ITensors.eigen(oxide(P), s', dag(s))
    @test ours(W) && eltype(D) === complex(T) && diagonalizes(D, W, oxide(P))
    charged && continue
    @test_throws ArgumentError ITensors.eigen(oxide(P), s', s; maxdim = 2)
    @test_throws ArgumentError svd(a, i, k; alg = "recursive")
    @test agrees(exp(oxide(P), (s',), (s,)), exp(P, (s',), (s,)))
    @test agrees(exp(oxide(H), (s',), (s,); ishermitian = true), exp(H, (s',), (s,); ishermitian = true))
    U, R = ITensors.polar(a, i, k)
    @test agrees(noprime(U * R), A)
end

@testset "no other library is called" begin
    A = oxide(random_itensor(PLAIN[1], PLAIN[4]))
    @test_throws ArgumentError lu(array(A))
    @test_throws ArgumentError svd(array(A))
end

include("heisenberg.jl")

@testset "dmrg and what is measured, quantum numbers: $qns, complex: $complex" for qns in (false, true),
                                                                                   complex in (false, true)
    sites = siteinds("S=1", 8; conserve_qns = qns)
    H = chain(sites; field = complex ? 0.3 : 0.0)
    start = random_mps(complex ? ComplexF64 : Float64, sites, n -> isodd(n) ? "Up" : "Dn"; linkdims = 4)
    for options in ((; cutoff = 1e-12), (; cutoff = 1e-8, noise = [1e-5, 1e-6, 0]))
        sweeps = (; nsweeps = 6, maxdim = [10, 20, 40], outputlevel = 0, options...)
        E0, ψ0 = dmrg(H, start; sweeps...)
        E, ψ = dmrg(oxide(H), oxide(start); sweeps...)
        @test abs(E - E0) <= (options.cutoff == 1e-12 ? 1e-10 : 1e-6) && all(ours, ψ)
        @test abs(inner(plain(ψ), ψ0)) ≈ 1 atol = 1e-5
        E, ψ = dmrg(TensorOxide.projected(oxide(H)), oxide(start); sweeps...)
        @test abs(E - E0) <= (options.cutoff == 1e-12 ? 1e-10 : 1e-6) && all(ours, ψ)
        options.cutoff == 1e-12 || continue
        @test real(inner(ψ', oxide(H), ψ)) ≈ E0 && norm(ψ) ≈ 1
        @test expect(ψ, "Sz") ≈ expect(ψ0, "Sz") atol = 1e-5
        @test correlation_matrix(ψ, "S+", "S-") ≈ correlation_matrix(ψ0, "S+", "S-") atol = 1e-5
        @test norm(plain(apply(oxide(H), ψ; cutoff = 1e-12)) - apply(H, plain(ψ); cutoff = 1e-12)) <= 1e-5 * abs(E0)
        @test norm(plain(+(ψ, ψ; cutoff = 1e-12))) ≈ 2
        later, later0 = tdvp(oxide(H), -0.1im, ψ; outputlevel = 0), tdvp(H, -0.1im, plain(ψ); outputlevel = 0)
        planned = tdvp(TensorOxide.projected(oxide(H)), -0.1im, ψ; outputlevel = 0)
        @test all(ours, planned) && isapprox(abs(inner(plain(planned), later0)), 1; atol = 1e-8)
        @test all(ours, later) && isapprox(abs(inner(plain(later), later0)), 1; atol = 1e-8)
    end
end
