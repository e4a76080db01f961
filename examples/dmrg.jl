# Two-site DMRG: the ground state of a spin chain as a matrix product state.
#
#     julia --project examples/dmrg.jl                                     spin-½ Heisenberg chain, 100 sites
#     julia --project examples/dmrg.jl --model ising --h 0.5 --length 60
#     julia --project examples/dmrg.jl --help
#
# The method is that of White, Phys. Rev. Lett. 69, 2863 (1992), in the language of matrix product states
# (Schollwöck, Ann. Phys. 326, 96 (2011), section 6). The conventions of a sweep, there and back over all bonds, of
# `cutoff` and of the truncation error are those of ITensor, so that runs can be compared.
#
# mps.jl holds the states and operators, this file the algorithm, checkpoint.jl what a run is taken up from, report.jl
# the command line, the record and the picture. Every contraction, decomposition and Lanczos step is the engine's;
# LinearAlgebra gives a vector's norm.

using LinearAlgebra
using Random
using TensorOxide

include("mps.jl")

# ------------------------------------------------------------------------------------------------------ time accounts

"Seconds spent in Lanczos with its products with H, in singular value decompositions, and in all other contractions."
mutable struct Clock
    contraction::Float64
    svd::Float64
    lanczos::Float64
end

"`@spent clock.svd expression`: the expression's value; its seconds are added to the account."
macro spent(account, expression)
    quote
        local began = time_ns()
        local value = $(esc(expression))
        $(esc(account)) += (time_ns() - began) / 1e9
        value
    end
end

# ------------------------------------------------------------------------------------------------------------ Lanczos

"""
    ground_state(H, θ, space; krylovdim, tol) -> energy, θ, products

A unit vector that is closer to the lowest eigenvector of the Hermitian map `H` than `θ` is, with its energy: from one
Krylov space of at most `krylovdim` vectors, fewer once the residual ‖Hθ − Eθ‖ is at most `tol` or what rounding
allows. A residual r leaves an error of about r² over the gap in `energy`.
"""
function ground_state(H, θ, space; krylovdim, tol)
    energies, vectors, info = TensorOxide.eigsolve(H, θ, 1, :SR; krylovdim = krylovdim, maxiter = 1, tol = tol,
                                                   eager = true, space = space)
    energies[1], vectors[1], info.numops
end

# --------------------------------------------------------------------------------------------------------------- DMRG

"What a sweep came to. `truncation` is the largest discarded weight, the sum of squares of what one SVD cut."
struct SweepRecord
    sweep::Int
    maxdim::Int                 # the limit that was set
    energy::Float64
    bond::Int                   # the largest bond dimension that was used
    truncation::Float64
    seconds::Float64
    clock::Clock
    products::Int               # H applied to a two-site tensor
    bytes::Int                  # allocated by Julia
end

"A run between two bonds: Hamiltonian, state, environments left and right of each site, plans and memory for reuse."
struct Chain{T}
    H::Vector{Array{T,4}}
    ψ::Vector{Array{T,3}}
    left::Vector{Array{T,3}}
    right::Vector{Array{T,3}}
    plans::Plans{T}
    krylov::TensorOxide.KrylovSpace{T}
end

"The run before its first sweep: `ψ` is right-canonical, and the environments right of every site are built."
function Chain(H, ψ::Vector{Array{T,3}}) where {T}
    N = length(ψ)
    chain = Chain{T}(H, ψ, [edge(T) for _ in 1:N], [edge(T) for _ in 1:N], Plans{T}(),
                     TensorOxide.KrylovSpace{T}())
    for i in N:-1:2
        forget_old!(chain.plans)
        chain.right[i-1] = grow_right!(chain.plans, edge(T), chain.right[i], ψ[i], H[i])
    end
    chain
end

