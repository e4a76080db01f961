# Matrix product states and operators as plain Julia arrays: Hamiltonians, a random start, environments.
#
#     ψ[i]  (a, s, b)       site tensor: left bond, physical index, right bond
#     H[i]  (w, s′, s, x)   operator tensor: left bond, outgoing index, incoming index, right bond
#     L     (a′, w, a)      everything left of a site in ⟨ψ|H|ψ⟩: bond of the bra, of the operator, of the ket
#     R     (x, b, b′)      everything right of a site: bond of the operator, of the ket, of the bra
#
# The bra's bond stands outside in L and R, and the ket's inside, so that L·ψ and ψ·R are matrix products as they stand.
# Every contraction and every decomposition is the engine's.

using LinearAlgebra
using TensorOxide

# ---------------------------------------------------------------------------------------------- planned contractions

"""
    Plans{T}(; capacity = 64)

The contraction plans of a calculation with elements of type `T`: made when an expression first meets the shapes of its
operands, then reused. In a sweep the shapes change with the bond dimension, so that old plans go out of use while
each keeps its workspace; [`forget_old!`](@ref) lets all go when there are more than `capacity`.
"""
struct Plans{T}
    made::Dict{Any,Any}
    capacity::Int
end
Plans{T}(; capacity = 64) where {T} = Plans{T}(Dict{Any,Any}(), capacity)

"The plan of `expression` for these operands; `conj` names the operands to conjugate, by their position."
function plan!(plans::Plans{T}, expression, operands...; conj = ()) where {T}
    shapes = map(size, operands)
    get!(plans.made, (expression, conj, shapes)) do
        conjugated = ntuple(k -> k in conj, length(operands))
        contraction_plan(expression, shapes; eltype = T, conj = conjugated)
    end
end

"C = α · contraction + β · C, through a plan."
contract!(C, plans::Plans, expression, operands...; conj = (), α = 1, β = 0) =
    plan!(plans, expression, operands...; conj = conj)(C, operands...; α = α, β = β)

"Let go of the plans if they are many. Only between two uses: their workspaces are freed at once."
function forget_old!(plans::Plans)
    length(plans.made) > plans.capacity || return
    foreach(finalize, values(plans.made))
    empty!(plans.made)
end

# -------------------------------------------------------------------------------------------------------- Hamiltonians

"Sz, S⁺ and S⁻ of a spin S = ½, 1, 3/2, …, in the basis m = S, S − 1, …, −S."
function spin_operators(T, S)
    m = S:-1:-S
    Sz = Matrix{T}(Diagonal(m))
    S⁺ = diagm(1 => T[sqrt(S * (S + 1) - k * (k + 1)) for k in m[2:end]])
    Sz, S⁺, Matrix(S⁺')
end

"""
    mpo(machine, N) -> Vector of tensors (w, s′, s, x)

The Hamiltonian that a finite-state machine writes. Reading the chain from left to right, the machine begins in state
`:start`; each transition `(from, to, operator)` puts `operator` on the site that it passes; every way that ends in
`:end` is one term of the sum. Both of these states may wait, with the identity. So `(:start, :end, X)` is a
field ΣX, and `(:start, :z, Z), (:z, :end, Z)` is ΣZZ over nearest neighbours. A bond of the operator counts the states.
"""
function mpo(machine, N)
    one = Matrix{eltype(machine[1][3])}(I, size(machine[1][3]))
    between = setdiff(unique(vcat([[from, to] for (from, to, _) in machine]...)), (:start, :end))
    states = [:start; between; :end]
    W = zeros(eltype(one), length(states), size(one)..., length(states))
    for (from, to, operator) in [(:start, :start, one); machine; (:end, :end, one)]
        W[findfirst(isequal(from), states), :, :, findfirst(isequal(to), states)] += operator
    end
    [i == 1 ? W[1:1, :, :, :] : i == N ? W[:, :, :, end:end] : W for i in 1:N]
end

"H = Σ S·S over the nearest neighbours of an open chain of spins S."
function heisenberg(T, N; spin = 1 // 2)
    Sz, S⁺, S⁻ = spin_operators(T, spin)
    mpo([(:start, :z, Sz), (:z, :end, Sz),
         (:start, :plus, S⁺ / 2), (:plus, :end, S⁻),
         (:start, :minus, S⁻ / 2), (:minus, :end, S⁺)], N)
end

"H = −ΣZZ − h ΣX on an open chain, with Pauli matrices; critical at h = 1."
function transverse_ising(T, N; h = 1)
    Z = T[1 0; 0 -1]
    X = T[0 1; 1 0]
    mpo([(:start, :z, -Z), (:z, :end, Z), (:start, :end, T(-h) * X)], N)
end

# -------------------------------------------------------------------------------------------------------------- states

"""
    random_mps(rng, T, N, d; bond = 8) -> Vector of tensors (a, s, b)

A normalised random state in right-canonical form: each tensor is a random isometry, the Q of a random matrix.
"""
function random_mps(rng, T, N, d; bond = 8)
    # Towards an end of the chain a bond has no more states than the sites beyond it: d, d², d³, …
    χ = [min(bond, float(d)^min(i, N - i)) |> Int for i in 0:N]
    map(1:N) do i
        Q, _ = TensorOxide.qr_compact(randn(rng, T, d * χ[i+1], χ[i]))
        reshape(Matrix{T}(Q'), χ[i], d, χ[i+1])
    end
end

# -------------------------------------------------------------------------------------------------------- environments

"The end of the chain, where there is nothing: one number, 1."
edge(T) = ones(T, 1, 1, 1)

"`old` if it has this shape, otherwise a new array: lets a sweep write over what the last sweep left."
recycle(old::Array{T}, shape...) where {T} = size(old) == shape ? old : Array{T}(undef, shape)

"The environment left of the next site: `L` with one site more, written over `old` where that fits."
function grow_left!(plans, old, L, A, W)
    new = recycle(old, size(A, 3), size(W, 4), size(A, 3))
    contract!(new, plans, "pwa,pSB,wSsx,asb->Bxb", L, A, W, A; conj = (2,))
end

"The environment right of the previous site: `R` with one site more, written over `old` where that fits."
function grow_right!(plans, old, R, A, W)
    new = recycle(old, size(W, 1), size(A, 1), size(A, 1))
    contract!(new, plans, "xbq,pSq,wSsx,asb->wap", R, A, W, A; conj = (2,))
end

"⟨ψ|H|ψ⟩ of a normalised state."
function expectation(H, ψ::Vector{Array{T,3}}) where {T}
    plans = Plans{T}()
    L = edge(T)
    for (A, W) in zip(ψ, H)
        forget_old!(plans)
        L = grow_left!(plans, edge(T), L, A, W)
    end
    real(only(L))
end
