# Decompositions and solves beside LinearAlgebra on the BLAS that the engine is lent, NumPy and PyTorch: square, tall
# and wide matrices, and stacks of small ones. All return new arrays; peers get their matrices column-major, as LAPACK
# wants them. The truncated singular value decomposition is timed beside the whole one.

function linalg(peers, threads)
    peers = filter(row_major, peers)
    heading("Linear algebra, threads = $threads; LinearAlgebra on OpenBLAS with $(openblas_kernels()) kernels",
            ["best peer/us", "us, µs", "LinearAlgebra", (peer.name for peer in peers)...])
    ratios = Pair{String,Float64}[]
    for T in (Float64, ComplexF64), operation in OPERATIONS, size in sizes(operation)
        compare_decomposition!(ratios, peers, operation, T, size)
    end
    verdict(ratios; least = 1.0)
    small = filter(pair -> occursin("4×4", first(pair)) || occursin("16×16", first(pair)), ratios)
    println("of n ≤ 16 and of stacks:")
    verdict(small; least = 2.0)
    is_chosen("truncated svd") && truncated_svd()
end

"Is a row with this label asked for?"
function is_chosen(label)
    words = split(get(ENV, "BENCHMARK_MATCH", ""), ','; keepempty = false)
    return isempty(words) || any(word -> occursin(word, label), words)
end

# What is computed, by us, by LinearAlgebra for one matrix, and what of the result has one value whoever computed it.
struct Operation
    name::String
    ours::Function
    theirs::Function
    shown::Function
end

const OPERATIONS = [
    Operation("svd", A -> TensorOxide.svd_compact(A), svd, r -> r[2]),
    Operation("qr", A -> TensorOxide.qr_compact(A), A -> (f = qr(A); (Matrix(f.Q), f.R)), r -> abs.(diagonals(r[2]))),
    Operation("eigh", A -> TensorOxide.eigh_full(A), A -> eigen(Hermitian(A)), first),
    Operation("eig", A -> TensorOxide.eig_full(A), eigen, r -> moduli(r[1])),
    Operation("solve", TensorOxide.solve, \, identity),
]
moduli(w) = mapslices(sort, abs.(w); dims = 1)
diagonals(R) = [R[i, i, k] for i in 1:min(size(R, 1), size(R, 2)), k in 1:size(R, 3)]

# An eigensystem of 1024 takes every library many seconds: BENCHMARK_LARGEST=1024 asks for it.
function sizes(operation)
    most = parse(Int, get(ENV, "BENCHMARK_LARGEST", operation.name == "eig" ? "256" : "1024"))
    square = [(n, n) for n in (4, 16, 64, 256, 1024) if n <= most]
    oblong = [shape for n in (4, 16, 64, 256) for shape in ((4n, n), (n, 4n))]
    stacks = operation.name == "svd" ? [(4, 4, 100_000), (16, 16, 1000)] : [(4, 4, 10_000)]
    operation.name in ("svd", "qr") && return [square; oblong; stacks]
    return operation.name == "solve" ? square : [square; stacks]
end

function compare_decomposition!(ratios, peers, operation, ::Type{T}, size) where {T}
    operation.name == "eig" && !isdefined(TensorOxide, :eig_full) && return
    label = string(operation.name, ' ', join(size, '×'), ", ", T)
    is_chosen(label) || return
    operands = samples(operation, T, size)
    lapack = length(size) == 2 ? operation.theirs : A -> map(k -> operation.theirs(A[:, :, k]), 1:size[3])
    here = [least -> seconds_per_call(operation.ours, least, operands...),
            least -> seconds_per_call(lapack, least, operands...)]
    C = operation.shown(operation.ours(operands...))
    (ours, julia), theirs = with_file([operands...]) do file
        load(peer) = ask(peer, "linalg", TASK, operation.name, ELTYPES[T],
                         join((join(Base.size(A), 'x') for A in operands), ';'), file)
        compare(load, peers, here, C; least = 0.004, budget = 0.25, fewest = 1)
    end
    ratio = best([julia; theirs]) / ours
    row(label, [ratio; microseconds([ours; julia; theirs])])
    push!(ratios, label => ratio)
end

"Random operands: Hermitian where that is asked for, and a matrix far from singular for a system."
function samples(operation, T, size)
    A = randn(MersenneTwister(1), T, size)
    if operation.name == "eigh"
        A = A .+ conj.(permutedims(A, (2, 1, 3:length(size)...)))
    elseif operation.name == "solve"
        return A + 2sqrt(size[1]) * I, randn(MersenneTwister(2), T, size[1])
    end
    return (A,)
end

# The whole decomposition beside that of the 64 values that are kept, by the randomised method. Of values that fall
# tenfold every 16, what is cut off is 1e-4 of the largest; of a random matrix, they fall so slowly that the method has
# to give up.
function truncated_svd()
    heading("Truncated SVD of 1024×1024 to rank 64, randomised", ["all/truncated", "all, ms", "truncated, ms"])
    ratios = Pair{String,Float64}[]
    for T in (Float64, ComplexF64), decay in ("fast", "slow")
        X, Y = (randn(MersenneTwister(seed), T, 1024, 1024) for seed in 1:2)
        A = decay == "slow" ? X : Matrix(qr(X).Q) * Diagonal(exp10.((0:1023) ./ -16)) * Matrix(qr(Y).Q)'
        truncated(A) = TensorOxide.svd_trunc(A; maxrank = 64, method = :randomized)
        all, part = in_turns([least -> seconds_per_call(TensorOxide.svd_compact, least, A),
                              least -> seconds_per_call(truncated, least, A)]; least = 0.005, budget = 2.0, fewest = 1)
        row("$decay decay, $T", [all / part; milliseconds([all, part])])
        decay == "fast" && push!(ratios, "fast decay, $T" => all / part)
    end
    verdict(ratios; least = 4.0)
end
