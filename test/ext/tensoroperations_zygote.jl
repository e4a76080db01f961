# Gradients through `@tensor` on our backend: those of TensorOperations' own backend, and differences.
using TensorOxide, TensorOperations, Test, Random, LinearAlgebra, Zygote
using TensorOperations: StridedBLAS, StridedView

"The energy of two sites of a matrix product state, and what else a user may write: traces, sums, `ncon`, conjugation."
function energy(backend, A, L, h)
    @tensor backend = backend begin
        ρ[s, t; u, v] := L[x, y] * A[y, s, a] * A[a, t, b] * conj(A[x, u, c]) * conj(A[c, v, b])
        E = ρ[s, t, u, v] * h[u, v, s, t]
        N = ρ[s, t, s, t]
        M[a, b] := 2 * A[a, s, c] * conj(A[b, s, c]) + L[b, a]
    end
    K = ncon([M, A], [[-1, 1], [1, -2, -3]]; backend = backend)
    return real(E) / real(N) + abs2(@tensor backend = backend tensorscalar(K[a, s, b] * conj(A[a, s, b])))
end

@testset "$T" for T in (Float64, ComplexF64)
    rng = MersenneTwister(17)
    A, L, h = randn(rng, T, 3, 2, 3), randn(rng, T, 3, 3), randn(rng, T, 2, 2, 2, 2)
    L, h = L + L' + 6I, h + permutedims(conj(h), (3, 4, 1, 2))
    ours, theirs = map((TensorOxideBackend(), StridedBLAS())) do backend
        Zygote.withgradient((A, L, h) -> energy(backend, A, L, h), A, L, h)
    end
    @test ours.val ≈ theirs.val
    @test all(ours.grad .≈ theirs.grad)
    # What comes out of the allocator's memory is gone when the derivative is computed: it must not be looked at.
    kept(A) = sum(abs2, @tensor backend = TensorOxideBackend() allocator = TensorOxideAllocator() K[x, s, t, b] :=
        L[x, y] * A[y, s, a] * A[a, t, c] * L[c, b])
    plain(A) = sum(abs2, @tensor K[x, s, t, b] := L[x, y] * A[y, s, a] * A[a, t, c] * L[c, b])
    @test Zygote.gradient(kept, A)[1] ≈ Zygote.gradient(plain, A)[1]
    # Central differences of fourth order along a random direction; the last bits of the values count 1e3 times there.
    for k in 1:3
        direction = randn(rng, T, size((A, L, h)[k]))
        at(s) = energy(TensorOxideBackend(), ntuple(j -> j == k ? (A, L, h)[j] .+ s .* direction : (A, L, h)[j], 3)...)
        slope = (8 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3
        @test real(dot(ours.grad[k], direction)) ≈ slope rtol = 1e-8 atol = 1e-12ours.val
    end
end
