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
# mps.jl holds the states and operators, this file the algorithm, report.jl the command line, the record and the
# picture. Every contraction, inner product and decomposition is the engine's; LinearAlgebra gives a vector's norm.

using LinearAlgebra
using Random
using TensorOxide

include("mps.jl")

# ------------------------------------------------------------------------------------------------------ time accounts

"Seconds spent in contractions, in singular value decompositions, and in Lanczos apart from applying H."
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
    slot(buffer, shape, k = 1)

The `k`-th tensor of this shape in a flat buffer, which grows when it must. What a bond needs lies in the same memory
as what the bond before needed, whatever their shapes.
"""
function slot(buffer, shape, k = 1)
    n = prod(shape)
    length(buffer) < k * n && resize!(buffer, k * n)
    reshape(view(buffer, (k-1)*n+1:k*n), shape)
end

"The first `k` vectors of length `n` in a buffer, as the columns of a matrix; and the `k`-th alone."
columns(buffer, n, k) = slot(buffer, (n, k))
column(buffer, n, k) = view(buffer, (k-1)*n+1:k*n)

"""
    lanczos!(θ, multiply!, buffer, plans, clock; krylovdim, tol) -> energy, products

Improve `θ` towards the lowest eigenvector of a Hermitian map, where `multiply!(y, x)` writes H·x into y. The
Krylov space θ, Hθ, H²θ, … is kept orthonormal against all of its vectors. It ends with `krylovdim` products, or
before that when the residual ‖Hθ − Eθ‖ is at most `tol` or what rounding allows: a residual r leaves an error of about
r² over the gap in `energy`.
"""
function lanczos!(θ, multiply!, buffer, plans::Plans{T}, clock; krylovdim, tol) where {T}
    shape, n = size(θ), length(θ)
    slot(buffer, shape, krylovdim + 1)                      # room for all, before the first view is taken
    H = zeros(T, krylovdim, krylovdim)                      # H in the Krylov space: tridiagonal
    overlaps = Vector{T}(undef, krylovdim)
    column(buffer, n, 1) .= vec(θ) ./ norm(vec(θ))
    for k in 1:krylovdim
        @spent clock.contraction multiply!(slot(buffer, shape, k + 1), slot(buffer, shape, k))
        began = time_ns()
        basis, next, overlap = columns(buffer, n, k), column(buffer, n, k + 1), view(overlaps, 1:k)
        for _ in 1:2                                        # Gram–Schmidt; once more for what rounding left
            contract!(overlap, plans, "nk,n->k", basis, next; conj = (1,))
            contract!(next, plans, "nk,k->n", basis, overlap; α = -1, β = 1)
            H[k, k] += real(overlap[k])
        end
        residue = norm(next)
        energies, vectors = TensorOxide.eigh_full(H[1:k, 1:k])
        converged = residue * abs(vectors[k, 1]) ≤ max(tol, 10 * eps(real(T)) * abs(energies[1]))
        if converged || k == krylovdim
            contract!(vec(θ), plans, "nk,k->n", basis, vectors[:, 1])
        else
            H[k, k+1] = H[k+1, k] = residue
            next ./= residue
        end
        clock.lanczos += (time_ns() - began) / 1e9
        (converged || k == krylovdim) && return energies[1], k
    end
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
    twosite::Vector{T}          # θ
    krylov::Vector{T}           # the Krylov vectors
end

"The run before its first sweep: `ψ` is right-canonical, and the environments right of every site are built."
function Chain(H, ψ::Vector{Array{T,3}}) where {T}
    N = length(ψ)
    chain = Chain{T}(H, ψ, [edge(T) for _ in 1:N], [edge(T) for _ in 1:N], Plans{T}(), T[], T[])
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

    θ = slot(chain.twosite, (χl, d, d′, χr))
    @spent clock.contraction contract!(θ, plans, "asc,ctb->astb", ψ[i], ψ[i+1])

    # The environments and the two operators around θ, all in one contraction: planned here, used by each product.
    L, R = chain.left[i], chain.right[i+1]
    product = @spent clock.contraction plan!(plans, "pwa,wSsv,vTtx,xbq,astb->pSTq", L, H[i], H[i+1], R, θ)
    multiply!(y, x) = product(y, L, H[i], H[i+1], R, x)
    energy, products = lanczos!(θ, multiply!, chain.krylov, plans, clock; krylovdim = krylovdim, tol = tol)

    matrix = reshape(θ, χl * d, d′ * χr)
    U, S, Vᴴ, ϵ = @spent clock.svd TensorOxide.svd_trunc(matrix; maxrank = maxdim, discarded_weight = cutoff)
    weights = T.(S ./ norm(S))
    U, Vᴴ = reshape(U, χl, d, :), reshape(Vᴴ, :, d′, χr)
    @spent clock.contraction if direction == :right
        ψ[i], ψ[i+1] = U, contract!(similar(Vᴴ), plans, "c,ctb->ctb", weights, Vᴴ)
        chain.left[i+1] = grow_left!(plans, chain.left[i+1], L, ψ[i], H[i])
    else
        ψ[i], ψ[i+1] = contract!(similar(U), plans, "asc,c->asc", U, weights), Vᴴ
        chain.right[i] = grow_right!(plans, chain.right[i], R, ψ[i+1], H[i+1])
    end
    energy, ϵ^2, products
end

"""
    dmrg(H, ψ; maxdims, cutoff, krylovdim, tol, on_bond, on_sweep) -> energy, state, records

Sweep once there and back for each bond dimension in `maxdims`, starting from a right-canonical state.

- `cutoff`: an SVD discards at most this share of the squares of its singular values
- `krylovdim`, `tol`: at most so many products with H at a bond, fewer once the residual is at most `tol`. Many pay in
  the first sweeps, which are cheap and start from noise; in the last ones one or two are enough. The SVD that follows
  changes the state by up to √cutoff, so that a smaller residual is of no use
- `on_bond(sweep, bonds done, bonds in a sweep, energy)`, `on_sweep(record)`: called as the run goes on
"""
function dmrg(H, ψ::Vector{Array{T,3}}; maxdims, cutoff, krylovdim = 8, tol = sqrt(max(cutoff, 1e-16)),
              on_bond = (_...) -> nothing, on_sweep = identity) where {T}
    length(ψ) == length(H) ≥ 2 || throw(ArgumentError("state and operator need the same number of sites, at least 2"))
    bonds = length(ψ) - 1
    chain = Chain(H, copy(ψ))
    path = [[(i, :right) for i in 1:bonds]; [(i, :left) for i in bonds:-1:1]]
    records = SweepRecord[]
    for (sweep, maxdim) in enumerate(maxdims)
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
    end
    records[end].energy, chain.ψ, records
end

# ------------------------------------------------------------------------------------------------------- command line

include("report.jl")

abspath(PROGRAM_FILE) == @__FILE__() && exit(main(ARGS))
