# Expressions in the frame of a call. Integer labels, as in `((1, 2), (2, 3)) => (1, 3)`, are written there as words: the
# number of operands; then for each operand, and for the output last, the number of its labels and these. As a text, which
# plans are made from, they are `{1}{2},{2}{3}->{1}{3}`.

@inline text(expression::AbstractString) = String(expression)
@inline text(expression::PlainText) = expression
@noinline text(labels::Pair) = written(words_of(labels))

function words_of(labels::Pair)
    list = Vector{Int64}(undef, words(labels))
    GC.@preserve list store!(pointer(list), labels)
    return list
end

@inline words(::AbstractString) = 0
@inline words(labels::Pair) = 1 + words_of_all(first(labels)) + 1 + length(last(labels))
@inline words_of_all(::Tuple{}) = 0
@inline words_of_all(operands::Tuple) = 1 + length(first(operands)) + words_of_all(tail(operands))
words_of_all(operands) = mapreduce(labels -> 1 + length(labels), +, operands; init = 0)

"Write the labels; return what room is left behind them."
@inline store!(room::Ptr{Int64}, ::AbstractString) = room
@inline function store!(room::Ptr{Int64}, labels::Pair)
    unsafe_store!(room, length(first(labels)))
    return store_list!(store_all!(room + 8, first(labels), 1), last(labels), OUTPUT)
end
@inline store_all!(room, ::Tuple{}, k) = room
@inline store_all!(room, operands::Tuple, k) = store_all!(store_list!(room, first(operands), k), tail(operands), k + 1)
function store_all!(room, operands, k)
    for labels in operands
        room = store_list!(room, labels, k)
        k += 1
    end
    return room
end
@inline function store_list!(room, labels::NTuple{N,Integer}, who) where {N}
    unsafe_store!(room, N)
    unsafe_store!(convert(Ptr{NTuple{N,Int64}}, room + 8), map(Int64, labels))
    return room + 8(N + 1)
end
function store_list!(room, labels::AbstractVector, who)
    unsafe_store!(room, length(labels))
    for label in labels
        label isa Integer || throw_labels(labels, who)
        unsafe_store!(room += 8, Int64(label))
    end
    return room + 8
end
store_list!(room, labels, who) = throw_labels(labels, who)
@noinline throw_labels(labels, who) = throw(ArgumentError(string("the labels of ", name(who), " are ", repr(labels),
    "; a tuple or vector of integers is needed, as in ((1, 2), (2, 3)) => (1, 3)")))

function written(words::Vector{Int64})
    first(words) > 0 || throw(ArgumentError("there are labels of an output, but of no operand"))
    out = IOBuffer()
    at = 1
    for k in 0:first(words)
        k == 0 || print(out, k == first(words) ? "->" : ",")
        for label in view(words, at+1+1:at+1+words[at+1])
            print(out, '{', label, '}')
        end
        at += 1 + words[at+1]
    end
    return String(take!(out))
end

contraction_plan(labels::Pair, @nospecialize(shapes); kwargs...) = contraction_plan(text(labels), shapes; kwargs...)

"Labels of any kind as integers, in the order of their first appearance, as in `((1, 2), (2, 3)) => (1, 3)`."
function numbered(inputs, output)
    numbers = Dict{Any,Int}()
    list(labels) = Int[get!(numbers, label, length(numbers) + 1) for label in labels]
    operands = Vector{Int}[list(labels) for labels in inputs]
    return operands => list(output)
end
