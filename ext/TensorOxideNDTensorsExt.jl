# OxideVector as the data of NDTensors' storages: methods for tensors with such data, whose work the engine does.
# Nothing is computed here: labels, sizes and rules of truncation are translated.
module TensorOxideNDTensorsExt

using LinearAlgebra: LinearAlgebra, Hermitian
using NDTensors: NDTensors, BlockSparse, Dense, Diag, Tensor, array, blockdim, blockview, contract_inds, data, dag, dim,
                 dims, ind, inds, indstype, is_trivial_permutation, matrix, nblocks, sim, tensor
using NDTensors.Expose: Expose
using NDTensors.RankFactorization: Spectrum
using TensorOxide: TensorOxide, Blocks, OxideArray, OxideMatrix, OxideVector, contract_blocks, diagonal_labels, einsum!

const OxideTensor{T,N,I} = Tensor{T,N,Dense{T,OxideVector{T}},I}
const OxideBlockSparse{T,N,M,I} = Tensor{T,N,BlockSparse{T,OxideVector{T},M},I}
const AnyBlockSparse = Tensor{<:Any,<:Any,<:BlockSparse}
const Combiner = NDTensors.CombinerTensor
const AnyDense{T,N} = Tensor{T,N,<:Dense}
const AnyDiag{T,N} = Tensor{T,N,<:Diag}

NDTensors.array(T::OxideTensor) = reshape(data(T), dims(T))
NDTensors.matrix(T::OxideTensor{<:Number,2}) = reshape(data(T), dims(T))

# Contractions. One operand may be diagonal, or have the data of another kind of storage: the result is one of ours.

# By NDTensors' convention the labels that are summed over are negative. The number of the others is all that the
# compiler cannot know.
function NDTensors.contract(A::OxideTensor, labelsA::Dims, B::OxideTensor, labelsB::Dims)
    open = count(>(0), labelsA) + count(>(0), labelsB)
    return contract_open(Val(open), A, labelsA, B, labelsB)
end
function contract_open(::Val{N}, A, labelsA, B, labelsB) where {N}
    labels, indices = (labelsA..., labelsB...), (inds(A)..., inds(B)...)
    kept = TensorOxide.open_places(labels, Val(N))
    return contract_new(A, labelsA, B, labelsB, map(k -> labels[k], kept), map(k -> indices[k], kept))
end
NDTensors.contract(A::OxideTensor, labelsA, B::OxideTensor, labelsB, labelsC) =
    contract_new(A, labelsA, B, labelsB, labelsC, contract_inds(inds(A), labelsA, inds(B), labelsB, labelsC))
@inline function contract_new(A::OxideTensor{S}, labelsA, B::OxideTensor{T}, labelsB, labelsC, indsC) where {S,T}
    C = tensor(Dense(OxideVector{promote_type(S, T)}(undef, dim(indsC))), indsC)
    return contract_into!(C, labelsC, A, labelsA, B, labelsB, true, false)
end

for (A, B) in ((AnyDense, AnyDense), (AnyDense, AnyDiag), (AnyDiag, AnyDense))
    @eval NDTensors.contract!(C::OxideTensor, labelsC, A::$A, labelsA, B::$B, labelsB, α::Number = true,
                              β::Number = false) = contract_into!(C, labelsC, A, labelsA, B, labelsB, α, β)
end

function contract_into!(C, labelsC, A, labelsA, B, labelsB, α, β)
    einsum!(array(C), (labelsA, labelsB) => labelsC, array(A), array(B); α = α, β = β)
    return C
end
contract_into!(C, labelsC, D::AnyDiag, labelsD, A::AnyDense, labelsA, α, β) =
    contract_into!(C, labelsC, A, labelsA, D, labelsD, α, β)
function contract_into!(C, labelsC, A::AnyDense, labelsA, D::AnyDiag, labelsD, α, β)
    d = data(D)
    merged = allequal(dims(D)) ? diagonal_labels(labelsC, labelsA, labelsD) : nothing
    if merged === nothing || (d isa Number && !(first(labelsD) in last(merged)))
        einsum!(array(C), (labelsA, labelsD) => labelsC, array(A), array(NDTensors.dense(D)); α = α, β = β)
    elseif d isa Number
        einsum!(array(C), (last(merged),) => first(merged), array(A); α = α * d, β = β)
    else
        einsum!(array(C), (last(merged), (first(labelsD),)) => first(merged), array(A), d; α = α, β = β)
    end
    return C
end

function NDTensors.outer!(C::OxideTensor{<:Any,N}, A::AnyDense{<:Any,M}, B::AnyDense) where {N,M}
    labels = ntuple(identity, Val(N))
    return contract_into!(C, labels, A, labels[1:M], B, labels[M+1:N], true, false)
