# Contractions as codes of matrix product states and of projected entangled pairs do them, written with `@tensor`: by
# TensorOperations' default backend and by ours, each with and without an allocator that keeps its memory, in turns, in
# one process. The time of a call that makes its result, and the bytes that it takes from Julia's heap. For
# `frontends.jl`, or by itself:
#
#     julia --project=ENV benchmark/tensoroperations_process.jl [THREADS]
using LinearAlgebra, Random, TensorOperations, TensorOxide
using TensorOperations: BufferAllocator
using TensorOxide: ContractionPlan
foreach(file -> include(file * ".jl"), ("timing", "table", "compare"))

const W, d, D = 5, 2, 2         # bond of the operator, of the site, and between sites in the plane

const BUFFER = BufferAllocator()

"A network as four functions: by the default and by ours, each without and with its allocator."
macro each(definition)
    name, arguments, network = definition.args[1].args[1], definition.args[1].args[2:end], definition.args[2]
    choices = [(), (:(allocator = BUFFER),), (:(backend = TensorOxideBackend()),),
               (:(backend = TensorOxideBackend()), :(allocator = TensorOxideAllocator()))]
    versions = [:(($(arguments...),) -> @tensor $(options...) $network) for options in choices]
    return esc(:(const $name = ($(versions...),)))
end

@each two_sites(L, θ, W1, W2, R) =
    (C[a, s, t, b] := L[a, w, x] * θ[x, u, v, y] * W1[w, s, u, p] * W2[p, t, v, q] * R[y, q, b])
@each environment(L, A, M, B) = (C[b, p, y] := L[a, w, x] * A[x, u, y] * M[w, s, u, p] * conj(B[a, s, b]))
@each operator(A, M) = (C[x, w, s, y, p] := A[x, u, y] * M[w, s, u, p])
@each overlap(E, A, B) = (C[b, y] := E[a, x] * A[x, s, y] * conj(B[a, s, b]))
@each corner(C₀, T1, T2, M) = (C[a, k, b, l] := C₀[x, y] * T1[y, i, b] * T2[a, j, x] * M[j, i, k, l])
@each two_layers(C₀, T1, T2, P) =
    (C[a, k, m, b, l, n] := C₀[x, y] * T1[y, i, f, b] * T2[a, j, g, x] * P[j, i, k, l, s] * conj(P[g, f, m, n, s]))

const NETWORKS = [
    "two sites" => (two_sites, χ -> ((χ, W, χ), (χ, d, d, χ), (W, d, d, W), (W, d, d, W), (χ, W, χ))),
    "environment" => (environment, χ -> ((χ, W, χ), (χ, d, χ), (W, d, d, W), (χ, d, χ))),
    "operator on state" => (operator, χ -> ((χ, d, χ), (W, d, d, W))),
    "overlap" => (overlap, χ -> ((χ, χ), (χ, d, χ), (χ, d, χ))),
    "corner" => (corner, χ -> ((χ, χ), (χ, D^2, χ), (χ, D^2, χ), (D^2, D^2, D^2, D^2))),
    "corner, two layers" => (two_layers, χ -> ((χ, χ), (χ, D, D, χ), (χ, D, D, χ), (D, D, D, D, d))),
]
const BONDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
const LONGEST = 2.0

function measure(T, name, versions, shapes)
    seen = Tuple{String,Int,Float64,Float64}[]
    for χ in BONDS
        operands = map(shape -> randn(MersenneTwister(χ), T, shape...), shapes(χ))
        results = map(f -> f(operands...), versions)
        all(C -> C ≈ results[1], results) || error("$name at χ = $χ: the backends differ")
        (@elapsed versions[1](operands...)) > LONGEST && break
        bytes = map(f -> (@allocated f(operands...)), versions)
        result = @allocated similar(results[1])
        contenders = map(f -> least -> seconds_per_call(f, least, operands...), versions)
        times = in_turns(contenders; least = 0.01, budget = 1.0, fewest = 5)
        label = "$name, χ = $χ, $T"
        row(label, Any[times[1] ./ times[[4, 3]]; times[2] / times[4]; microseconds(times); bytes...; result])
        push!(seen, (label, χ, times[1] / times[4], (bytes[4] - result) / (bytes[1] - result)))
    end
    return seen
end

function main(threads)
    BLAS.set_num_threads(threads)
    TensorOxide.set_num_threads(threads)
    println("TensorOperations ", pkgversion(TensorOperations), ", Julia ", VERSION, ", threads = ", threads,
            ". Ratios: the default over ours with our allocator; over ours without; and the default with its\n",
            "BufferAllocator over ours with ours. Then each one's µs per call, and bytes, those of the result last.")
    versions = ["default", "buffered", "ours", "ours, kept"]
    heading("Contractions by @tensor", [["ratio", "plain", "kept both"]; versions; versions; "result"])
    wanted = filter(!isempty, split(get(ENV, "BENCHMARK_MATCH", ""), ','))
    chosen = filter(((name, _),) -> isempty(wanted) || any(word -> occursin(word, name), wanted), NETWORKS)
    seen = reduce(vcat, measure(T, name, of...) for T in (Float64, ComplexF64) for (name, of) in chosen)
    verdict([label => ratio for (label, _, ratio, _) in seen]; least = 1.0)
    println("bond dimension ≤ 16:")
    verdict([label => ratio for (label, χ, ratio, _) in seen if χ <= 16]; least = 2.0)
    (label, _, _, most) = seen[argmax(last.(seen))]
    println("bytes beside the result, of the default's: ", three_digits(most), " at most (target 0.1: ",
            most <= 0.1 ? "kept)" : "missed)")
    println("    at ", label)
end

main(isempty(ARGS) ? 1 : parse(Int, ARGS[1]))
