# The spin-1 chain H = Σ S·S + b (S·S)² in TensorKit, its tensors symmetric under U(1) or SU(2): energy per site of the
# infinite chain by imaginary time evolution (iTEBD), in the form of Hastings (J. Math. Phys. 50, 095207, 2009) that
# divides by no singular values. Once with the defaults, once on the engine. Run it in an environment that has
# TensorOxide, TensorKit and MatrixAlgebraKit:
#
#     julia --project=ENV examples/frontends/tensorkit.jl [bond dimension [b]]
using TensorOxide, TensorKit, MatrixAlgebraKit, LinearAlgebra, Random
using TensorKit.TensorOperations: DefaultAllocator, DefaultBackend

"What a computation runs on: backend and allocator of `@tensor`, algorithm of the singular value decomposition."
struct Means{B,A,S}
    backend::B
    allocator::A
    svd::S
end
const DEFAULTS = Means(DefaultBackend(), DefaultAllocator(), SafeDivideAndConquer())
const ENGINE = Means(TensorOxideBackend(), TensorOxideAllocator(), SafeDivideAndConquer(; driver = TensorOxideDriver()))

"The space of a spin 1, and one for bonds of the chain, which hold half a spin more or less."
spaces(symmetry) = symmetry == :U1 ?
    (U1Space(1 => 1, 0 => 1, -1 => 1), U1Space(m // 2 => 2 for m in -3:2:3)) :
    (SU2Space(1 => 1), SU2Space(1 // 2 => 2, 3 // 2 => 1))

"S·S + b (S·S)² of two spins 1."
function interaction(symmetry, b)
    P, _ = spaces(symmetry)
    if symmetry == :U1
        z, up = Diagonal([0.0, 1.0, -1.0]), [0 0 √2; √2 0 0; 0 0 0]         # in the order 0, 1, -1
        product = kron(z, z) + (kron(up, up') + kron(up', up)) / 2
        return TensorMap(reshape(product + b * product^2, 3, 3, 3, 3), P ⊗ P ← P ⊗ P)
    end
    h = zeros(P ⊗ P ← P ⊗ P)
    for (spin, block) in blocks(h)
        product = (-2.0, -1.0, 1.0)[Int(spin.j)+1]
        copyto!(block, (product + b * product^2) * I)
    end
    return h
end

"The two tensors `left` and `right` of a bond, `left` without the singular values `λ` that belong to the left of it."
function apply(gate, λ, left, right, D, means)
    backend, allocator = means.backend, means.allocator
    @tensor backend = backend allocator = allocator begin
        C[l s; t r] := gate[s t; s′ t′] * left[l s′; m] * right[m t′; r]
        θ[l s; t r] := λ[l; l′] * C[l′ s; t r]
    end
    _, S, Vᴴ = svd_trunc(θ; trunc = truncrank(D), alg = means.svd)
    @tensor backend = backend allocator = allocator begin
        newright[m t; r] := Vᴴ[m; t r]
        newleft[l s; m] := C[l s; t r] * conj(Vᴴ[m; t r])
    end
    scale = norm(S)
    return S / scale, newleft / scale, newright
end

"Energy of the bond between `left` and `right`."
function energy(h, λ, left, right, means)
    backend, allocator = means.backend, means.allocator
    @tensor backend = backend allocator = allocator begin
        θ[l s; t r] := λ[l; l′] * left[l′ s; m] * right[m t; r]
        E = h[s t; s′ t′] * θ[l s′; t′ r] * conj(θ[l s; t r])
        n = θ[l s; t r] * conj(θ[l s; t r])
    end
    return real(E) / real(n)
end

"""
Energy per site of the ground state, with bonds of dimension `D`, after `steps` steps of each length in imaginary time.
"""
function ground_energy(symmetry, D; b = 0.0, means = ENGINE, lengths = (0.1, 0.01, 0.001), steps = 200)
    Random.seed!(1)
    P, V = spaces(symmetry)
    h = interaction(symmetry, b)
    A, B = randn(V ⊗ P ← V), randn(V ⊗ P ← V)
    λA = λB = DiagonalTensorMap(id(V))                          # to the left of A and of B
    for τ in lengths
        gate = exp(-τ * h)
        for _ in 1:steps
            λB, A, B = apply(gate, λA, A, B, D, means)
            λA, B, A = apply(gate, λB, B, A, D, means)
        end
    end
    return (energy(h, λA, A, B, means) + energy(h, λB, B, A, means)) / 2
end

function main(D = 48, b = 0.0)
    BLAS.set_num_threads(1)
    TensorOxide.set_num_threads(1)
    for symmetry in (:U1, :SU2), (name, means) in ("defaults" => DEFAULTS, "engine" => ENGINE)
        ground_energy(symmetry, D; b, means, steps = 2)
        run = @timed ground_energy(symmetry, D; b, means)
        println(rpad("$symmetry, $name", 16), "E = ", run.value, "  ", round(run.time; digits = 2), " s, ",
                round(run.bytes / 2^20; digits = 1), " MiB")
    end
end

abspath(PROGRAM_FILE) == @__FILE__() &&
    main((k == 1 ? parse(Int, x) : parse(Float64, x) for (k, x) in enumerate(ARGS))...)
