# Positions instead of names: TensorOperations and TensorKit say which indices of two tensors meet, and in which order
# the others stay, by tuples of positions. Here they become the labels that `einsum!` takes. Plain functions of tuples,
# which the compiler can do beforehand where the positions are literal.

"The labels of a tensor whose indices have one each: 1, 2, …"
@inline own_labels(::Val{N}) where {N} = ntuple(identity, Val(N))

"""
    add_labels(p)

Labels of `C = permutedims(A, p)`.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.add_labels((3, 1, 2))
((1, 2, 3),) => (3, 1, 2)
```
"""
@inline add_labels(p::NTuple{N,Int}) where {N} = (own_labels(Val(N)),) => p

"""
    trace_labels(p, q)

Labels of the partial trace of `A` that sums over index `q[1][k]` together with index `q[2][k]` for each `k`, and keeps
the indices `p` in this order.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.trace_labels((2,), ((1,), (3,)))
((1, 2, 1),) => (2,)
```
"""
@inline function trace_labels(p::NTuple{N,Int}, q::Tuple{NTuple{K,Int},NTuple{K,Int}}) where {N,K}
    label(i) = partner(i, q[2], q[1], i)
    return (map(label, own_labels(Val(N + 2K))),) => p
end

"""
    contract_labels(pA, pB, pC)

Labels of the contraction that sums over index `pA[2][k]` of `A` together with index `pB[1][k]` of `B` for each `k`.
What is left, the indices `pA[1]` of `A` and then `pB[2]` of `B`, comes in the order `pC`.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.contract_labels(((1, 2), (3,)), ((1,), (2,)), (1, 3, 2))
((1, 2, 3), (3, 5)) => (1, 5, 2)
```
"""
@inline function contract_labels(pA::Tuple{NTuple{N,Int},NTuple{K,Int}}, pB::Tuple{NTuple{K,Int},NTuple{M,Int}},
                                 pC::Tuple{Vararg{Int}}) where {N,K,M}
    label(j) = partner(j, pB[1], pA[2], N + K + j)
    labelsB = map(label, own_labels(Val(K + M)))
    open = (pA[1]..., map(j -> N + K + j, pB[2])...)
    return (own_labels(Val(N + K)), labelsB) => map(n -> open[n], pC)
end

# What `to` has where `from` has `i`; else `otherwise`.
@inline function partner(i::Int, from::NTuple{K,Int}, to::NTuple{K,Int}, otherwise::Int) where {K}
    for k in 1:K
        from[k] == i && return to[k]
    end
    return otherwise
end

"""
    on_diagonals(labels, C, As)

The same contraction with each `Diagonal` among the operands `As` and the output `C` given by the vector of its
diagonal: its two labels become one, everywhere. Returns the labels and those arrays.

Throws an `ArgumentError` if the result is not diagonal and `C` is.
"""
@inline on_diagonals(labels::Pair, C, As::Tuple) =
    any_diagonal(C, As...) ? unite_diagonals(labels, C, As) : (labels, C, As)

@inline any_diagonal() = false
@inline any_diagonal(::Diagonal, rest...) = true
@inline any_diagonal(A, rest...) = any_diagonal(rest...)

@inline function unite_diagonals(labels::Pair, C, As::Tuple)
    operands, output = united(first(labels), last(labels), As)
    kept = map(kept_labels, operands, As)
    C isa Diagonal || return kept => output, C, map(content, As)
    output[1] == output[2] || throw(ArgumentError(
        "the output is a Diagonal, but the result has elements beside the diagonal; pass an Array"))
    return kept => (output[1],), content(C), map(content, As)
end

# Operand by operand, the second label of a diagonal gives way to the first.
@inline function united(operands::Tuple, output, As::Tuple)
    K = length(As)
    for k in 1:K
        As[k] isa Diagonal || continue
        kept, gone = operands[k][1], operands[k][2]
        rename(label) = label == gone ? kept : label
        operands, output = map(list -> map(rename, list), operands), map(rename, output)
    end
    return operands, output
end
@inline kept_labels(labels, A) = labels
@inline kept_labels(labels, ::Diagonal) = (labels[1],)
@inline content(A) = A
@inline content(A::Diagonal) = A.diag
