# The spin-½ Heisenberg chain in MPSKit, its tensors symmetric under U(1) or SU(2): ground state by two-site DMRG, then
# time evolution by two-site TDVP, once with the defaults and once on the engine. Run it in an environment that has
# TensorOxide, MPSKit, TensorKit and MatrixAlgebraKit:
#
#     julia --project=ENV examples/frontends/mpskit.jl [length [bond dimension]]
using TensorOxide, TensorKit, MPSKit, MatrixAlgebraKit, LinearAlgebra, Random

"The space of a spin ½ whose tensors have the symmetry `:U1` or `:SU2`."
site(symmetry) = symmetry == :U1 ? U1Space(1 // 2 => 1, -1 // 2 => 1) : SU2Space(1 // 2 => 1)

"S·S of two neighbours: ¼ in the triplet, -¾ in the singlet."
function exchange(symmetry)
    P = site(symmetry)
    if symmetry == :U1
        swap = [i == l && j == k for i in 1:2, j in 1:2, k in 1:2, l in 1:2]
        one = [i == k && j == l for i in 1:2, j in 1:2, k in 1:2, l in 1:2]
        return TensorMap(ComplexF64.(swap / 2 - one / 4), P ⊗ P ← P ⊗ P)
    end
    h = zeros(ComplexF64, P ⊗ P ← P ⊗ P)
    for (spin, block) in blocks(h)
        copyto!(block, (spin.j == 1 ? 1 / 4 : -3 / 4) * I)
    end
    return h
end

"A two-site operator as two tensors, virtual ⊗ physical ← physical ⊗ virtual."
function two_tensors(h)
    U, S, Vᴴ = svd_compact(permute(h, ((1, 3), (2, 4))))
    left = insertleftunit(permute(U * S, ((1,), (2, 3))), Val(1))
    right = insertrightunit(permute(Vᴴ, ((1, 2), (3,))), Val(3))
    return left, right
end

"Σ S·S over neighbours: matrices of operators between the levels nothing yet, half of a bond, everything."
function chain(symmetry, N)
    left, right = two_tensors(exchange(symmetry))
    one = 1.0 + 0im
    bulk = Any[one left missing; missing missing right; missing missing one]
    return FiniteMPOHamiltonian([k == 1 ? bulk[1:1, :] : k == N ? bulk[:, 3:3] : bulk for k in 1:N])
end

"A random state of total spin 0, the same for every caller."
function start(symmetry, N)
    Random.seed!(1)
    bond = symmetry == :U1 ? U1Space(m // 2 => 2 for m in -4:4) : SU2Space(j // 2 => 2 for j in 0:4)
    return FiniteMPS(rand, ComplexF64, N, site(symmetry), bond)
end

# The one argument that puts the singular value decompositions of MPSKit's algorithms on the engine.
const ENGINE = SafeDivideAndConquer(; driver = TensorOxideDriver())

"Ground state and energy of the chain, `alg_svd` being the algorithm of the singular value decomposition."
function ground_state(symmetry, N, D; alg_svd = MPSKit.Defaults.alg_svd(), sweeps = 10)
    H = chain(symmetry, N)
    dmrg = DMRG2(; trscheme = truncrank(D), alg_svd, maxiter = sweeps, tol = 1e-12, verbosity = 0)
    ψ, = find_groundstate(start(symmetry, N), H, dmrg)
    return ψ, real(expectation_value(ψ, H))
end

"The random state after some steps of time 0.05 with bonds of at most dimension `D`."
function evolved(symmetry, N, D; alg_svd = MPSKit.Defaults.alg_svd(), steps = 4)
    H, ψ = chain(symmetry, N), start(symmetry, N)
    tdvp = TDVP2(; trscheme = truncrank(D), alg_svd)
    envs = environments(ψ, H)
    for k in 1:steps
        ψ, envs = timestep(ψ, H, 0.05k, 0.05, tdvp, envs)
    end
    return ψ, real(expectation_value(ψ, H))
end

function main(N = 32, D = 64)
    BLAS.set_num_threads(1)
    TensorOxide.set_num_threads(1)
    for symmetry in (:U1, :SU2), algorithm in (ground_state, evolved)
        for (name, alg_svd) in ("defaults" => MPSKit.Defaults.alg_svd(), "engine" => ENGINE)
            algorithm(symmetry, 6, 8; alg_svd)
            run = @timed algorithm(symmetry, N, D; alg_svd)
            println(rpad("$algorithm, $symmetry, $name", 32), "E = ", run.value[2], "  ", round(run.time; digits = 2),
                    " s, ", round(run.bytes / 2^20; digits = 1), " MiB")
        end
    end
end

abspath(PROGRAM_FILE) == @__FILE__() && main(parse.(Int, ARGS)...)
