# ITensorMPS's projected MPO with planned contractions: its products with a state and the growth of its two parts are
# handed over as networks, with ITensors' indices as names.
module TensorOxideITensorMPSExt

using ITensorMPS: ITensorMPS, AbstractProjMPO, MPO, MPS, linkind, lproj, rproj, site_range, siteinds
using ITensors: ITensors, ITensor, Index, OneITensor, dag, dim, inds, itensor, prime, tensor
using NDTensors: NDTensors, Dense, Tensor
using TensorOxide: TensorOxide, OxideVector, contract_network!

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

function ITensors.contract(P::Projected, v::ITensor)
    network = ITensor[v]
    push_tensor!(network, lproj(P))
    append!(network, P.H[site_range(P)])
    push_tensor!(network, rproj(P))
    planned(network) || return invoke(ITensors.contract, Tuple{AbstractProjMPO,ITensor}, P, v)
    return contract_all(network, prime(inds(v)))
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
    planned(network) || return part * ψ[site] * H[site] * dag(prime(ψ[site]))
    indices = mapreduce(T -> collect(inds(T)), vcat, network)
    open = filter(i -> count(==(i), indices) == 1, indices)
    return contract_all(network, open, ntuple(k -> k == 3, length(network)))
end

planned(network) = all(T -> tensor(T) isa Tensor{<:Any,<:Any,<:Dense{<:Any,<:OxideVector}}, network)

function contract_all(network, output, conj = nothing)
    T = mapreduce(eltype, promote_type, network)
    C = itensor(tensor_of(T, Tuple(output)))
    contract_network!(ITensors.array(C), output, [inds(A) => ITensors.array(A) for A in network], conj)
    return C
end
tensor_of(::Type{T}, output) where {T} = NDTensors.tensor(Dense(OxideVector{T}(undef, prod(map(dim, output)))), output)

end
