# Contractions of block-sparse tensors, as those with quantum numbers are. Their blocks are small and many: a product
# for each pair that meets takes longer to call than to compute. So the blocks that are summed over together are put
# side by side, as sectors, and each sector is one product of matrices.

"""
The blocks of a tensor: `extents[d][n]` is that of block `n` of index `d`; each block of the tensor has a column of
`places`, the blocks of the indices that it lies in, and an entry of `offsets`, the elements before it in the data,
where its first index is fastest.
"""
struct Blocks
    extents::Vector{Vector{Int}}
    places::Matrix{Int}
    offsets::Vector{Int}
end
Base.length(A::Blocks) = length(A.offsets)

"The blocks of a tensor along some of its indices together: for each its extent, and a number to tell them apart by."
struct Along
    numbers::Vector{Int}
    extents::Vector{Int}
end
function Along(A::Blocks, indices)
    along = Along(zeros(Int, length(A)), ones(Int, length(A)))
    step = 1
    for d in indices
        for k in 1:length(A)
            n = A.places[d, k]
            along.numbers[k] += step * (n - 1)
            along.extents[k] *= A.extents[d][n]
        end
        step = Base.checked_mul(step, max(1, length(A.extents[d])))
    end
    return along
end

"Rows, columns or sums of a matrix: `blocks` of a tensor, one for each number; where they start, and the end."
struct Axis
    blocks::Vector{Int}
    numbers::Vector{Int}
    starts::Vector{Int}
end
function Axis(along::Along, blocks)
    blocks = sort(blocks; by = k -> along.numbers[k])
    blocks = blocks[map(first, runs(along.numbers[blocks]))]
    return Axis(blocks, along.numbers[blocks], [0; cumsum(along.extents[blocks])])
end
Base.length(axis::Axis) = length(axis.blocks)
extent(axis::Axis) = last(axis.starts)
extent(axis::Axis, k) = axis.starts[k+1] - axis.starts[k]
start(axis::Axis, number) = axis.starts[searchsortedfirst(axis.numbers, number)]

"An operand, as a matrix of blocks: its open indices by those that are summed over."
struct Operand{T}
    data::OxideVector{T}
    blocks::Blocks
    open::Vector{Int}
    summed::Vector{Int}
    free::Along
    sums::Along
end
Operand(data, blocks, open, summed) =
    Operand(data, blocks, open, summed, Along(blocks, open), Along(blocks, summed))

"Blocks of A and all their partners in B: every row of A has blocks for all of `sums`."
struct Sector
    A::Vector{Int}
    B::Vector{Int}
    rows::Axis
    sums::Axis
    columns::Axis
end

"""
    contract_blocks(a::OxideVector, A::Blocks, labelsA, b::OxideVector, B::Blocks, labelsB) -> c, C

Contract two block-sparse tensors, with the data `a` and `b`, over the labels below zero, which both have. The result
has the other indices of A and then those of B, and the blocks to which a pair of blocks contributes. Its data may be
made by `new`, of the element type and their number.

Throws a `DimensionMismatch` where the blocks to be summed over differ in number or extent.
"""
function contract_blocks(a::OxideVector{T}, A::Blocks, labelsA::Vector{Int}, b::OxideVector{T}, B::Blocks,
                         labelsB::Vector{Int}, new = fresh) where {T<:Element}
    summedA = findall(<(0), labelsA)
    summedB = Int[findfirst(==(labelsA[d]), labelsB) for d in summedA]
    A.extents[summedA] == B.extents[summedB] || throw(DimensionMismatch(
        "the blocks to be summed over have extents $(A.extents[summedA]) and $(B.extents[summedB])"))
    left = Operand(a, A, findall(>(0), labelsA), summedA)
    right = Operand(b, B, findall(>(0), labelsB), summedB)
    sectors = find_sectors(left, right)
    C, size = result(sectors, left, right)
    c, at = new(T, size)::OxideVector{T}, 0
    for sector in sectors
        at = multiply!(c, at, sector, left, right)
    end
    return c, C
end

