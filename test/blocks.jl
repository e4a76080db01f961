# Block-sparse contractions against dense ones of the same tensors, zeros and all.
using TensorOxide, Test, Random
using TensorOxide: Blocks, OxideVector, contract_blocks, contract_chain

"A tensor of these extents with about this part of its blocks, in any order, with gaps between them."
function random_blocks(rng, T, extents, part)
    all = vec(collect(Iterators.product(map(eachindex, extents)...)))
    present = shuffle(rng, filter(_ -> rand(rng) < part, all))
    offsets, size = Int[], 0
    for block in present
        push!(offsets, size += rand(rng, 0:2))
        size += prod(Int[extents[d][n] for (d, n) in enumerate(block)])
    end
    places = Int[block[d] for d in 1:length(extents), block in present]
    return OxideVector{T}(randn(rng, T, size)), Blocks(extents, places, offsets)
end

block_of(x, A::Blocks, k) = (sizes = Int[A.extents[d][n] for (d, n) in enumerate(A.places[:, k])];
                             reshape(Array(x)[A.offsets[k]+1:A.offsets[k]+prod(sizes)], sizes...))
function dense(x::OxideVector{T}, A::Blocks) where {T}
    D = zeros(T, map(sum, A.extents)...)
    for k in 1:length(A)
        ranges = map(((d, n),) -> sum(A.extents[d][1:n-1]) .+ (1:A.extents[d][n]), enumerate(A.places[:, k]))
        copyto!(view(D, ranges...), block_of(x, A, k))
    end
    return D
end

# Indices are letters of these block extents; labels that both tensors have are summed over.
const INDICES = Dict('a' => [2, 1, 3], 'b' => [1, 2], 'c' => [1, 1, 1], 'd' => [3, 4, 2], 'e' => [1, 2, 1, 3],
                     'f' => [5], 'l' => [30, 40, 20], 'r' => [35, 60], 'm' => [50, 40],
                     'z' => [2, 0, 1])

@testset "$a · $b, $T" for T in (Float32, Float64, ComplexF32, ComplexF64),
                           (a, b) in (("ab", "bd"), ("ba", "db"), ("bac", "cdb"), ("adb", "bfe"), ("abd", "dba"),
                                      ("", ""), ("a", "a"), ("a", "d"), ("", "ab"), ("cadb", "ecfb"), ("adcbe", "ecfa"),
                                      ("lcr", "lec"), ("lr", "rd"), ("lr", "rm"),
                                      ("rlc", "mr"), ("az", "zb"), ("az", "b"), ("f", "fa"))
    rng = MersenneTwister(length(a) + 10length(b))
    both = [label for label in a if label in b]
    labels(x) = Int[label in both ? -findfirst(==(label), both) : Int(label) for label in x]
    for (p, q) in ((1.0, 1.0), (0.5, 0.6), (0.2, 1.0), (0.0, 1.0))
        x, A = random_blocks(rng, T, Vector{Int}[INDICES[label] for label in a], p)
        y, B = random_blocks(rng, T, Vector{Int}[INDICES[label] for label in b], q)
        z, C = contract_blocks(x, A, labels(a), y, B, labels(b))
        open = join([label for label in a * b if !(label in both)])
        D, E = dense(x, A), dense(y, B)
        # Of each element the error is of the order of the sum of its terms' sizes.
        F = zeros(T, map(sum, C.extents)...)
        einsum!(F, "$a,$b->$open", D, E)
        @test isapprox(dense(z, C), F; atol = 100eps(real(T)) * (1 + maximum(abs, [F[:]; 0])))
        # As many blocks as pairs of blocks can contribute to, each once, one after another.
        pairs = [(k, l) for k in 1:length(A), l in 1:length(B) if
                 all(label -> A.places[findfirst(label, a), k] == B.places[findfirst(label, b), l], both)]
        part(P, x, k) = Int[P.places[d, k] for (d, label) in enumerate(x) if !(label in both)]
        @test sort(unique([[part(A, a, k); part(B, b, l)] for (k, l) in pairs])) ==
              sort([C.places[:, k] for k in 1:length(C)])
        @test sum(Int[length(block_of(z, C, k)) for k in 1:length(C)]) == length(z)
    end
end

@testset "chains, $T" for T in (Float64, ComplexF32)
    rng = MersenneTwister(3)
    for terms in (["lcr"], ["lcr", "le"], ["ab", "bd", "da"], ["ad", "abc", "bce", "de"], ["ald", "lr", "rcb", "bed"])
        made = map(term -> random_blocks(rng, T, Vector{Int}[INDICES[label] for label in term], 0.7), terms)
        for _ in 1:2        # on memory with something in it
            names, z, C = contract_chain([(collect(term), x, A) for (term, (x, A)) in zip(terms, made)])
            F = zeros(T, map(sum, C.extents)...)
            einsum!(F, join(terms, ',') * "->" * join(names), map(x -> dense(x...), made)...)
            @test isapprox(dense(z, C), F; atol = 1000eps(real(T)) * (1 + maximum(abs, F)))
        end
    end
end

@testset "errors" begin
    x, A = OxideVector{Float64}(ones(6)), Blocks([[2], [3]], reshape([1, 1], 2, 1), [0])
    @test_throws DimensionMismatch contract_blocks(x, A, [1, -1], x, A, [-1, 2])
    @test_throws BoundsError contract_blocks(x, Blocks(A.extents, A.places, [1]), [1, -1], x, A, [2, -1])
    @test_throws OverflowError contract_blocks(x, Blocks(fill(fill(1, 9), 20), ones(Int, 20, 1), [0]), collect(1:20),
                                               x, A, [21, 22])
end
