# The plans that `einsum` made, kept for the next call with the same expression, shapes, algebra, element type and
# conjugations.
# Bounded in number and in workspace. A look-up allocates nothing and takes no lock.
#
# The table has a fixed number of places; a plan may be in one of a few of them, which its key says. An entry never
# changes once it is in the table (but for the mark that it was used), and a place holds a reference, which is read and
# written whole: a look-up sees an entry as it is now or as it was, and what it has found stays alive as long as it
# is held. Writers take turns. An entry is complete in memory before its place refers to it: the fence in `put!`.

mutable struct Remembered
    key::UInt
    expression::String
    labels::Vector{Int64}       # as in a call's frame; empty where the call had a text
    semiring::Int32             # its code
    eltype::DataType
    shapes::Vector{Int}         # rank, extents, rank, extents, …
    conj::Vector{Bool}          # empty where none was given
    plan::ContractionPlan
    # Of the plan, whose own type is only known at run time:
    handle::Ptr{Cvoid}
    extents::Vector{Int}        # of the output
    dtype::DLDataType
    used::Bool                  # since a writer last looked for room
    Remembered(key, labels, eltype, shapes, conj, @nospecialize(plan)) =
        new(key, plan.expression, labels, code(plan.semiring), eltype, shapes, conj, plan, plan.handle, Int[plan.output_size...],
            dltype(eltype), true)
end

mutable struct PlanCache
    places::Vector{Union{Nothing,Remembered}}
    lock::Threads.SpinLock      # held by writers, never while a plan is made
    bytes::UInt64
    hand::Int                   # the place that is looked at next for something to forget
end

const CACHED_PLANS = 512
const PLACES = 8                # for one key
const CACHED_BYTES = UInt64(2)^29
# A workspace that is made anew costs a page fault for each 4 KiB, so large ones are worth keeping too, up to a point.
const LARGEST_CACHED = CACHED_BYTES ÷ 2
const CACHE = PlanCache(Vector{Union{Nothing,Remembered}}(nothing, CACHED_PLANS), Threads.SpinLock(), 0, 0)

# Texts whose hash and comparison allocate nothing.
const PlainText = Union{String,SubString{String}}

"""
What a plan is sought for: an expression, as a text or (then `expression` is `nothing`) as labels in the frame, and the
operands' shapes in the frame. Nothing here, and nothing that takes it, is compiled anew for each order of a tensor.
"""
struct Sought{E<:Union{Nothing,PlainText}}
    expression::E
    labels::Ptr{Int64}
    words::Int
    tensors::Ptr{DLTensor}
    count::Int
    semiring::Int32
end

function remembered(sought::Sought, T::DataType, conj = nothing)
    key = fingerprint(sought, T, conj)
    entry = recall(key, sought, T, conj)
    return entry === nothing ? remember!(key, sought, T, conj) : entry
end

@inline mixed(h::UInt, word::Integer) = (h = (h ⊻ (word % UInt)) * (0x9e3779b97f4a7c15 % UInt); h ⊻ h >> 32)

function fingerprint(sought::Sought, T::DataType, conj)
    h = mixed(hash(conj, objectid(T)), sought.semiring)
    h = sought.expression === nothing ? h : hash(sought.expression, h)
    for k in 1:sought.words
        h = mixed(h, unsafe_load(sought.labels, k))
    end
    for k in 1:sought.count
        tensor = unsafe_load(sought.tensors, k)
        for d in 1:tensor.ndim
            h = mixed(h, unsafe_load(tensor.shape, d))
        end
        h = mixed(h, tensor.ndim)
    end
    return h
end

# The places of a key.
@inline places(key) = (first = Int(key % UInt(CACHED_PLANS ÷ PLACES)) * PLACES; first+1:first+PLACES)

function recall(key, sought::Sought, T::DataType, conj)
    for place in places(key)
        found = @inbounds CACHE.places[place]
        found === nothing && continue
        found.key == key && found.eltype === T && found.semiring == sought.semiring && same_labels(found, sought) &&
            same_conj(found.conj, conj) && same_shapes(found.shapes, sought) || continue
        # Written only where it changes, so that threads that use one plan do not take the memory from each other.
        found.used || (found.used = true)
        return found
    end
    return nothing
