# Runs the plan of one instance once, in a process of its own, and prints the bytes that the plan promised, those by
# which the resident set grew at most, and the slices, or why there is no plan: memory_process.jl INSTANCE MEMORY_LIMIT.
using Random, TensorOxide
for file in ("json", "peers", "instance")
    include(file * ".jl")
end

"A field of /proc/self/status, in bytes."
status(field) = 1024 * parse(Int, match(Regex("$field:\\s*(\\d+) kB"), read("/proc/self/status", String)).captures[1])

function grown_by(f)
    GC.gc()
    write("/proc/self/clear_refs", "5")     # the peak starts anew from what is resident now
    before = status("VmRSS")
    f()
    return status("VmHWM") - before
end

run_once(plan, operands) = plan(zeros(plan.output_size), operands...)

function main(name, limit)
    instance = only(filter(instance -> instance.name == name, read_instances()))
    expression, shapes = first(instance.layouts)
    operands = operands_for(MersenneTwister(1), Float64, expression, shapes)
    TensorOxide.set_num_threads(1)
    # What Julia and the engine need for the first call of anything is no plan's: code, and what compiles it.
    run_once(contraction_plan("ij,jk->ik", [(300, 300), (300, 300)]), [ones(300, 300), ones(300, 300)])
    small = map(A -> ones(min.(size(A), 2)), operands)
    run_once(contraction_plan(expression, size.(small)), small)
    plan = try
        contraction_plan(expression, shapes; memory_limit = limit)
    catch refused
        limit > 0 && refused isa ArgumentError || rethrow()
        return println(refused.msg)
    end
    C = zeros(plan.output_size)
    grown = grown_by(() -> plan(C, operands...))
    println(Int(plan.info.peak_bytes), ' ', grown, ' ', Int(plan.info.slices))
end

main(ARGS[1], parse(Int, ARGS[2]))
