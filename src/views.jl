# Julia's strided arrays as the engine's tensors: where the first element lies, the strides, and whether the elements
# are to be read conjugated. Nothing is copied and, for the usual ranks, nothing is allocated.

using Base: tail, ReshapedArray, ReinterpretArray

# `who` says which argument an error is about.
const OUTPUT = 0
const MATRIX = -1
name(who::Int) = who == OUTPUT ? "the output" : who == MATRIX ? "the matrix" : "operand $who"

@noinline throw_nonstrided(A, who) = throw(ArgumentError(
    "$(name(who)) is a $(typeof(A)), which is not a strided array in memory; pass a copy, as in `Array(A)`"))

"""
    layout(A, who) -> pointer, strides, conj

Where the elements of `A` lie: a pointer to the first, the strides in elements, and whether `A` shows their complex
conjugates. Throws an `ArgumentError` when that cannot be said without copying.
"""
@inline layout(A::Array, who) = (pointer(A), dense(size(A)), false)
@inline layout(A::DenseArray{T}, who) where {T} = (Base.unsafe_convert(Ptr{T}, A), strides(A), false)
layout(A::AbstractArray, who) = throw_nonstrided(A, who)

@inline function layout(A::PermutedDimsArray{T,N,perm}, who) where {T,N,perm}
    p, s, c = layout(parent(A), who)
    return p, map(d -> s[d], perm), c
end

# A vector's wrapper is a matrix with one row.
@inline flip(s::Dims{1}) = (s[1], s[1])
@inline flip(s::Dims{2}) = (s[2], s[1])
@inline function layout(A::Transpose, who)
    p, s, c = layout(parent(A), who)
    return p, flip(s), c
end
@inline function layout(A::Adjoint{T}, who) where {T}
    p, s, c = layout(parent(A), who)
    return p, flip(s), c ⊻ (T <: Complex)
end

@inline function layout(A::SubArray{T}, who) where {T}
    p, s, c = layout(parent(A), who)
    offset, kept = slice(s, axes(parent(A)), parentindices(A), A, who)
    return p + offset * sizeof(T), kept, c
end

@inline function layout(A::ReshapedArray, who)
    p, s, c = layout(parent(A), who)
    kept = reshaped(size(A), size(parent(A)), s)
    kept === nothing && throw_nonstrided(A, who)
    return p, kept, c
end

# Elements of another size are at constant strides for sure only where the parent has no gaps.
@inline function layout(A::ReinterpretArray{T,N,S}, who) where {T,N,S}
    p, s, c = layout(parent(A), who)
    q = convert(Ptr{T}, p)
    c && throw_nonstrided(A, who)
    s == dense(size(parent(A))) && return q, dense(size(A)), false
    same = sizeof(T) == sizeof(S) && ndims(A) == ndims(parent(A))
    same || throw_nonstrided(A, who)
    return q, s, false
end

"Strides of an array of this size without gaps, first index fastest."
@inline dense(sz::Dims) = dense(sz, 1)
@inline dense(::Tuple{}, s) = ()
@inline dense(sz::Dims, s) = (s, dense(tail(sz), s * first(sz))...)

"Offset of a view's first element, and the strides of the indices that it keeps."
@inline slice(::Tuple{}, ::Tuple{}, ::Tuple{}, A, who) = 0, ()
@inline function slice(s::Tuple, axes::Tuple, indices::Tuple, A, who)
    offset, kept = slice(tail(s), tail(axes), tail(indices), A, who)
    i = first(indices)
    here = (first(i) - first(first(axes))) * first(s)
    return offset + here, (stride(i, first(s), A, who)..., kept...)
end
@inline stride(i::Integer, s, A, who) = ()
@inline stride(i::AbstractRange{<:Integer}, s, A, who) = (step(i) * s,)
stride(i, s, A, who) = throw_nonstrided(A, who)

"""
    reshaped(new, old, strides)

Strides of an array of size `old` and strides `strides` after reshaping to size `new`; `nothing` where the reshaped
array has none. Runs of old and new dimensions with equal products correspond; the old ones of a run must follow each
other in memory without gaps.
"""
function reshaped(new::Dims{N}, old::Dims{M}, strides::Dims{M}) where {N,M}
    out = dense(new)
    any(iszero, new) && return out
    i = j = 1
    while j <= N
        new[j] == 1 && (j += 1; continue)
        while old[i] == 1
            i += 1
        end
        s, extent, have = strides[i], old[i], 1
        i += 1
        while have < extent || (j <= N && new[j] == 1)
            out = Base.setindex(out, s * have, j)
            have *= new[j]
            j += 1
            while have > extent
                # The run goes on: the next old dimension that counts has to continue this one.
                if old[i] != 1
                    strides[i] == s * extent || return nothing
                    extent *= old[i]
                end
                i += 1
            end
        end
    end
    return out
end

# The memory of one call: DLTensors, then a byte per operand for conjugation, then shapes and strides. A call with few
# operands keeps it on the stack, so its size must be known to the compiler.
const FRAME_WORDS = 192
const FEW = 8
const Frame = NTuple{FRAME_WORDS,Int64}
const TENSOR_WORDS = sizeof(DLTensor) ÷ sizeof(Int64)

@inline words(A::AbstractArray{T,N}) where {T,N} = TENSOR_WORDS + 2N + 1
@inline words(::Tuple{}) = 0
@inline words(As::Tuple) = words(first(As)) + words(tail(As))
words(As::Vector{Any}) = sum(words, As)

"""
    place!(tensors, k, room, A, who) -> conj, room

Write `A` as tensor `k`, its shape and strides into `room`; return what room is left behind them. Not inlined, so that
it is compiled once for each type of array and not again in every function that calls it.
"""
@noinline function place!(tensors::Ptr{DLTensor}, k, room::Ptr{Int64}, A::AbstractArray{T,N}, who) where {T,N}
    p, s, conj = layout(A, who)
    bytes = N * sizeof(Int64)
    unsafe_store!(convert(Ptr{NTuple{N,Int64}}, room), map(Int64, size(A)))
    unsafe_store!(convert(Ptr{NTuple{N,Int64}}, room + bytes), map(Int64, s))
    unsafe_store!(tensors, DLTensor(p, CPU, N, dltype(T), room, room + bytes, 0), k)
    return conj, room + 2bytes
end

@inline place_all!(tensors, k, flags, room, ::Tuple{}) = room
@inline function place_all!(tensors, k, flags, room, As::Tuple)
    conj, room = place!(tensors, k, room, first(As), k)
    unsafe_store!(flags, conj, k)
    return place_all!(tensors, k + 1, flags, room, tail(As))
end
function place_all!(tensors, k, flags, room, As::Vector{Any})
    for A in As
        conj, room = place!(tensors, k, room, A, k)
        unsafe_store!(flags, conj, k)
        k += 1
    end
    return room
end
