# The plans that `einsum` made, kept for the next call with the same expression, shapes, element type and conjugations.
# Bounded in number and in workspace; looking one up allocates nothing.

mutable struct Remembered
    expression::String
    eltype::DataType
    shapes::Vector{Int}         # rank, extents, rank, extents, …
    conj::Vector{Bool}          # empty where none was given
    plan::ContractionPlan
    last_use::Int
    Remembered(expression, eltype, shapes, conj, @nospecialize(plan), last_use) =
        new(expression, eltype, shapes, conj, plan, last_use)
end

mutable struct PlanCache
    lock::Threads.SpinLock      # held for a look into a table, never while a plan is made
    plans::Dict{UInt,Remembered}
    clock::Int
    bytes::UInt64
end

const CACHE = PlanCache(Threads.SpinLock(), Dict{UInt,Remembered}(), 0, 0)
const CACHED_PLANS = 256
const CACHED_BYTES = UInt64(2)^27
# Planning costs nothing beside arithmetic that needs this much workspace.
const LARGEST_CACHED = CACHED_BYTES ÷ 8

@inline function cached_plan(::Type{T}, expression::String, As, conj) where {T}
    key = fingerprint(hash(expression, hash(conj, objectid(T))), As)
    plan = recall(key, T, expression, As, conj)
    return plan === nothing ? new_plan(key, T, expression, As, conj) : plan
end

@noinline function new_plan(key, T::DataType, expression, @nospecialize(As), @nospecialize(conj))
    made = plan_for(T, expression, lists(map(size, As)), conj, UInt64(0))
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

@inline function recall(key, ::Type{T}, expression, As, conj) where {T}
    lock(CACHE.lock)
    found = get(CACHE.plans, key, nothing)
    if found !== nothing
        found.last_use = (CACHE.clock += 1)
    end
    unlock(CACHE.lock)
    found === nothing && return nothing
    same = found.eltype === T && found.expression == expression && same_conj(found.conj, conj) &&
           same_shapes(found.shapes, 1, As)
    return same ? found.plan : nothing
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
    entry = Remembered(plan.expression, T, shapes, conj === nothing ? Bool[] : Bool[conj...], plan, 0)
    lock(CACHE.lock)
    try
        replaced = pop!(CACHE.plans, key, nothing)
        replaced === nothing || (CACHE.bytes -= replaced.plan.info.peak_bytes)
        length(CACHE.plans) < CACHED_PLANS && CACHE.bytes + plan.info.peak_bytes <= CACHED_BYTES || forget_half!()
        entry.last_use = (CACHE.clock += 1)
        CACHE.plans[key] = entry
        CACHE.bytes += plan.info.peak_bytes
    finally
        unlock(CACHE.lock)
    end
    return nothing
end

# Plans made under other settings.
function forget_plans!()
    lock(CACHE.lock)
    try
        empty!(CACHE.plans)
        CACHE.bytes = 0
    finally
        unlock(CACHE.lock)
    end
    return nothing
end

# Half of the entries and at least half of the bytes: those used longest ago.
function forget_half!()
    kept = length(CACHE.plans) ÷ 2
    for (key, entry) in sort!(collect(CACHE.plans); by = pair -> pair.second.last_use)
        length(CACHE.plans) > kept || CACHE.bytes > CACHED_BYTES ÷ 2 || break
        delete!(CACHE.plans, key)
        CACHE.bytes -= entry.plan.info.peak_bytes
    end
end
