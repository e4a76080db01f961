# Contractions by plain loops over all index values: slow, short, and independent of the engine. It knows the notation
# only as the written standard defines it.

"The label lists of an expression, `...` filled in: one `Vector{Int}` per operand, and the output's."
function labels(expression, ranks)
    sides = split(filter(c -> !(isascii(c) && isspace(c) || c in "()"), expression), "->")
    terms = [tokens(term) for term in split(sides[1], ',')]
    hidden = [ELLIPSIS in term ? rank - length(term) + 1 : 0 for (term, rank) in zip(terms, ranks)]
    inputs = [fill_in(term, n) for (term, n) in zip(terms, hidden)]
    length(sides) == 2 && return inputs, fill_in(tokens(sides[2]), maximum(hidden))
    # Without an arrow: what the ellipsis stands for, then the labels that occur once.
    occurrences = reduce(vcat, inputs; init = Int[])
    once = filter(label -> label >= 0 && count(isequal(label), occurrences) == 1, unique(occurrences))
    return inputs, [-maximum(hidden):-1; sort!(once)]
end

# A label as a number: a character is its code point, an integer in braces comes after all of them. Negative numbers
# stand for the indices behind an ellipsis; the last one is the last in every term.
const ELLIPSIS = typemin(Int)
tokens(term) = Int[number_of(match.match) for match in eachmatch(r"\.\.\.|\{.*?\}|."s, term)]
number_of(token) = token == "..." ? ELLIPSIS :
    startswith(token, '{') ? 2^32 + parse(Int, token[2:end-1]) : Int(only_character(token))
only_character(token) = (@assert length(token) == 1; first(token))
fill_in(term, n) = reduce(vcat, [label == ELLIPSIS ? collect(-n:-1) : [label] for label in term]; init = Int[])

# Everything below works on flat vectors of ComplexF64, whatever the arrays are, so that it is compiled once.
function flat(@nospecialize A)
    x = Vector{ComplexF64}(undef, length(A))
    for (i, a) in enumerate(A)
        x[i] = a
    end
    return x
end

"""
    reference(expression, As; conj) -> value, magnitude, shape, terms

The contraction, and the sum of the magnitudes of the terms of each entry, both flat; the result's shape; the number of
terms.
"""
function reference(expression, @nospecialize(As); @nospecialize(conj = fill(false, length(As))))
    inputs, output = labels(expression, Int[ndims(A) for A in As])
    sizes = Dict{Int,Int}()
    for (term, A) in zip(inputs, As), (label, n) in zip(term, size(A))
        sizes[label] = get(sizes, label, 1) == 1 ? n : sizes[label]
    end
    # Output labels first, so that each entry's terms are summed together.
    order = [unique(output); setdiff(sort!(collect(keys(sizes))), output)]
    extents = Int[sizes[label] for label in order]
    shape = Int[sizes[label] for label in output]
    value, magnitude = zeros(ComplexF64, prod(shape)), zeros(prod(shape))
    data = Vector{ComplexF64}[c ? Base.conj.(flat(A)) : flat(A) for (A, c) in zip(As, conj)]
    strides = Vector{Int}[strides_by_label(term, Int[size(A)...], order) for (term, A) in zip(inputs, As)]
    accumulate_terms!(value, magnitude, data, strides, strides_by_label(output, shape, order), extents)
    return value, magnitude, shape, prod(extents[length(unique(output))+1:end])
end

# How far each label moves in an array of this size. One that occurs twice moves along the diagonal; one of extent 1,
# which goes with any other, does not move.
function strides_by_label(term, size, order)
    moves = zeros(Int, length(order))
    step = 1
    for (label, n) in zip(term, size)
        n == 1 || (moves[findfirst(isequal(label), order)] += step)
        step *= n
    end
    return moves
end

function accumulate_terms!(value, magnitude, data, strides, out, extents)
    index = zeros(Int, length(extents))
    for _ in 1:prod(extents)
        x = one(ComplexF64)
        for (a, s) in zip(data, strides)
            x *= a[1+dot_product(index, s)]
        end
        at = 1 + dot_product(index, out)
        value[at] += x
        magnitude[at] += abs(x)
        for d in eachindex(index)
            (index[d] += 1) < extents[d] && break
            index[d] = 0
        end
    end
end
dot_product(x, y) = (s = 0; for k in eachindex(x); s += x[k] * y[k]; end; s)

"""
    deviation(C, expression, As; conj, α, β, C₀)

How far `C` is from `α·contraction + β·C₀`, in units of what rounding allows. In whatever order `n` terms of `m` factors
are multiplied and summed, each entry is off by at most about `(n + m)·eps` times the sum of the magnitudes of its
terms; complex products cost up to 2√2 as much; twice that for the reference itself; two more roundings for α and β. So
≤ 1 is right, and a wrong term is far above.
"""
function deviation(@nospecialize(C), expression, @nospecialize(As); @nospecialize(conj = fill(false, length(As))),
                   α = 1, β = 0, @nospecialize(C₀ = C))
    value, magnitude, shape, terms = reference(expression, As; conj = conj)
    shape == Int[size(C)...] || return Inf
    ε = eps(real(eltype(C)))
    return largest_deviation(flat(C), value, magnitude, 6 * (terms + length(As) + 2) * ε, ComplexF64(α), ComplexF64(β),
                             iszero(β) ? value : flat(C₀))
end

function largest_deviation(C, value, magnitude, allowed, α, β, C₀)
    worst = 0.0
    for k in eachindex(C)
        expected, scale = α * value[k], abs(α) * magnitude[k]
        iszero(β) || (expected += β * C₀[k]; scale += abs(β * C₀[k]))
        off = abs(C[k] - expected)
        off == 0 || (worst = max(worst, off / (allowed * scale)))
        isnan(off) && return Inf
    end
    return worst
end
