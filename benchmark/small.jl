# Small contractions: what a call costs above its arithmetic, which is the faster of a bare loop, compiled for these
# arrays and without a check, and the BLAS through `mul!`. Each is a plain matrix product. What Julia takes for a new
# array of the result's size, the collector's share and the first touch included, is shown beside it: `einsum` and `*`
# make one.

const SMALL = [("2×2 product", "ij,jk->ik", (2, 2), (2, 2));
               [("MPS site, χ = $χ", "abc,cde->abde", (χ, 2, χ), (χ, 2, χ)) for χ in (1, 8, 32)]]

function small(peers, threads)
    heading("Small contractions, µs per call, threads = $threads; above: more than the arithmetic",
            ["plan above", "einsum above", "best peer/us", "plan", "einsum!", "einsum", "arithmetic", "A * B",
             "new array", (peer.name for peer in peers)...])
    above = map(SMALL) do (name, expression, a, b)
        A, B = numbers.(MersenneTwister(1), Float64, (a, b))
        plan = contraction_plan(expression, (a, b))
        C = plan(A, B)
        L, R = reshape(A, :, last(a)), reshape(B, first(b), :)
        M = L * R
        here = [least -> seconds_per_call(plan, least, C, A, B),
                least -> seconds_per_call(einsum!, least, C, expression, A, B),
                least -> seconds_per_call(einsum, least, expression, A, B),
                least -> seconds_per_call(bare_product!, least, M, L, R),
                least -> seconds_per_call(mul!, least, M, L, R),
                least -> seconds_per_call(*, least, L, R),
                least -> seconds_per_call(new_array, least, C)]
        (planned, in_place, new, bare, blas, plain, array), theirs = with_file([A, B]) do file
            load(peer) = load_contraction(peer, TASK, Float64, expression, collect.((a, b)), [[0, 1]], file)
            compare(load, peers, here, C)
        end
        arithmetic = min(bare, blas)
        row(name, [microseconds([planned - arithmetic, new - arithmetic]); best([plain; theirs]) / planned;
                   microseconds([planned, in_place, new, arithmetic, plain, array]); microseconds(theirs)])
        microseconds((planned - arithmetic, new - arithmetic, new - arithmetic - array))
    end
    most(k) = maximum(getindex.(above, k))
    at_most("plan, µs above the arithmetic", most(1), 0.15)
    at_most("einsum, µs above the arithmetic", most(2), 1.0)
    at_most("einsum, µs above the arithmetic and a new array", most(3), 1.0)
end

at_most(what, value, target) =
    println("most of ", what, ": ", three_digits(value), " (target $target: ", value <= target ? "kept)" : "missed)")

@noinline new_array(C) = fill!(similar(C), 0)

@noinline function bare_product!(C, A, B)
    fill!(C, 0)
    @inbounds for j in axes(B, 2), k in axes(A, 2)
        b = B[k, j]
        @simd for i in axes(A, 1)
            C[i, j] += A[i, k] * b
        end
    end
    return C
end
