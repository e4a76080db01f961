# Memory for temporaries that live like a stack: what was taken since a mark is given back at once, by going back to the
# mark. The memory is kept, so that work that repeats takes it from the system, which hands out zeroed pages, only once.

"""
    Scratch()

Memory to take temporaries from, for one task at a time. It grows by whole blocks, which never move; once nothing is
taken, its blocks are made one. They are bytes of Julia's, gone with the last reference to the `Scratch`, or by
`empty!`.

```jldoctest
julia> using TensorOxide: Scratch, mark, borrow!, go_back!

julia> scratch = Scratch();

julia> here = mark(scratch);

julia> p = borrow!(scratch, 100); q = borrow!(scratch, 100);

julia> Int(q - p)
128

julia> go_back!(scratch, here);

julia> borrow!(scratch, 100) == p
true
```
"""
mutable struct Scratch
    blocks::Vector{Vector{UInt8}}
    block::Int                  # the one that the next temporary comes from, if there is room
    used::Int                   # bytes of it
end
Scratch() = Scratch(Vector{UInt8}[], 1, 0)
Base.show(io::IO, scratch::Scratch) = print(io, "Scratch memory of ", held(scratch), " bytes")

# Whole cache lines: aligned for the vectors of any processor, and none shared by two temporaries.
const LINE = 64
const FIRST_BLOCK = 1 << 14

"The state of a [`Scratch`](@ref), for [`go_back!`](@ref)."
mark(scratch::Scratch) = (scratch.block, scratch.used)

"""
    borrow!(scratch, bytes) -> pointer

Memory for a temporary, aligned to $LINE bytes, until somebody goes back behind this moment; `scratch` has to stay
reachable.
"""
@inline function borrow!(scratch::Scratch, bytes::Int)
    if scratch.block <= length(scratch.blocks)
        block = @inbounds scratch.blocks[scratch.block]
        start = scratch.used + mod(-Int(UInt(pointer(block)) + scratch.used), LINE)
        if bytes <= length(block) - start
            scratch.used = start + bytes
            return pointer(block) + start
        end
    end
    return borrow_from_new!(scratch, bytes)
end

# Blocks behind the one in use are empty, and too small.
@noinline function borrow_from_new!(scratch::Scratch, bytes::Int)
    block = Vector{UInt8}(undef, Base.checked_add(max(bytes, held(scratch), FIRST_BLOCK), LINE))
    full = min(scratch.block - (scratch.used == 0), length(scratch.blocks))
    push!(resize!(scratch.blocks, full), block)
    scratch.block, scratch.used = full + 1, 0
    return borrow!(scratch, bytes)
end

"The bytes that a [`Scratch`](@ref) keeps."
held(scratch::Scratch) = mapreduce(length, +, scratch.blocks; init = 0)

"""
    go_back!(scratch, mark)

Give back all that was taken since `mark`. Throws an `ArgumentError` for a mark behind which one has gone back already.
"""
@inline function go_back!(scratch::Scratch, to::Tuple{Int,Int})
    to <= mark(scratch) || throw_gone()
    scratch.block, scratch.used = to
    to == (1, 0) && length(scratch.blocks) > 1 && unite!(scratch)
    return scratch
end
@noinline throw_gone() = throw(ArgumentError(
    "what was taken since this mark was given back already; of several marks the latest is the first to go back to"))

@noinline function unite!(scratch::Scratch)
    bytes = held(scratch)
    empty!(scratch.blocks)
    push!(scratch.blocks, Vector{UInt8}(undef, bytes))
    return nothing
end

"""
    empty!(scratch)

Give back the memory itself, and whatever was taken, as by work that an error broke off.
"""
function Base.empty!(scratch::Scratch)
    empty!(scratch.blocks)
    scratch.block, scratch.used = 1, 0
    return scratch
end

"The [`Scratch`](@ref) of the task that asks."
task_scratch() = get!(Scratch, task_local_storage(), :TensorOxide_scratch)::Scratch