end

# Where a combiner only renames or splits indices, nothing is computed: no memory for a result is needed beside the copy.
function NDTensors.contract(A::OxideTensor, labelsA, K::Combiner, labelsK, labelsC)
    computed = ndims(K) <= 1 || NDTensors.is_combining(A, labelsA, K, labelsK)
    C = computed ? NDTensors.contraction_output(A, labelsA, K, labelsK, labelsC) : A
    return NDTensors.contract!!(C, labelsC, K, labelsK, A, labelsA)
end
NDTensors.contract(K::Combiner, labelsK, A::OxideTensor, labelsA, labelsC) =
    NDTensors.contract(A, labelsA, K, labelsK, labelsC)

# Block-sparse tensors. Where signs of fermions go between the blocks, or the result has another order of indices, they
# are multiplied pair by pair.

function NDTensors.contract(A::OxideBlockSparse{S}, labelsA, B::OxideBlockSparse{T}, labelsB, labelsC) where {S,T}
    open = (filter(>(0), labelsA)..., filter(>(0), labelsB)...)
    if NDTensors.using_auto_fermion() || labelsC != open
        return invoke(NDTensors.contract, Tuple{AnyBlockSparse,Any,AnyBlockSparse,Any,Any}, A, labelsA, B, labelsB,
                      labelsC)
    end
    a, b = map(x -> convert(OxideVector{promote_type(S, T)}, x), (data(A), data(B)))
    c, C = contract_blocks(a, Blocks(A), collect(labelsA), b, Blocks(B), collect(labelsB))
    return tensor(BlockSparse(c, C, Val(length(open))), contract_inds(inds(A), labelsA, inds(B), labelsB, labelsC))
end
function TensorOxide.Blocks(A::OxideBlockSparse{<:Any,N}) where {N}
    there = NDTensors.blockoffsets(A)
    places = Matrix{Int}(undef, N, length(there))
    for (k, block) in enumerate(keys(there)), d in 1:N
        places[d, k] = block[d]
    end
    return Blocks([Int[blockdim(i, n) for n in 1:nblocks(i)] for i in inds(A)], places, collect(there))
end
function NDTensors.BlockSparse(a::OxideVector, A::Blocks, ::Val{N}) where {N}
    there = NDTensors.BlockOffsets{N}(; sizehint = length(A))
    for k in 1:length(A)
        insert!(there, NDTensors.Block(ntuple(d -> UInt(A.places[d, k]), Val(N))), A.offsets[k])
    end
    return BlockSparse(a, there)
end

# Pair by pair; the first contraction into a block overwrites it.
function NDTensors.contract!(C::OxideBlockSparse{T}, labelsC, A::AnyBlockSparse, labelsA, B::AnyBlockSparse, labelsB,
                             contraction_plan) where {T}
    written = Set{eltype(NDTensors.nzblocks(C))}()
    for (a, b, c) in contraction_plan
        sign = NDTensors.compute_alpha(T, labelsC, c, inds(C), labelsA, a, inds(A), labelsB, b, inds(B))
        fresh = !(c in written)
        fresh && push!(written, c)
        contract_block!(blockview(C, c), labelsC, blockview(A, a), labelsA, blockview(B, b), labelsB, sign, !fresh)
    end
    return C
end
contract_block!(C, labelsC, A, labelsA, B, labelsB, α, β) = contract_into!(C, labelsC, A, labelsA, B, labelsB, α, β)
# Blocks have many shapes, each of which comes a few times: not worth a plan.
contract_block!(C::OxideTensor{T}, labelsC, A::OxideTensor{T}, labelsA, B::OxideTensor{T}, labelsB, α, β) where {T} =
    TensorOxide.contract!(array(C), labelsC, array(A), labelsA, array(B), labelsB, α, β)

# Permutations.

function Base.permutedims!(C::OxideTensor{<:Number,N}, A::OxideTensor{<:Number,N}, perm::NTuple{N,Int}) where {N}
    permutedims!(array(C), array(A), perm)
    return C
end
function Base.permutedims!(C::OxideTensor{<:Number,N}, A::AnyDense{<:Number,N}, perm, f::Function) where {N}
    if is_trivial_permutation(perm)
        data(C) .= f.(data(C), data(A))
    else
        array(C) .= f.(array(C), permutedims(array(A), perm))
    end
    return C
end

# A part is a copy, so that its data are of the same type.
function Base.getindex(T::OxideTensor, range::AbstractUnitRange{<:Integer}, ranges::AbstractUnitRange{<:Integer}...)
    part = OxideArray(view(array(T), range, ranges...))
    return tensor(Dense(vec(part)), size(part))
end

# Decompositions. The engine computes, NDTensors' own rules decide what to keep.

