# `@tensor` by TensorOperations' default backend and by ours, in a process of a Julia that has TensorOperations.

function tensoroperations()
    julia = split(get(ENV, "BENCHMARK_JULIA", ""))
    isempty(julia) && return println(
        "\nleft out: tensoroperations: BENCHMARK_JULIA names no Julia that has TensorOperations and TensorOxide")
    for threads in split(get(ENV, "BENCHMARK_THREADS", "1,2"), ',')
        run(`$julia --startup-file=no $(joinpath(@__DIR__, "tensoroperations_process.jl")) $threads`)
    end
end