"""
    contract_chain(tensors) -> names, c, C

Contract the first of some block-sparse tensors with the second, the result with the third, and so on, over the names
that they have in common: each is a tuple of the names of its indices, its data and its `Blocks`. What is between the
first and the last product lies in memory that the task uses again.
"""
function contract_chain(tensors)
    names, a, A = first(tensors)
    for k in 2:length(tensors)
        others, b, B = tensors[k]
        labelsA = Int[name in others ? -findfirst(==(name), others) : 1 for name in names]
        labelsB = Int[name in names ? -d : d for (d, name) in enumerate(others)]
        a, A = contract_blocks(a, A, labelsA, b, B, labelsB, k == length(tensors) ? fresh : k % 2 == 0 ? even : odd)
        names = [names[findall(>(0), labelsA)]; others[findall(>(0), labelsB)]]
    end
    return names, a, A
end
fresh(::Type{T}, size) where {T} = OxideVector{T}(undef, size)
even(::Type{T}, size) where {T} = OxideVector{T}(buffer(T, size, 1), 0, (size,))
odd(::Type{T}, size) where {T} = OxideVector{T}(buffer(T, size, 2), 0, (size,))

function find_sectors(A::Operand, B::Operand)
    partners = Dict{Int,Vector{Int}}()
    for k in 1:length(B.blocks)
        push!(get!(Vector{Int}, partners, B.sums.numbers[k]), k)
    end
    met = filter(k -> haskey(partners, A.sums.numbers[k]), 1:length(A.blocks))
    sort!(met; by = k -> (A.free.numbers[k], A.sums.numbers[k]))
    found, blocks = Dict{Vector{Int},Int}(), Vector{Int}[]
    for row in runs(A.free.numbers[met])
        sector = get!(() -> length(push!(blocks, Int[])), found, A.sums.numbers[met[row]])
        append!(blocks[sector], met[row])
    end
    return map(blocks) do ofA
        sums = Axis(A.sums, ofA)
        ofB = mapreduce(number -> partners[number], vcat, sums.numbers)
        return Sector(ofA, ofB, Axis(A.free, ofA), sums, Axis(B.free, ofB))
    end
end

"The ranges of equal neighbours."
function runs(x)
    ranges, first = UnitRange{Int}[], 1
    for k in 1:length(x)
        k < length(x) && x[k] == x[k+1] && continue
        push!(ranges, first:k)
        first = k + 1
    end
    return ranges
end

"The blocks of the result, and its number of elements. Those of a row come one after another: together a matrix."
function result(sectors, A::Operand, B::Operand)
    count = mapreduce(sector -> length(sector.rows) * length(sector.columns), +, sectors; init = 0)
    places = Matrix{Int}(undef, length(A.open) + length(B.open), count)
    offsets = Vector{Int}(undef, count)
    k = size = 0
    for sector in sectors, (r, row) in enumerate(sector.rows.blocks), (s, column) in enumerate(sector.columns.blocks)
        offsets[k+=1] = size
        size += extent(sector.rows, r) * extent(sector.columns, s)
        for (d, index) in enumerate(A.open)
            places[d, k] = A.blocks.places[index, row]
        end
        for (d, index) in enumerate(B.open)
            places[length(A.open)+d, k] = B.blocks.places[index, column]
        end
    end
    return Blocks([A.blocks.extents[A.open]; B.blocks.extents[B.open]], places, offsets), size
end

# Rows with so many multiplications are worth a product each, which writes the result where it belongs.
const LARGE_ROW = 48^3

"Write the sector's part of the result behind `c[at]`; return where it ends."
function multiply!(c::OxideVector{T}, at, sector::Sector, A::Operand{T}, B::Operand{T}) where {T}
    rows, columns, summed = extent(sector.rows), extent(sector.columns), extent(sector.sums)
    apart = length(sector.rows) == 1 || rows * columns * summed > LARGE_ROW * length(sector.rows)
    memory = buffer(T, summed * (rows + columns) + (apart ? 0 : rows * columns))
    a, labelsA = stacked!(memory, 0, A, sector.A, sector.rows, sector.sums, 1)
    b, labelsB = stacked!(memory, length(a), B, sector.B, sector.columns, sector.sums, 2)
    if apart
        for r in 1:length(sector.rows)
            range = sector.rows.starts[r]+1:sector.rows.starts[r+1]
            x = first(labelsA) == 1 ? view(a, range, :) : view(a, :, range)
            y = OxideMatrix{T}(c.memory, c.offset + at + (first(range) - 1) * columns, (length(range), columns))
            contract!(y, (1, 2), x, labelsA, b, labelsB, true, false)
        end
    else
        product = OxideMatrix{T}(memory, length(a) + length(b), (rows, columns))
        contract!(product, (1, 2), a, labelsA, b, labelsB, true, false)
        for r in 1:length(sector.rows)
            m = extent(sector.rows, r)
            for column in 0:columns-1
                copyto!(c.memory, c.offset + at + sector.rows.starts[r] * columns + column * m + 1,
                        memory, product.offset + column * rows + sector.rows.starts[r] + 1, m)
            end
        end
    end
    return at + rows * columns