"""
    optimise_bond!(chain, i, direction, clock; maxdim, cutoff, krylovdim, tol) -> energy, discarded weight, products

Optimise sites `i` and `i + 1` together, split them by a truncated SVD, and move the orthogonality centre to the site
that `direction` (`:right` or `:left`) leads to, with the environment behind it.
"""
function optimise_bond!(chain::Chain{T}, i, direction, clock; maxdim, cutoff, krylovdim, tol) where {T}
    H, ψ, plans = chain.H, chain.ψ, chain.plans
    χl, d, _ = size(ψ[i])
    _, d′, χr = size(ψ[i+1])
    forget_old!(plans)

    θ = Array{T}(undef, χl, d, d′, χr)
    @spent clock.contraction contract!(θ, plans, "asc,ctb->astb", ψ[i], ψ[i+1])

    # The environments and the two operators around θ, all in one contraction: a linear map of θ, its last operand.
    operands = (chain.left[i], H[i], H[i+1], chain.right[i+1])
    product = @spent clock.contraction plan!(plans, "pwa,wSsv,vTtx,xbq,astb->pSTq", operands..., θ)
    map = TensorOxide.PlannedMap(product, operands...; free = 5)
    energy, θ, products = @spent clock.lanczos ground_state(map, θ, chain.krylov; krylovdim = krylovdim, tol = tol)

    matrix = reshape(θ, χl * d, d′ * χr)
    U, S, Vᴴ, ϵ = @spent clock.svd TensorOxide.svd_trunc(matrix; maxrank = maxdim, discarded_weight = cutoff)
    weights = T.(S ./ norm(S))
    U, Vᴴ = reshape(U, χl, d, :), reshape(Vᴴ, :, d′, χr)
    @spent clock.contraction if direction == :right
        ψ[i], ψ[i+1] = U, contract!(similar(Vᴴ), plans, "c,ctb->ctb", weights, Vᴴ)
        chain.left[i+1] = grow_left!(plans, chain.left[i+1], chain.left[i], ψ[i], H[i])
    else
        ψ[i], ψ[i+1] = contract!(similar(U), plans, "asc,c->asc", U, weights), Vᴴ
        chain.right[i] = grow_right!(plans, chain.right[i], chain.right[i+1], ψ[i+1], H[i+1])
    end
    energy, ϵ^2, products
end

"""
    dmrg(H, ψ; maxdims, cutoff, krylovdim, tol, on_bond, on_sweep, records, keep) -> energy, state, records

Sweep once there and back for each bond dimension in `maxdims`, starting from a right-canonical state.

- `cutoff`: an SVD discards at most this share of the squares of its singular values
- `krylovdim`, `tol`: at most so many products with H at a bond, fewer once the residual is at most `tol`. Many pay in
  the first sweeps, which are cheap and start from noise; in the last ones one or two are enough. The SVD that follows
  changes the state by up to √cutoff, so that a smaller residual is of no use
- `on_bond(sweep, bonds done, bonds in a sweep, energy)`, `on_sweep(record)`: called as the run goes on
- `records`: those of the sweeps that led to `ψ`, when an earlier run goes on; `keep(ψ, records)` is called after each
  sweep. A run that was stopped between sweeps comes to the same numbers as one that was not, bit for bit
"""
function dmrg(H, ψ::Vector{Array{T,3}}; maxdims, cutoff, krylovdim = 8, tol = sqrt(max(cutoff, 1e-16)),
              on_bond = (_...) -> nothing, on_sweep = identity, records = SweepRecord[],
              keep = (_...) -> nothing) where {T}
    length(ψ) == length(H) ≥ 2 || throw(ArgumentError("state and operator need the same number of sites, at least 2"))
    bonds = length(ψ) - 1
    chain = Chain(H, copy(ψ))
    path = [[(i, :right) for i in 1:bonds]; [(i, :left) for i in bonds:-1:1]]
    records = copy(records)
    for (sweep, maxdim) in Iterators.drop(enumerate(maxdims), length(records))
        clock = Clock(0, 0, 0)
        energy, truncation, products = 0.0, 0.0, 0
        options = (maxdim = maxdim, cutoff = cutoff, krylovdim = krylovdim, tol = tol)
        run = @timed for (done, (i, direction)) in enumerate(path)
            energy, discarded, applied = optimise_bond!(chain, i, direction, clock; options...)
            truncation = max(truncation, discarded)
            products += applied
            on_bond(sweep, done, length(path), energy)
        end
        bond = maximum(A -> size(A, 3), chain.ψ)
        push!(records, SweepRecord(sweep, maxdim, energy, bond, truncation, run.time, clock, products, run.bytes))
        on_sweep(records[end])
        keep(chain.ψ, records)
    end
    records[end].energy, chain.ψ, records
end

# ------------------------------------------------------------------------------------------------------- command line

include("checkpoint.jl")
include("report.jl")

abspath(PROGRAM_FILE) == @__FILE__() && exit(main(ARGS))
