# ITensors and ITensorMPS on their own storage and on ours, in a process of a Julia that has them.

function itensors()
    julia = split(get(ENV, "BENCHMARK_JULIA", ""))
    isempty(julia) && return println(
        "\nleft out: itensors: BENCHMARK_JULIA names no Julia that has ITensors, ITensorMPS and TensorOxide")
    for threads in split(get(ENV, "BENCHMARK_THREADS", "1,2"), ',')
        run(`$julia --startup-file=no $(joinpath(@__DIR__, "itensors_process.jl")) $threads`)
    end
end
