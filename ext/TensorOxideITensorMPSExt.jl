# ITensorMPS's projected MPO whose products with a state, and whose growth of its two parts, are handed over as a whole,
# with ITensors' indices as names: as networks to be planned or, with quantum numbers, as chains.
module TensorOxideITensorMPSExt

using ITensorMPS: ITensorMPS, AbstractProjMPO, MPO, MPS, linkind, lproj, rproj, site_range, siteinds
using ITensors: ITensors, ITensor, Index, OneITensor, dag, dim, inds, itensor, prime, tensor
using NDTensors: NDTensors, BlockSparse, Dense, Tensor, data
using TensorOxide: TensorOxide, Blocks, OxideVector, contract_chain, contract_network!

mutable struct Projected <: AbstractProjMPO
    lpos::Int
    rpos::Int
    nsite::Int
    H::MPO
    LR::Vector{ITensor}
end

# In the order of indices in which ITensorMPS's own `dmrg` has an MPO.
function TensorOxide.projected(H::MPO)
    H = ITensors.permute(H, (linkind, siteinds, linkind))
    return Projected(0, length(H) + 1, 2, H, Vector{ITensor}(undef, length(H)))
end

Base.copy(P::Projected) = Projected(P.lpos, P.rpos, P.nsite, copy(P.H), copy(P.LR))
ITensorMPS.set_nsite!(P::Projected, nsite) = (P.nsite = nsite; P)

# From the end at which the chain ends, as there is nothing there.
function ITensors.contract(P::Projected, v::ITensor)
    network = push_tensor!(ITensor[], lproj(P))
    append!(network, P.H[site_range(P)])
    push_tensor!(network, rproj(P))
    lproj(P) isa ITensor || reverse!(network)
    pushfirst!(network, v)
    dense(network) && return contract_all(network, prime(inds(v)))
    block_sparse(network) && return contract_in_turn(network)
    return invoke(ITensors.contract, Tuple{AbstractProjMPO,ITensor}, P, v)
end
push_tensor!(network, T::ITensor) = push!(network, T)
push_tensor!(network, ::OneITensor) = network

function ITensorMPS.makeL!(P::Projected, ψ::MPS, k::Int)
    while P.lpos < k
        grown = grow(lproj(P), ψ, P.H, P.lpos + 1)
        P.LR[P.lpos+1] = grown
        P.lpos += 1
    end
    P.lpos = k
    return P
end
function ITensorMPS.makeR!(P::Projected, ψ::MPS, k::Int)
    while P.rpos > k
        grown = grow(rproj(P), ψ, P.H, P.rpos - 1)
        P.LR[P.rpos-1] = grown
        P.rpos -= 1
    end
    P.rpos = k
    return P
end

"The part of the chain with one site more: with ψ and its conjugate there, and H between them."
function grow(part, ψ, H, site)
    network = push_tensor!(ITensor[ψ[site], H[site], prime(ψ[site])], part)
    if !dense(network)
        chain = [push_tensor!(ITensor[], part); ψ[site]; H[site]; dag(prime(ψ[site]))]
        return block_sparse(chain) ? contract_in_turn(chain) : reduce(*, chain)
    end
    indices = mapreduce(T -> collect(inds(T)), vcat, network)
    open = filter(i -> count(==(i), indices) == 1, indices)
    return contract_all(network, open, ntuple(k -> k == 3, length(network)))
end

dense(network) = all(T -> tensor(T) isa Tensor{<:Any,<:Any,<:Dense{<:Any,<:OxideVector}}, network)
block_sparse(network) = !NDTensors.using_auto_fermion() &&
                        all(T -> tensor(T) isa Tensor{<:Any,<:Any,<:BlockSparse{<:Any,<:OxideVector}}, network)

function contract_all(network, output, conj = nothing)
    T = mapreduce(eltype, promote_type, network)
    C = itensor(tensor_of(T, Tuple(output)))
    contract_network!(ITensors.array(C), output, [inds(A) => ITensors.array(A) for A in network], conj)
    return C
end

function contract_in_turn(network)
    T = mapreduce(eltype, promote_type, network)
    of(A) = (collect(inds(A)), convert(OxideVector{T}, data(tensor(A))), Blocks(tensor(A)))
    indices, c, C = contract_chain(map(of, network))
    return itensor(tensor(BlockSparse(c, C, Val(length(indices))), Tuple(indices)))
end
tensor_of(::Type{T}, output) where {T} = NDTensors.tensor(Dense(OxideVector{T}(undef, prod(map(dim, output)))), output)

end
