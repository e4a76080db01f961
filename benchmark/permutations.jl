# Permutations of arrays of 2²⁴ elements, as a share of a plain copy of as many bytes in the same run: into an array
# that is kept (warm), and into a new one, whose pages the system has to provide first (fresh).

const PERMUTATIONS = [("(2,0,1) of 256³", (256, 256, 256), (3, 1, 2)),
                      ("(1,2,0) of 256³", (256, 256, 256), (2, 3, 1)),
                      ("transpose of 4096²", (4096, 4096), (2, 1)),
                      ("reversal of 16⁶", ntuple(_ -> 16, 6), ntuple(k -> 7 - k, 6)),
                      ("shuffle of 4¹²", ntuple(_ -> 4, 12), (1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12))]

function permutations(peers, threads)
    peers = filter(row_major, peers)
    for output in ("warm", "fresh")
        shares = Pair{String,Float64}[]
        heading("Permutations into a $output array, share of a plain copy, threads = $threads",
                ["share", "best peer/us", "us ms", "copy ms", (peer.name * " ms" for peer in peers)...])
        # The element types beside Float64 for ours alone, and where they differ: pages cost all of them the same.
        types = output == "warm" ? (Float64, Float32, ComplexF64, ComplexF32) : (Float64,)
        for T in types, (name, shape, permutation) in PERMUTATIONS
            (copied, ours), theirs = permute_and_copy(T === Float64 ? peers : Peer[], T, shape, permutation, output)
            label = "$name, $T"
            row(label, [copied / ours; best(theirs) / ours; milliseconds([ours, copied]); milliseconds(theirs)])
            push!(shares, label => copied / ours)
        end
        verdict(shares; least = 0.6)
    end
end

function permute_and_copy(peers, T, shape, permutation, output)
    A = numbers(MersenneTwister(1), T, shape)
    labels = 'a':'z'
    expression = string(String(labels[1:length(shape)]), "->", String(labels[collect(permutation)]))
    B = similar(A)
    C = einsum(expression, A)
    here = output == "warm" ?
        [least -> seconds_per_call(copyto!, least, B, A), least -> seconds_per_call(einsum!, least, C, expression, A)] :
        [_ -> seconds_for_new(copy, A), _ -> seconds_for_new(einsum, expression, A)]
    with_file([A]) do file
        load(peer) = load_permutation(peer, TASK, T, shape, permutation, output, file)
        compare(load, peers, here, C; budget = 1.0)
    end
end

"Seconds of one call whose result is new memory: what was given back before is not there to be used again."
function seconds_for_new(f, args...)
    GC.gc()
    return @elapsed f(args...)
end
