# Frontends on their own kernels and on ours, in a process of a Julia that has them.

tensoroperations() = compare_frontend("tensoroperations", "TensorOperations")
itensors() = compare_frontend("itensors", "ITensors, ITensorMPS")

function compare_frontend(name, packages)
    julia = split(get(ENV, "BENCHMARK_JULIA", ""))
    isempty(julia) && return println(
        "\nleft out: $name: BENCHMARK_JULIA names no Julia that has $packages and TensorOxide")
    for threads in split(get(ENV, "BENCHMARK_THREADS", "1,2"), ',')
        run(`$julia --startup-file=no $(joinpath(@__DIR__, name * "_process.jl")) $threads`)
    end
end