end

"""
Blocks of an operand as one matrix in `memory` behind `at`, and its labels: `label` for the open indices, 3 for those
that are summed over. First comes the one that is first in the tensor too, so that runs of elements stay runs.
"""
function stacked!(memory::Vector{T}, at, A::Operand{T}, blocks, free::Axis, sums::Axis, label) where {T}
    m, k = extent(free), extent(sums)
    first_index = findfirst(extents -> any(>(1), extents), A.blocks.extents)
    turned = first_index !== nothing && first_index in A.summed
    down, right = turned ? (k, 1) : (1, m)
    length(blocks) == length(free) * length(sums) || fill!(view(memory, at+1:at+m*k), zero(T))
    loops, strides = Tuple{Int,Int}[], zeros(Int, length(A.blocks.extents))
    for block in blocks
        size = A.free.extents[block] * A.sums.extents[block]
        size == 0 && continue
        offset = A.blocks.offsets[block]
        checkbounds(A.data, offset+1:offset+size)
        to = at + down * start(free, A.free.numbers[block]) + right * start(sums, A.sums.numbers[block])
        find_loops!(loops, strides, A, block, down, right)
        copy_block!(memory, to, A.data.memory, A.data.offset + offset, loops, length(loops), size)
    end
    matrix = OxideMatrix{T}(memory, at, turned ? (k, m) : (m, k))
    return matrix, turned ? (3, label) : (label, 3)
end

"""
The extents of a block's indices, and their strides in a matrix where one more of the open ones is `down` elements away,
and one more of those summed over `right`; those that go together as one.
"""
function find_loops!(loops, strides, A::Operand, block, down, right)
    extents(d) = A.blocks.extents[d][A.blocks.places[d, block]]
    for d in A.open
        strides[d] = down
        down *= extents(d)
    end
    for d in A.summed
        strides[d] = right
        right *= extents(d)
    end
    empty!(loops)
    for (d, stride) in enumerate(strides)
        n = extents(d)
        n == 1 && continue
        if !isempty(loops) && stride == prod(last(loops))
            loops[end] = (first(last(loops)) * n, last(last(loops)))
        else
            push!(loops, (n, stride))
        end
    end
    return loops
end

"Copy `size` elements to the places that the first `depth` of `loops`, of an extent and a stride, lead to."
function copy_block!(to, at, from, start, loops, depth, size)
    if depth == 0
        @inbounds to[at+1] = from[start+1]
        return nothing
    end
    n, stride = @inbounds loops[depth]
    if depth > 1
        size ÷= n
        for i in 0:n-1
            copy_block!(to, at + i * stride, from, start + i * size, loops, depth - 1, size)
        end
    elseif stride == 1
        @inbounds @simd for i in 1:n
            to[at+i] = from[start+i]
        end
    else
        @inbounds for i in 0:n-1
            to[at+i*stride+1] = from[start+i+1]
        end
    end
    return nothing
end

# Memory that the task finds again, unless it is large. Of several of one type each has a number.
const LARGEST_BUFFER = 1 << 26
function buffer(::Type{T}, count, number = 0) where {T}
    count * sizeof(T) > LARGEST_BUFFER && return Vector{T}(undef, count)
    kept = get!(() -> T[], task_local_storage(), (:TensorOxide_blocks, T, number))::Vector{T}
    return length(kept) < count ? resize!(kept, count) : kept
end
