# Integer labels, as in `((1, 2), (2, 3)) => (1, 3)`: written as the expression `{1}{2},{2}{3}->{1}{3}`, which is what
# plans are made from and kept by. The text of the labels that were used lately is remembered, so that a repeated call
# neither writes it again nor allocates.

mutable struct Written
    labels::Vector{Int}         # number of operands; length, labels, length, labels, …; those of the output last
    text::String
end

const WRITTEN = Dict{UInt,Written}()
const WRITTEN_LOCK = Threads.SpinLock()     # held for a look into the table
const MOST_WRITTEN = 256

@inline text(expression::AbstractString) = String(expression)
@inline text(expression::PlainText) = expression
@inline function text(labels::Pair)
    key = mix_all(mix_label(zero(UInt), length(first(labels))), first(labels))
    key = mix(key, last(labels))
    lock(WRITTEN_LOCK)
    found = get(WRITTEN, key, nothing)
    unlock(WRITTEN_LOCK)
    found === nothing || !same_labels(found.labels, labels) || return found.text
    return write_labels(key, labels)
end

@inline mix_label(h::UInt, label::Integer) = (h = (h ⊻ (label % UInt)) * (0x9e3779b97f4a7c15 % UInt); h ⊻ h >> 32)
@inline function mix(h::UInt, labels)
    for label in labels
        h = mix_label(h, label)
    end
    return mix_label(h, length(labels))
end
# Refused when it is written.
mix(h::UInt, ::Number) = h
mix_label(h::UInt, label) = h
@inline mix_all(h, ::Tuple{}) = h
@inline mix_all(h, operands::Tuple) = mix_all(mix(h, first(operands)), tail(operands))
mix_all(h, operands) = foldl(mix, operands; init = h)

@inline same_labels(kept, labels::Pair) =
    kept[1] == length(first(labels)) && same(kept, same_all(kept, 2, first(labels)), last(labels)) == length(kept) + 1
# The place after these labels' record, 0 if other labels are recorded there.
@inline function same(kept, at, labels)
    0 < at <= length(kept) && kept[at] == length(labels) || return 0
    for label in labels
        kept[at+=1] == label || return 0
    end
    return at + 1
end
@inline same_all(kept, at, ::Tuple{}) = at
@inline same_all(kept, at, operands::Tuple) = same_all(kept, same(kept, at, first(operands)), tail(operands))
function same_all(kept, at, operands)
    for labels in operands
        at = same(kept, at, labels)
    end
    return at
end

@noinline function write_labels(key::UInt, @nospecialize(labels::Pair))
    operands = Vector{Int}[integers(l, "operand $k") for (k, l) in enumerate(first(labels))]
    output = integers(last(labels), "the output")
    isempty(operands) && throw(ArgumentError("the labels $labels have no operand"))
    braced(list) = join(string('{', label, '}') for label in list)
    written = string(join(map(braced, operands), ','), "->", braced(output))
    kept = Int[length(operands)]
    for list in (operands..., output)
        append!(push!(kept, length(list)), list)
    end
    lock(WRITTEN_LOCK)
    try
        length(WRITTEN) < MOST_WRITTEN || empty!(WRITTEN)
        WRITTEN[key] = Written(kept, written)
    finally
        unlock(WRITTEN_LOCK)
    end
    return written
end

function integers(@nospecialize(labels), what)
    labels isa Union{Tuple,AbstractVector} && all(label -> label isa Integer, labels) && return Int[labels...]
    throw(ArgumentError("the labels of $what are $(repr(labels)); a tuple or vector of integers is needed, as in " *
                        "((1, 2), (2, 3)) => (1, 3)"))
end

contraction_plan(labels::Pair, @nospecialize(shapes); kwargs...) = contraction_plan(text(labels), shapes; kwargs...)
