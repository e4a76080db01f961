# Contractions for other packages' tensors: of two whose shapes hardly come twice, and of networks whose indices have
# names.

"""
    contract!(C, labelsC, A, labelsA, B, labelsB, α, β)

`C = α·A·B + β·C` for arrays of one element type and integers as labels, without a plan: what
`einsum!(C, (labelsA, labelsB) => labelsC, A, B; α, β)` does faster from the second time on, this does at once.
"""
@inline function contract!(C::AbstractArray{T}, labelsC, A::AbstractArray{T}, labelsA, B::AbstractArray{T}, labelsB,
                           α::Number, β::Number) where {T<:Element}
    map(length, (labelsA, labelsB, labelsC)) == (ndims(A), ndims(B), ndims(C)) || throw_label_count((A, B, C))
    if words((A, B, C)) + ndims(A) + ndims(B) + ndims(C) > FRAME_WORDS
        return einsum!(C, (labelsA, labelsB) => labelsC, A, B; α = α, β = β)
    end
    frame = Ref{Frame}()
    GC.@preserve frame A B C contract_in(pointer_from_objref(frame), (A, B, C), (labelsA, labelsB, labelsC),
                                         factors(nothing, T, α, β)...)
    return C
end
@noinline throw_label_count(arrays) =
    throw(DimensionMismatch("arrays of $(join(map(ndims, arrays), ", ")) dimensions need as many labels"))
@inline function contract_in(frame::Ptr, arrays, labels, α, β)
    tensors = convert(Ptr{DLTensor}, frame)
    flags = convert(Ptr{UInt8}, tensors + 3sizeof(DLTensor))
    room = place_all!(tensors, 1, flags, convert(Ptr{Int64}, flags) + 24, arrays)
    unsafe_load(flags, 3) == 0 || throw_nonstrided(arrays[3], OUTPUT)
    place_labels!(convert(Ptr{Int32}, room), labels)
    contract(tensors, convert(Ptr{Int32}, room), flags, α, β)
end
@inline place_labels!(room, ::Tuple{}) = nothing
@inline function place_labels!(room, labels::Tuple)
    for label in first(labels)
        unsafe_store!(room, label % Int32)
        room += sizeof(Int32)
    end
    place_labels!(room, tail(labels))
end

"""
    contract_network!(C, names, tensors, conj = nothing)

Sum the product of `tensors`, a vector of pairs `names => array`, over the names that are not in `names`, those of `C`'s
indices: planned as a whole and kept, as by [`einsum!`](@ref). Names are anything that a `Dict` tells apart.
"""
function contract_network!(C::AbstractArray{T}, names, @nospecialize(tensors), @nospecialize(conj = nothing)) where {T}
    arrays = Any[operand(T, last(tensor), k) for (k, tensor) in enumerate(tensors)]
    into!(C, T, nothing, numbered(map(first, tensors), names), arrays, conj, ComplexF64(1), ComplexF64(0))
    return C
end

"The places of the positive labels, of which there are `N`."
@inline function open_places(labels::Dims, ::Val{N}) where {N}
    places = ntuple(_ -> 0, Val(N))
    k = 0
    for (place, label) in enumerate(labels)
        label > 0 && (places = Base.setindex(places, place, k += 1))
    end
    return places
end
