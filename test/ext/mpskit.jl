# MPSKit with the driver: examples/frontends/mpskit.jl gives the energies and states that it gives with the defaults,
# and the exact ground state. Compiling MPSKit takes most of the time, several minutes. Where Julia's compiler fails on
# it ("in TypeVar, in lower bound"), see docs/src/frontends/tensorkit.md.
module MPSKitWithDriver
using Test, LinearAlgebra
import MPSKit

module Example
include(joinpath(@__DIR__, "..", "..", "examples", "frontends", "mpskit.jl"))
end
using .Example: ENGINE, evolved, ground_state

"The lowest energy of the chain of N spins, from its matrix."
function exact(N)
    swap = [1.0 0 0 0; 0 0 1 0; 0 1 0 0; 0 0 0 1]
    one(n) = Matrix(1.0I, 2^n, 2^n)
    bond(k) = kron(one(k - 1), swap / 2 - I / 4, one(N - k - 1))
    return eigvals(Symmetric(sum(bond, 1:N-1)))[1]
end

@testset "$symmetry" for symmetry in (:U1, :SU2)
    _, E = ground_state(symmetry, 8, 32; alg_svd = ENGINE)
    # The eigensolver of DMRG2 stops some 1e-9 above, with the defaults, too.
    @test E ≈ exact(8) atol = 1e-8
    _, E₀ = ground_state(symmetry, 12, 16)
    _, E = ground_state(symmetry, 12, 16; alg_svd = ENGINE)
    @test E ≈ E₀ atol = 1e-10
    ψ₀, E₀ = evolved(symmetry, 8, 12)
    ψ, E = evolved(symmetry, 8, 12; alg_svd = ENGINE)
    @test E ≈ E₀ atol = 1e-10
    @test abs(dot(ψ, ψ₀)) ≈ norm(ψ) * norm(ψ₀) atol = 1e-10
end

end
