# Steps of matrix product codes, and `dmrg` of the spin-1 Heisenberg chain, with ITensors' own storage and with ours, in
# one process. The time of a call that makes its result, and the bytes that it takes from Julia's heap. For `frontends.jl`,
# or by itself:
#
#     julia --project=ENV benchmark/itensors_process.jl [THREADS [SITES [BOND DIMENSIONS…]]]
#
# With 0 sites there are the steps alone, with bond dimensions `dmrg` alone; without either both, of 100 sites with 50,
# 100 and 200.
using ITensorMPS, ITensors, LinearAlgebra, Random, TensorOxide
using TensorOxide: ContractionPlan, oxide, projected
foreach(file -> include(file * ".jl"), ("timing", "table", "compare", "../test/ext/heisenberg"))

const W, d = 5, 3
const BONDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
const LONGEST = 2.0

const STEPS = [
    "part * state" => (L, θ, H, A) -> L * θ,
    "* operator" => (L, θ, H, A) -> θ * H,
    "overlap" => (L, θ, H, A) -> inner(θ, θ),
    "part grows" => (L, θ, H, A) -> L * A * H * dag(prime(A)),
    "sum" => (L, θ, H, A) -> θ + θ,
    "svd" => (L, θ, H, A) -> svd(A, inds(A)[1:2]; cutoff = 1e-12),
]

"What the steps are of: a part of the chain, two sites of the state, an operator and one site."
function tensors(T, χ)
    l, r, s, t, w, v = Index(χ, "l"), Index(χ, "r"), Index(d, "s"), Index(d, "t"), Index(W, "w"), Index(W, "v")
    return (random_itensor(T, l, w, l'), random_itensor(T, l, s, t, r), random_itensor(T, w, v, s', s),
            random_itensor(T, l, s, r))
end

function steps(T, name, step)
    seen = Tuple{String,Int,Float64,Float64}[]
    for χ in BONDS
        Random.seed!(χ)
        theirs = tensors(T, χ)
        ours = map(oxide, theirs)
        once = (step(theirs...); @elapsed step(theirs...))
        once > LONGEST && break
        calls = (() -> step(theirs...), () -> step(ours...))
        bytes = map(call -> (call(); @allocated call()), calls)
        times = in_turns([least -> seconds_per_call(call, least) for call in calls]; least = 0.01, budget = 1.0)
        label = "$name, χ = $χ, $T"
        row(label, Any[times[1] / times[2]; microseconds(times); bytes[2] / bytes[1]; bytes...])
        push!(seen, (label, χ, times[1] / times[2], bytes[2] / bytes[1]))
    end
    return seen
end

"`dmrg` with their storage, with ours, and with ours and planned products; of five sweeps, the last two at full rank."
function chains(N, D, qns)
    Random.seed!(1)
    sites = siteinds("S=1", N; conserve_qns = qns)
    H, ψ = chain(sites), random_mps(sites, n -> isodd(n) ? "Up" : "Dn"; linkdims = 4)
    first = nothing
    for (name, operator, state) in (("default", H, ψ), ("ours", oxide(H), oxide(ψ)),
                                    ("projected", projected(oxide(H)), oxide(ψ)))
        GC.gc()
        run = @timed dmrg(operator, state; nsweeps = 5, maxdim = min.([10, 20, 100, D, D], D), cutoff = 1e-12,
                          outputlevel = 0)
        first === nothing && (first = run)
        row("N = $N, D = $D, $(qns ? "quantum numbers" : "none"), $name",
            Any[first.time / run.time, run.time, run.bytes / first.bytes, run.bytes / 2^20, string(run.value[1])])
    end
end

function main(threads = 1, N = 100, D...)
    BLAS.set_num_threads(threads)
    TensorOxide.set_num_threads(threads)
    about = "ITensors $(pkgversion(ITensors)), Julia $VERSION, threads = $threads"
    if N == 0 || isempty(D)
        heading("$about: default over ours; µs per call; bytes allocated",
                ["ratio", "default", "ours", "bytes ratio", "default", "ours"])
        seen = reduce(vcat, steps(T, of...) for T in (Float64, ComplexF64) for of in STEPS)
        verdict([label => ratio for (label, _, ratio, _) in seen]; least = 1.0)
        println("bond dimension ≤ 16:")
        verdict([label => ratio for (label, χ, ratio, _) in seen if χ <= 16]; least = 2.0)
    end
    N == 0 && return
    foreach(qns -> redirect_stdout(() -> chains(6, 10, qns), devnull), (false, true))     # compiles
    heading("$about: dmrg, default over each; s; bytes over the default's; MiB; energy",
            ["ratio", "seconds", "bytes ratio", "MiB", "energy"])
    foreach(((D, qns),) -> chains(N, D, qns), Iterators.product(isempty(D) ? (50, 100, 200) : D, (false, true)))
end

main(parse.(Int, ARGS)...)
