# Contractions as codes of matrix product states and of projected entangled pairs do them, written with `@tensor`: by
# TensorOperations' default backend and by ours, in turns, in one process. The time of a call that makes its result, the
# kept plan included, and the bytes that it takes from Julia's heap. For `tensoroperations.jl`, or by itself:
#
#     julia --project=ENV benchmark/tensoroperations_process.jl [THREADS]
using LinearAlgebra, Random, TensorOperations, TensorOxide
using TensorOxide: ContractionPlan
foreach(file -> include(file * ".jl"), ("timing", "table", "compare"))

const W, d, D = 5, 2, 2         # bond of the operator, of the site, and between sites in the plane

"Each network by the default, by our backend, and by our backend with our allocator."
macro each(definition)
    name, arguments, network = definition.args[1].args[1], definition.args[1].args[2:end], definition.args[2]
    backend, allocator = :(backend = TensorOxideBackend()), :(allocator = TensorOxideAllocator())
    versions = map(["default" => (), "ours" => (backend,), "kept" => (backend, allocator)]) do (of, options)
        :($(Symbol(name, '_', of))($(arguments...)) = @tensor $(options...) $network)
    end
    return esc(Expr(:block, versions...))
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
    "two sites" => ((two_sites_default, two_sites_ours, two_sites_kept),
                    χ -> ((χ, W, χ), (χ, d, d, χ), (W, d, d, W), (W, d, d, W), (χ, W, χ))),
    "environment" => ((environment_default, environment_ours, environment_kept),
                      χ -> ((χ, W, χ), (χ, d, χ), (W, d, d, W), (χ, d, χ))),
    "operator on state" => ((operator_default, operator_ours, operator_kept), χ -> ((χ, d, χ), (W, d, d, W))),
    "overlap" => ((overlap_default, overlap_ours, overlap_kept), χ -> ((χ, χ), (χ, d, χ), (χ, d, χ))),
    "corner" => ((corner_default, corner_ours, corner_kept),
                 χ -> ((χ, χ), (χ, D^2, χ), (χ, D^2, χ), (D^2, D^2, D^2, D^2))),
    "corner, two layers" => ((two_layers_default, two_layers_ours, two_layers_kept),
                             χ -> ((χ, χ), (χ, D, D, χ), (χ, D, D, χ), (D, D, D, D, d))),
]
const BONDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
const LONGEST = 2.0

function measure(T, name, versions, shapes)
    seen = Tuple{String,Int,Float64,Float64}[]
    for χ in BONDS
        operands = map(shape -> randn(MersenneTwister(χ), T, shape...), shapes(χ))
        results = map(f -> f(operands...), versions)
        all(C -> C ≈ results[1], results) || error("$name at χ = $χ: the backends differ")
        once = @elapsed versions[1](operands...)
        once > LONGEST && break
        bytes = map(f -> (@allocated f(operands...)), versions)
        contenders = map(f -> least -> seconds_per_call(f, least, operands...), versions)
        times = in_turns(contenders; least = 0.01, budget = 1.0)
        label = "$name, χ = $χ, $T"
        row(label, Any[times[1] ./ times[[3, 2]]; microseconds(times); bytes[3] / bytes[1]; bytes...])
        push!(seen, (label, χ, times[1] / times[3], bytes[3] / bytes[1]))
    end
    return seen
end

function main(threads)
    BLAS.set_num_threads(threads)
    TensorOxide.set_num_threads(threads)
    heading("TensorOperations $(pkgversion(TensorOperations)), Julia $VERSION, threads = $threads: default over ours with " *
            "our allocator, and without; µs per call; bytes allocated",
            ["ratio", "without", "default", "ours", "and alloc.", "bytes ratio", "default", "ours", "and alloc."])
    wanted = filter(!isempty, split(get(ENV, "BENCHMARK_MATCH", ""), ','))
    chosen = filter(((name, _),) -> isempty(wanted) || any(word -> occursin(word, name), wanted), NETWORKS)
    seen = reduce(vcat, measure(T, name, of...) for T in (Float64, ComplexF64) for (name, of) in chosen)
    verdict([label => ratio for (label, _, ratio, _) in seen]; least = 1.0)
    println("bond dimension ≤ 16:")
    verdict([label => ratio for (label, χ, ratio, _) in seen if χ <= 16]; least = 2.0)
    (label, _, _, most) = seen[argmax(last.(seen))]
    println("most of the default's bytes: ", three_digits(most), " (target 0.1: ", most <= 0.1 ? "kept)" : "missed)")
    println("    at ", label)
end

main(isempty(ARGS) ? 1 : parse(Int, ARGS[1]))
