# A matrix product beside the BLAS alone, and contractions of two tensors with four indices each, in every order of the
# indices, beside copies into matrices and a product of the BLAS.

function products(peers, threads)
    matrix_products(peers, threads)
    four_indices(threads)
end

function matrix_products(peers, threads)
    blas = start_blas(threads)
    peers = [blas; peers]
    heading("Matrix product, GFLOP/s, threads = $threads; mul!: $(openblas_kernels()) kernels; BLAS: $(blas.about)",
            ["best peer/us", "us", "mul!", (peer.name for peer in peers)...])
    ratios = Pair{String,Float64}[]
    for T in (Float64, Float32, ComplexF64, ComplexF32), n in (64, 128, 256, 512, 1024)
        A, B = numbers.(MersenneTwister(1), T, ((n, n), (n, n)))
        plan = contraction_plan("ij,jk->ik", size.((A, B)); eltype = T)
        C, D = plan(A, B), A * B
        here = [least -> seconds_per_call(plan, least, C, A, B), least -> seconds_per_call(mul!, least, D, A, B)]
        (ours, lent), theirs = with_file([A, B]) do file
            load(peer) = load_contraction(peer, TASK, T, "ij,jk->ik", [[n, n], [n, n]], [[0, 1]], file)
            compare(load, peers, here, C; budget = 1.0)
        end
        speeds = (T <: Complex ? 8 : 2) * n^3 / 1e9 ./ [ours; lent; theirs]
        label = "$n×$n, $T"
        row(label, [best([lent; theirs]) / ours; speeds])
        push!(ratios, label => best([lent; theirs]) / ours)
    end
    stop(blas)
    verdict(ratios)
end

# C[a,b,c,d] = Σ A[a,b,e,f] B[e,f,c,d], each with its indices in any order. What differs only in names, or in which
# operand comes first, is left out.
function orders()
    kept, seen = String[], Set{NTuple{3,String}}()
    for c in permuted("abcd"), a in permuted("abef"), b in permuted("efcd")
        (c, a, b) in seen && continue
        push!(kept, "$a,$b->$c")
        for names in ("abcdef", "bacdef", "abdcef", "badcef", "abcdfe", "bacdfe", "abdcfe", "badcfe")
            twin = renamed((c, a, b), names)
            push!(seen, twin, renamed((twin[1], twin[3], twin[2]), "cdabef"))
        end
    end
    return kept
end
renamed(terms, names) = map(term -> map(label -> names[label-'a'+1], term), terms)
permuted(word) = length(word) <= 1 ? [word] :
    [word[k:k] * rest for k in 1:length(word) for rest in permuted(word[1:k-1] * word[k+1:end])]

function four_indices(threads)
    all = orders()
    heading("4-index contractions, threads = $threads; ratio: copies into matrices and a product of the BLAS / us",
            ["orders", "mean ratio", "least ratio", "most", "us GFLOP/s", "at the least"])
    for (d, every) in ((8, 1), (16, 1), (24, 36), (32, 36), (48, 288))
        chosen = all[1:every:end]
        A, B = numbers.(MersenneTwister(1), Float64, ((d, d, d, d), (d, d, d, d)))
        times = [four_index_times(expression, A, B) for expression in chosen]
        ratios = [theirs / ours for (ours, theirs) in times]
        row("d = $d", [length(chosen), geometric_mean(ratios), extrema(ratios)...,
                       geometric_mean([2e-9 * d^6 / ours for (ours, _) in times]), chosen[argmin(ratios)]])
    end
end

function four_index_times(expression, A, B)
    plan = contraction_plan(expression, size.((A, B)))
    C = plan(A, B)
    D, plans = similar(C), copies(expression, C)
    through_matrices!(julia_copy!, D, A, B, plans) ≈ C || error("$expression: the results differ")
    # The copies by Julia or by this engine, whichever is faster.
    through(copy!) = least -> seconds_per_call(through_matrices!, least, copy!, D, A, B, plans)
    ours, julia, engine = in_turns([least -> seconds_per_call(plan, least, C, A, B), through(julia_copy!),
                                    through(engine_copy!)]; least = 5e-4, budget = 0.02)
    return ours, min(julia, engine)
end

julia_copy!(to, from, copy) = permutedims!(to, from, copy.permutation)
engine_copy!(to, from, copy) = einsum!(to, copy.expression, from)

# The copy that a tensor needs before (the result: after) the product; none where it lies as a matrix or its transpose.
struct Copy
    needed::Bool
    transposed::Char                # as the BLAS wants it
    permutation::Vector{Int}
    expression::String              # the same for `einsum!`
    room::Array{Float64,4}
end

function Copy(term, rows, columns, like; back = false)
    matrix = rows * columns
    from, to = back ? (matrix, term) : (term, matrix)
    return Copy(term != matrix && term != columns * rows, term == columns * rows ? 'T' : 'N',
                [findfirst(label, from) for label in to], "$from->$to", similar(like))
end

"The copies of both operands and of the result, as few as there can be."
function copies(expression, like)
    a, b, c = split(expression, r",|->")
    choices = [(Copy(a, rows, sums, like), Copy(b, sums, columns, like), Copy(c, rows, columns, like; back = true))
               for rows in ("ab", "ba"), sums in ("ef", "fe"), columns in ("cd", "dc")]
    return choices[argmin([count(copy -> copy.needed, choice) for choice in choices])]
end

function through_matrices!(copy!, C, A, B, (a, b, c))
    L = a.needed ? copy!(a.room, A, a) : A
    R = b.needed ? copy!(b.room, B, b) : B
    M = c.needed ? c.room : C
    n = size(C, 1)^2
    matrix(X) = reshape(X, n, n)
    if c.transposed == 'T'
        other(t) = t == 'T' ? 'N' : 'T'
        BLAS.gemm!(other(b.transposed), other(a.transposed), 1.0, matrix(R), matrix(L), 0.0, matrix(M))
    else
        BLAS.gemm!(a.transposed, b.transposed, 1.0, matrix(L), matrix(R), 0.0, matrix(M))
    end
    return c.needed ? copy!(C, M, c) : C
end