end

same_labels(found, sought::Sought) = isempty(found.labels) && found.expression == sought.expression
function same_labels(found, sought::Sought{Nothing})
    length(found.labels) == sought.words || return false
    for k in 1:sought.words
        @inbounds found.labels[k] == unsafe_load(sought.labels, k) || return false
    end
    return true
end

same_conj(kept, ::Nothing) = isempty(kept)
function same_conj(kept, conj)
    length(kept) == length(conj) || return false
    for k in eachindex(kept)
        kept[k] == conj[k] || return false
    end
    return true
end

function same_shapes(shapes, sought::Sought)
    at = 1
    for k in 1:sought.count
        tensor = unsafe_load(sought.tensors, k)
        at + tensor.ndim <= length(shapes) && shapes[at] == tensor.ndim || return false
        for d in 1:tensor.ndim
            @inbounds shapes[at+d] == unsafe_load(tensor.shape, d) || return false
        end
        at += tensor.ndim + 1
    end
    return at == length(shapes) + 1
end

@noinline function remember!(key, sought::Sought, T::DataType, @nospecialize(conj))
    labels = Int64[unsafe_load(sought.labels, k) for k in 1:sought.words]
    sizes = Vector{Int}[]
    for k in 1:sought.count
        tensor = unsafe_load(sought.tensors, k)
        push!(sizes, Int[unsafe_load(tensor.shape, d) for d in 1:tensor.ndim])
    end
    expression = sought.expression === nothing ? written(labels) : String(sought.expression)
    plan = plan_for(T, expression, sizes, conj, UInt64(0), PathSearch(), nothing,
                    algebra(sought.semiring))
    return remember!(key, labels, plan, T, conj)
end

"Keep a plan, unless it is too large, and return what would be kept."
function remember!(key, labels, @nospecialize(plan::ContractionPlan), T::DataType, @nospecialize(conj))
    shapes = Int[]
    for size in plan.sizes
        push!(shapes, length(size))
        append!(shapes, size)
    end
    entry = Remembered(key, labels, T, shapes, conj === nothing ? Bool[] : Bool[conj...], plan)
    plan.info.peak_bytes <= LARGEST_CACHED || return entry
    lock(CACHE.lock)
    try
        put!(CACHE, vacate!(CACHE, key), entry)
        while CACHE.bytes > CACHED_BYTES
            forget_one!(CACHE, key)
        end
    finally
        unlock(CACHE.lock)
    end
    return entry
end

bytes(::Nothing) = UInt64(0)
bytes(entry::Remembered) = entry.plan.info.peak_bytes

function put!(cache::PlanCache, place, entry)
    cache.bytes += bytes(entry)
    cache.bytes -= bytes(cache.places[place])
    Threads.atomic_fence()
    cache.places[place] = entry
    return nothing
end

# A place for this key: a free one, or one whose plan was not used since the last time that room was sought.
function vacate!(cache::PlanCache, key)
    for place in places(key)
        cache.places[place] === nothing && return place
    end
    victim = 0
    for place in places(key)
        entry = cache.places[place]::Remembered
        entry.used || victim != 0 || (victim = place)
        entry.used = false
    end
    return victim == 0 ? first(places(key)) : victim
end

# Goes round the table until it meets a plan that was not used since the last round, other than this key's newest.
function forget_one!(cache::PlanCache, key)
    while true
        cache.hand = cache.hand % CACHED_PLANS + 1
        entry = cache.places[cache.hand]
        (entry === nothing || entry.key == key) && continue
        entry.used || return put!(cache, cache.hand, nothing)
        entry.used = false
    end
end

"""
    forget_plans()

Forget the plans that [`einsum`](@ref) and [`einsum!`](@ref) keep, at most $CACHED_PLANS with at most
$(CACHED_BYTES >> 20) MiB of workspace together. Their memory is free when Julia's garbage collector has seen that
nobody uses them any more.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.forget_plans()
```
"""
function forget_plans()
    lock(CACHE.lock)
    fill!(CACHE.places, nothing)
    CACHE.bytes = 0
    unlock(CACHE.lock)
    return nothing
end
