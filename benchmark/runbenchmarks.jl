# Runs the parts of the benchmark that are named on the command line, or all:
#
#     julia --project benchmark/runbenchmarks.jl [instances] [paths] [small] [contraction] [permutations] [products]
#                                            [linalg] [gradients] [firstuse] [memory] [tensoroperations] [itensors]
#
# BENCHMARK_THREADS, numbers parted by commas, says with how many threads (1,2). See README.md in this folder.
using LinearAlgebra, Random, TensorOxide
using TensorOxide: ContractionPlan

for file in ("timing", "table", "json", "blas", "peers", "compare", "instance", "instances", "paths", "small",
             "contraction", "permutations", "products", "linalg", "gradients", "firstuse", "memory", "frontends")
    include(file * ".jl")
end

# For each number of threads; those below once, since they start processes of their own.
const PARTS = ["instances" => instances, "paths" => paths, "small" => small, "contraction" => contraction,
               "permutations" => permutations, "products" => products, "linalg" => linalg,
               "gradients" => gradients]
const ONCE = ["firstuse" => firstuse, "memory" => memory, "tensoroperations" => tensoroperations,
              "itensors" => itensors]

function main(chosen)
    known = first.([PARTS; ONCE])
    unknown = setdiff(chosen, known)
    isempty(unknown) || error("no part is called $(join(unknown, ", ")); there are $(join(known, ", "))")
    wanted(parts) = filter(part -> isempty(chosen) || first(part) in chosen, parts)
    counts = isempty(wanted(PARTS)) ? Int[] : parse.(Int, split(get(ENV, "BENCHMARK_THREADS", "1,2"), ','))
    for threads in counts
        TensorOxide.set_num_threads(threads)
        BLAS.set_num_threads(threads)
        peers, skipped = start_peers(threads)
        describe(peers, skipped)
        foreach(((_, part),) -> part(peers, threads), wanted(PARTS))
        foreach(stop, peers)
    end
    foreach(((_, part),) -> part(), wanted(ONCE))
end

function describe(peers, skipped)
    TensorOxide.versioninfo()
    println("Julia ", VERSION, " on ", Sys.cpu_info()[1].model, ", its OpenBLAS with ", openblas_kernels(), " kernels")
    foreach(peer -> println("against ", peer.about), peers)
    foreach(line -> println("left out: ", line), skipped)
end

main(ARGS)
