# TensorKit with our backend and driver, for dense, U(1)- and SU(2)-symmetric tensors: the same contractions and factors
# as with the defaults; derivatives through the truncated singular value decomposition against differences; and
# examples/frontends/tensorkit.jl, which uses both.
module TensorKitOnTheEngine
using TensorOxide, Test, Random, LinearAlgebra, TensorKit, Zygote
using TensorKit.TensorOperations: DefaultAllocator, DefaultBackend
import MatrixAlgebraKit as MAK

const DRIVER = TensorOxideDriver()
const CASES = (("no symmetry", Float64, ℂ^2, ℂ^6),
               ("U(1)", ComplexF64, U1Space(1 // 2 => 1, -1 // 2 => 1), U1Space(0 => 3, 1 => 2, -1 => 2)),
               ("SU(2)", Float64, SU2Space(1 // 2 => 1), SU2Space(0 => 3, 1 => 2)))

# Fermions have signs of their own, and no decompositions of theirs.
const FERMIONS = ("fermions", Float64, Vect[FermionParity](0 => 1, 1 => 2), Vect[FermionParity](0 => 2, 1 => 3))

same(ours, theirs) = isapprox(ours, theirs; rtol = 1e-10, atol = 1e-12)
same(ours::Tuple, theirs::Tuple) = all(map(same, ours, theirs))

"A contraction as a function, also of the backend and the allocator."
macro contraction(network)
    return esc(:((A, B, M, λ, backend, allocator) -> @tensor backend = backend allocator = allocator $network))
end
# Operands and output in the order of the blocks and not, plain and adjoint, diagonal and real.
const CONTRACTIONS = (
    @contraction(C[l s; t r] := A[l s; m] * B[m t; r]),
    @contraction(C[r t; s l] := 2 * B[m t; r] * A[l s; m]),
    @contraction(C[m; n] := A[l s; m] * conj(B[l s; n])),
    @contraction(C[n; l] := conj(A[l s; m]) * B[n t; m] * M[s; t]),
    @contraction(C[s l; r] := λ[l; k] * A[k s; m] * λ[m; r]),
    @contraction(C[n; k] := A[l s; m] * λ[m; k] * conj(A[l t; n]) * M[t; s]),
    @contraction(C[s m; l] := 2 * A[l s; m] - B[l t; m] * M[s; t]),
    @contraction(A[l s; m] * conj(B[l t; m]) * M[t; s]))

@testset "contractions, $name, $T" for (name, T, P, V) in (CASES..., FERMIONS)
    Random.seed!(1)
    A, B, M = randn(T, V ⊗ P ← V), randn(T, V ⊗ P ← V), randn(real(T), P ← P)
    λ = DiagonalTensorMap(randn(Float64, reduceddim(V)), V)
    ours = TensorOxideBackend()
    for contraction in CONTRACTIONS
        theirs = contraction(A, B, M, λ, DefaultBackend(), DefaultAllocator())
        # Each pair of a contraction and an allocator is compiled anew.
        for allocator in (name == "SU(2)" ? (TensorOxideAllocator(), DefaultAllocator()) : (TensorOxideAllocator(),))
            @test same(contraction(A, B, M, λ, ours, allocator), theirs)
        end
    end
    C = randn(T, V ← V)
    @tensor D[n; m] := 0.5 * C[n; m] + 2 * conj(A[l s; n]) * B[l s; m]
    @tensor backend = ours C[n; m] = 0.5 * C[n; m] + 2 * conj(A[l s; n]) * B[l s; m]
    @test same(C, D)
    t = randn(T, V ⊗ P ← P ⊗ V)
    @tensor theirs[l; m] := t[l s; s m]
    @tensor backend = ours traced[l; m] := t[l s; s m]
    @test same(traced, theirs)
    @planar theirs[l s; n] := A[l s; m] * C[m; n]
    @planar backend = ours planar[l s; n] := A[l s; m] * C[m; n]
    @test same(planar, theirs)
    # Products of blocks are ours, too, and a sector without a block in one of the operands gives zeros.
    p = ((1,), (2,))
    @test parentmodule(which(TensorKit.blas_contract!, typeof.((C, C, p, C, p, p, 1, 0, ours, DefaultAllocator())))) ===
          Base.get_extension(TensorOxide, :TensorOxideTensorKitExt)
    Z = zeros(T, V ← zerospace(V))
    @tensor backend = ours C[n; m] = 3 * C[n; m] + Z[n; k] * conj(Z[m; k])
    @test same(C, 3 * D)
    @test_throws SpaceMismatch TensorKit.contract!(C, A, ((1,), (2, 3)), B, ((1, 2), (3,)), p, 1, 0, ours,
                                                    DefaultAllocator())
end

@testset "factorizations, $name, $T" for (name, T, P, V) in CASES
    Random.seed!(2)
    t, s = randn(T, V ⊗ P, V ⊗ P), randn(T, V ⊗ P ⊗ P, V)
    svd = MAK.SafeDivideAndConquer(; driver = DRIVER)
    qr = MAK.Householder(; driver = DRIVER)
    @testset "$f" for (f, alg, options) in ((svd_compact, svd, (;)), (svd_vals, svd, (;)),
            (svd_trunc, svd, (; trunc = truncrank(5))), (svd_trunc, svd, (; trunc = truncerror(; rtol = 0.3))),
            (qr_compact, qr, (;)), (lq_compact, qr, (;)), (left_orth, qr, (;)), (right_orth, qr, (;)),
            (left_polar, MAK.PolarViaSVD(svd), (;)))
        before = copy(s)
        @test same(f(s; alg, options...), f(s; options...))
        @test s == before
    end
    # These are unique only up to a choice: what they promise.
    U, S, Vᴴ = svd_full(s; alg = svd)
    @test U * S * Vᴴ ≈ s && isunitary(U) && isunitary(Vᴴ)
    Q, R = qr_full(s; alg = qr)
    @test Q * R ≈ s && isunitary(Q)
    N = left_null(s; alg = qr)
    @test norm(N' * s) < 1e-12 * norm(s) && isisometric(N)
    w = randn(T, V, V ⊗ P ⊗ P)
    N = right_null(w; alg = qr)
    @test norm(w * N') < 1e-12 * norm(w) && isisometric(N; side = :right)
    h = t + t'
    @test same(eigh_full(h; alg = MAK.DivideAndConquer(; driver = DRIVER)), eigh_full(h))
    D, W = eig_full(t; alg = MAK.QRIteration(; driver = DRIVER))
    @test t * W ≈ W * D
    @test_throws ArgumentError svd_compact(t; alg = MAK.QRIteration(; driver = DRIVER))
end

"Does not depend on the gauge: the kept singular values, and the part of `t` that they belong to, held against `k`."
function loss(t, k)
    U, S, Vᴴ, _ = svd_trunc(t; trunc = truncrank(4), alg = MAK.SafeDivideAndConquer(; driver = DRIVER))
    return real(tr(S^3)) + real(dot(k, U * Vᴴ))
end

@testset "Zygote through svd_trunc, $name, $T" for (name, T, P, V) in CASES
    Random.seed!(3)
    t, k, d = (randn(T, V ⊗ P, V) for _ in 1:3)
    value, (gradient,) = Zygote.withgradient(t -> loss(t, k), t)
    @test value ≈ loss(t, k)
    at(h) = loss(t + h * d, k)
    h = 1e-3
    difference = (8 * (at(h) - at(-h)) - (at(2h) - at(-2h))) / 12h
    @test real(dot(gradient, d)) ≈ difference rtol = 1e-7
end

module Example
include(joinpath(@__DIR__, "..", "..", "examples", "frontends", "tensorkit.jl"))
end
using .Example: DEFAULTS, ENGINE, ground_energy

@testset "example" begin
    # The model of Affleck, Kennedy, Lieb and Tasaki: exact at bond dimension 2, and for time steps of any length.
    aklt(symmetry, τ, steps; means = ENGINE) = ground_energy(symmetry, 8; b = 1 / 3, means, lengths = (τ,), steps)
    @test aklt(:U1, 2.0, 15) ≈ -2 / 3 atol = 1e-9
    @test aklt(:SU2, 0.5, 10) ≈ -2 / 3 atol = 1e-4
    @test aklt(:SU2, 0.5, 10) ≈ aklt(:SU2, 0.5, 10; means = DEFAULTS) atol = 1e-12
    ours, theirs = (ground_energy(:U1, 12; means, lengths = (0.1,), steps = 8) for means in (ENGINE, DEFAULTS))
    @test ours ≈ theirs atol = 1e-12
end

end
