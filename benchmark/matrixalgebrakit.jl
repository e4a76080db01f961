# MatrixAlgebraKit's decompositions with its LAPACK driver and with TensorOxide's, in place: times in turns, bytes that
# Julia allocates. In an environment that has both packages, one thread:
#
#     julia --project=ENV benchmark/matrixalgebrakit.jl [largest size (512)]
using LinearAlgebra, Random, TensorOxide
using TensorOxide: ContractionPlan
import MatrixAlgebraKit as MAK

include("timing.jl")
include("table.jl")
include("compare.jl")

# What is computed, the default algorithm with a driver, and a matrix for it.
general(T, n) = randn(MersenneTwister(n), T, n, n)
hermitian(T, n) = (A = general(T, n); A + A')
const OPERATIONS = [
    ("svd_trunc to n/2", MAK.svd_trunc!, (driver, n) -> MAK.TruncatedAlgorithm(
        MAK.SafeDivideAndConquer(; driver), MAK.truncrank(max(1, n ÷ 2))), general),
    ("svd_compact", MAK.svd_compact!, (driver, n) -> MAK.SafeDivideAndConquer(; driver), general),
    ("qr_compact", MAK.qr_compact!, (driver, n) -> MAK.Householder(; driver), general),
    ("eigh_full", MAK.eigh_full!, (driver, n) -> MAK.RobustRepresentations(; driver), hermitian),
]

"Decompose `A`, which the call may spoil, from a fresh copy into the same outputs each time."
decompose_copy(f!::F, B, A, out, alg) where {F} = f!(copyto!(B, A), out, alg)

function main(largest = 512)
    BLAS.set_num_threads(1)
    TensorOxide.set_num_threads(1)
    TensorOxide.versioninfo()
    println("Julia ", VERSION, ", MatrixAlgebraKit ", pkgversion(MAK), ", ", Sys.cpu_info()[1].model)
    heading("One thread", ["LAPACK/us", "LAPACK, µs", "us, µs", "LAPACK, B", "us, B"])
    ratios = Pair{String,Float64}[]
    for (name, f!, algorithm, matrix) in OPERATIONS, T in (Float64, ComplexF64), n in (4, 8, 16, 32, 64, 128, 256, 512)
        n <= largest || continue
        A = matrix(T, n)
        calls = map((MAK.LAPACK(), TensorOxideDriver())) do driver
            alg = algorithm(driver, n)
            arguments = (f!, similar(A), A, MAK.initialize_output(f!, A, alg), alg)
            decompose_copy(arguments...)
            (least -> seconds_per_call(decompose_copy, least, arguments...)), @allocated decompose_copy(arguments...)
        end
        times = in_turns([first.(calls)...]; least = 0.002, budget = 0.2, fewest = 3)
        label = "$name, n = $n, $T"
        push!(ratios, label => times[1] / times[2])
        row(label, [times[1] / times[2]; microseconds(times); collect(last.(calls))])
    end
    verdict(ratios; least = 1.0)
    println("of n ≤ 16:")
    verdict(filter(((label, _),) -> occursin(r"n = (4|8|16),", label), ratios); least = 2.0)
end

main(parse.(Int, ARGS)...)
