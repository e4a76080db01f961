# The peak memory of each instance against what its plan promised, each in a fresh process: how far the resident set
# grows at most during the first run, operands and output being there already.

function memory()
    isfile("/proc/self/clear_refs") || return println("\nPeak memory: measured on Linux only")
    heading("Peak memory of a run, MiB: promised by the plan, and by how much the resident set grew",
            ["grown/promised", "promised", "grown", "slices", "limit"])
    for instance in read_instances()
        promised, = memory_row(instance, 0)
        promised > 0 && memory_row(instance, promised ÷ 2)
    end
end

function memory_row(instance, limit)
    program = joinpath(@__DIR__, "memory_process.jl")
    julia = `$(Base.julia_cmd()) --project=$(Base.active_project()) --startup-file=no`
    command = `$julia $program $(instance.name) $limit`
    answer = read(command, String)
    numbers = tryparse.(Int, split(answer))
    nothing in numbers && return println(rpad(instance.name, LABEL_WIDTH), ' ', strip(answer))
    promised, grown, slices = numbers
    mebibytes(n) = n / 2^20
    limited = limit == 0 ? "none" : mebibytes(limit)
    row(instance.name, Any[grown / promised, mebibytes(promised), mebibytes(grown), slices, limited])
    return promised, grown
end