function NDTensors.svd(T::OxideTensor{ElT,2}; mindim = nothing, maxdim = nothing, cutoff = nothing, alg = nothing,
                       use_absolute_cutoff = nothing, use_relative_cutoff = nothing, min_blockdim = nothing) where {ElT}
    alg in (nothing, "divide_and_conquer") || throw(ArgumentError(
        "the singular value decomposition of tensors with OxideVector data knows no alg = $(repr(alg)); leave it out"))
    local spec
    U, S, V = TensorOxide.svd_by(matrix(T), something(maxdim, typemax(Int))) do S, ϵ
        # The weight that is left out beforehand goes in as one value more, which maxdim takes away.
        weights = S .^ 2
        most = length(weights)
        most < minimum(dims(T)) && push!(weights, ϵ^2)
        spec = truncate_spectrum(weights, most, mindim, maxdim, cutoff, use_absolute_cutoff, use_relative_cutoff)
        return length(spec.eigs)
    end
    I = indstype(T)
    u, v = eltype(I)(length(S)), eltype(I)(length(S))
    return (tensor(Dense(vec(U)), I((ind(T, 1), u))), tensor(Diag(S), I((u, v))),
            tensor(Dense(vec(V)), I((ind(T, 2), v))), spec)
end

function truncate_spectrum(values, most, mindim, maxdim, cutoff, use_absolute_cutoff, use_relative_cutoff)
    maxdim === nothing && cutoff === nothing && return Spectrum(values, 0.0)
    values, error, _ = NDTensors.truncate!!(values; mindim, maxdim = something(maxdim, most), cutoff,
                                            use_absolute_cutoff, use_relative_cutoff)
    return Spectrum(values, error)
end

function LinearAlgebra.eigen(T::Hermitian{ElT,<:OxideTensor{ElT,2}}; mindim = nothing, maxdim = nothing,
                             cutoff = nothing, use_absolute_cutoff = nothing,
                             use_relative_cutoff = nothing) where {ElT<:Union{Real,Complex}}
    local spec
    w, V = TensorOxide.eigh_by(matrix(T)) do w
        spec = truncate_spectrum(copy(w), length(w), mindim, maxdim, cutoff, use_absolute_cutoff, use_relative_cutoff)
        return length(spec.eigs)
    end
    I = indstype(parent(T))
    l, r = eltype(I)(length(w)), eltype(I)(length(w))
    return tensor(Diag(w), I((l, dag(r)))), tensor(Dense(vec(V)), I((dag(ind(T, 2)), dag(r)))), spec
end

function LinearAlgebra.eigen(T::OxideTensor{ElT,2}; mindim = nothing, maxdim = nothing, cutoff = nothing,
                             use_absolute_cutoff = nothing,
                             use_relative_cutoff = nothing) where {ElT<:Union{Real,Complex}}
    maxdim === cutoff === nothing || throw(ArgumentError(
        "the eigenvalues of a matrix that is not Hermitian have no order to truncate by: leave out maxdim and " *
        "cutoff, or say ishermitian = true"))
    w, V = TensorOxide.eig_by(length, matrix(T))
    i1, i2 = inds(T)
    l = typeof(i1)(length(w))
    r = dag(sim(l))
    return tensor(Diag(w), (l, r)), tensor(Dense(vec(V)), (dag(i2), r)), Spectrum(abs.(Array(w)), 0.0)
end

# The engine's triangular factors have a diagonal ≥ 0, whether it is asked for or not.
NDTensors.qr(T::OxideTensor{<:Any,2}; positive = false) = with_inds(T, TensorOxide.qr_of(matrix(T))...)
Expose.ql(T::OxideTensor{<:Any,2}; positive = false) = with_inds(T, TensorOxide.ql_of(matrix(T))...)
function with_inds(T, Q, X)
    q = sim(dim(T, 1) < dim(T, 2) ? ind(T, 1) : ind(T, 2))
    I = indstype(T)
    return tensor(Dense(vec(Q)), I((ind(T, 1), q))), tensor(Dense(vec(X)), I((q, ind(T, 2))))
end

function NDTensors.polar(A::OxideMatrix{T}) where {T}
    W, P = OxideMatrix{T}(undef, size(A)), OxideMatrix{T}(undef, size(A, 2), size(A, 2))
    return TensorOxide.left_polar!(A, (W, P))
end

function LinearAlgebra.exp(T::OxideTensor{ElT,2}) where {ElT<:Union{Real,Complex}}
    A = matrix(T)
    return tensor(Dense(vec(TensorOxide.expm!(A, similar(A)))), inds(T))
end
LinearAlgebra.exp(T::Hermitian{ElT,<:OxideTensor{ElT,2}}) where {ElT<:Union{Real,Complex}} = exp(parent(T))

end
