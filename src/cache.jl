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
    semiring::Int32             # its code
    eltype::DataType
    shapes::Vector{Int}         # rank, extents, rank, extents, …
    conj::Vector{Bool}          # empty where none was given
    plan::ContractionPlan
    used::Bool                  # since a writer last looked for room
    Remembered(key, expression, eltype, shapes, conj, @nospecialize(plan)) =
        new(key, expression, code(plan.semiring), eltype, shapes, conj, plan, true)
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

@inline function cached_plan(semiring, ::Type{T}, expression::PlainText, As, conj) where {T}
    key = fingerprint(hash(expression, hash(conj, objectid(T) ⊻ UInt(code(semiring)))), As)
    plan = recall(key, semiring, T, expression, As, conj)
    return plan === nothing ? new_plan(key, T, expression, As, conj, semiring) : plan
end

@noinline function new_plan(key, T::DataType, expression, @nospecialize(As), @nospecialize(conj), semiring)
    made = plan_for(T, String(expression), lists(map(size, As)), conj, UInt64(0), PathSearch(), nothing, semiring)
    remember!(key, made, T, conj)
    return made
end

@inline fingerprint(h, ::Tuple{}) = h
@inline fingerprint(h, As::Tuple) = fingerprint(mixed(h, first(As)), tail(As))
fingerprint(h, As::Vector{Any}) = foldl(mixed, As; init = h)

@inline function mixed(h::UInt, A::AbstractArray{T,N}) where {T,N}
    for d in 1:N
        h = (h ⊻ size(A, d)) * (0x9e3779b97f4a7c15 % UInt)
    end
    return h ⊻ h >> 32 ⊻ N
end

# The places of a key.
@inline places(key) = (first = Int(key % UInt(CACHED_PLANS ÷ PLACES)) * PLACES; first+1:first+PLACES)

@inline function recall(key, semiring, ::Type{T}, expression, As, conj) where {T}
    for place in places(key)
        found = @inbounds CACHE.places[place]
        found === nothing && continue
        found.key == key && found.eltype === T && found.semiring == code(semiring) &&
            found.expression == expression && same_conj(found.conj, conj) && same_shapes(found.shapes, 1, As) || continue
        # Written only where it changes, so that threads that use one plan do not take the memory from each other.
        found.used || (found.used = true)
        return found.plan
    end
    return nothing
end

@inline same_conj(kept, ::Nothing) = isempty(kept)
@inline function same_conj(kept, conj)
    length(kept) == length(conj) || return false
    for k in eachindex(kept)
        kept[k] == conj[k] || return false
    end
    return true
end

@inline same_shapes(shapes, at, ::Tuple{}) = at == length(shapes) + 1
@inline function same_shapes(shapes, at, As::Tuple)
    next = same_shape(shapes, at, size(first(As)))
    return next != 0 && same_shapes(shapes, next, tail(As))
end
function same_shapes(shapes, at, As::Vector{Any})
    for A in As
        at = same_shape(shapes, at, size(A))
        at == 0 && return false
    end
    return at == length(shapes) + 1
end

# The place after this shape's record, 0 if another shape is recorded there.
@inline function same_shape(shapes, at, size::Dims{N}) where {N}
    at + N <= length(shapes) && shapes[at] == N || return 0
    for d in 1:N
        shapes[at+d] == size[d] || return 0
    end
    return at + N + 1
end

function remember!(key, @nospecialize(plan::ContractionPlan), T::DataType, @nospecialize(conj))
    plan.info.peak_bytes <= LARGEST_CACHED || return nothing
    shapes = Int[]
    for size in plan.sizes
        push!(shapes, length(size))
        append!(shapes, size)
    end
    entry = Remembered(key, plan.expression, T, shapes, conj === nothing ? Bool[] : Bool[conj...], plan)
    lock(CACHE.lock)
    try
        put!(CACHE, vacate!(CACHE, key), entry)
        while CACHE.bytes > CACHED_BYTES
            forget_one!(CACHE, key)
        end
    finally
        unlock(CACHE.lock)
    end
    return nothing
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
