# Contractions over MPI's ranks, one thread each: what the road over MPI costs with one rank, how 1 to 4 ranks share the
# slices, beside what the model of scaling.jl says of them, and what memory each rank takes beside what was promised.
# The libraries come from `sh deps/mpi.sh`.
#
#   julia --project benchmark/distributed.jl [mpich|openmpi|abi] [ranks…]
#
# Starts itself under `mpiexec`. Where ranks outnumber the cores, the model has the leaves take that much longer.

using TensorOxide, Printf

# Not within backticks, where Julia 1.5 does not know them.
const HERE, PROGRAM = @__DIR__, @__FILE__
include("scaling.jl")

"A square lattice with open boundaries, each bond of the dimension `bond`: labels and sizes of its tensors."
function lattice(side, bond)
    site(x, y) = x + side * (y - 1)
    right(x, y) = 2site(x, y)
    up(x, y) = 2site(x, y) + 1
    labels = [Int[label for (there, label) in ((x > 1, right(x - 1, y)), (x < side, right(x, y)),
                                               (y > 1, up(x, y - 1)), (y < side, up(x, y))) if there]
              for x in 1:side, y in 1:side]
    expression = join((join("{$label}" for label in tensor) for tensor in labels), ",") * "->"
    return expression, vec([ntuple(_ -> bond, length(tensor)) for tensor in labels])
end

# What is measured: a name, an expression, sizes, the least number of slices, and by how much the memory of a rank is
# less than what the contraction takes without slices; whether each leaf is a block of the output.
const RUNS = [
    ("8×8 lattice, bonds of 6", lattice(8, 6)..., 0, 1, false),
    ("10×10 lattice, bonds of 4", lattice(10, 4)..., 0, 8, false),
    ("512 products of 128×128", "ijb,jkb->ikb", fill((128, 128, 512), 2), 0, 1, true),
    ("sum of 1024 products of 3 128×128", "ijb,jkb,klb->il", fill((128, 128, 1024), 3), 256, 1, false),
]
# Larger than what a rank may take: a lattice in slices, and a chain of products that is split.
const LIMIT = 128 << 20
const LARGE = ("12×12 lattice, bonds of 4", lattice(12, 4)...)
const CHAIN = ("product of three matrices of 2048×2048", "ij,jk,kl->il", fill((2048, 2048), 3))

"Seconds of some calls, which are made in turns: the medians of the runs after the first."
function medians(calls, runs)
    foreach(f -> f(), calls)
    times = [[@elapsed(f()) for f in calls] for _ in 1:runs]
    return [sort!([time[k] for time in times])[(runs + 1) ÷ 2] for k in 1:length(calls)]
end
median(f, runs) = first(medians((f,), runs))

"A line of /proc/self/status, in bytes."
status(name) = parse(Int, match(Regex("$name:\\s*(\\d+)"), read("/proc/self/status", String)).captures[1]) << 10

"By how many bytes the resident set is larger than before, at most, while `f` runs; of the rank where it is the most."
function growth(f, c)
    GC.gc()
    write("/proc/self/clear_refs", "5")                   # VmHWM begins anew
    before = status("VmRSS")
    f()
    grown = zeros(c.size)
    grown[c.rank+1] = status("VmHWM") - before
    return maximum(TensorOxide.allsum!(c, grown))
end

numbers(sizes) = [rand(size...) .- 0.5 for size in sizes]

function measure(folder)
    library = open_library(folder)
    initialise(library)
    c = TensorOxide.communicator(library; handles(library, basename(folder))..., timeout = 60)
    TensorOxide.set_num_threads(1)
    say(text...) = c.rank == 0 && (println(text...); flush(stdout))
    cores = min(c.size, Sys.CPU_THREADS)
    say("$(c.size) ranks of $(basename(folder)) on $cores cores")

    # A sum of one number is a call with two messages more for each other rank; long ones show what a byte takes.
    one, many = zeros(1), zeros(1 << 22)
    least = median(() -> TensorOxide.allsum!(c, one), 200)
    if c.size > 1
        bytes = median(() -> TensorOxide.allsum!(c, many), 5) - least
        say(@sprintf("  a call with a sum of one number %.1f µs; of 32 MiB %.2f GB/s", 1e6least,
                     2sizeof(many) * (c.size - 1) / c.size / bytes / 1e9))
    end
    for (name, expression, sizes, slices, part, apart) in RUNS
        arrays = numbers(sizes)
        plain = contraction_plan(expression, sizes; search_time = 0.2)
        limit = part == 1 ? 0 : Int(plain.info.peak_bytes) ÷ part
        path = TensorOxide.contraction_path(plain)
        plan = contraction_plan(expression, sizes; comm = c, memory_limit = limit, slices = slices, path = path)
        sliced = contraction_plan(expression, sizes; memory_limit = limit, path = path)
        info = plan.info
        result = zeros(plan.output_size)
        target = c.rank == 0 ? result : nothing
        # The others of several ranks do what rank 0 does, for the same share of the cores.
        seconds, alone = medians((() -> plan(target, arrays...; result = :root), () -> sliced(result, arrays...)), 9)
        say(@sprintf("  %-34s %6d slices in %5d leaves, %.3f× the arithmetic: %8.4f s; without MPI %8.4f s", name,
                     info.plan.slices, info.leaves, info.slicing_overhead, seconds, alone),
            c.size == 1 ? @sprintf(" with %d slices (%+.1f %%)", sliced.info.slices, 100(seconds / alone - 1)) : "")
        say("@ ", join((name, info.leaves, seconds, sizeof(result), Int(apart)), '\t'))
    end

    name, expression, sizes = LARGE
    arrays = numbers(sizes)
    whole = contraction_plan(expression, sizes; search_time = 0.5)
    # The same number of operands, so that Julia has compiled what it needs before.
    _, small = lattice(12, 2)
    contraction_plan(expression, small; comm = c, slices = 4)(numbers(small)...; result = :root)
    plan = contraction_plan(expression, sizes; comm = c, memory_limit = LIMIT, search_time = 3.0)
    seconds = 0.0
    more = growth(() -> seconds = @elapsed(plan(arrays...; result = :root)), c)
    say(@sprintf("  %-34s %6d slices, %.2f× the arithmetic: %.2f s; whole %.1f MB, promise %.1f MB, resident %.1f MB more", name,
                 plan.info.plan.slices, plan.info.slicing_overhead, seconds, whole.info.peak_bytes / 1e6,
                 plan.info.plan.peak_bytes / 1e6, more / 1e6))

    name, expression, sizes = CHAIN
    options = (comm = c, split = (1, 1, 1), split_output = 1)
    part(size) = (length(TensorOxide.local_range(c, size[1])), size[2])
    tiny = fill((8, 8), 3)
    contraction_plan(expression, tiny; options...)(numbers(part.(tiny))...)
    plan = contraction_plan(expression, sizes; options...)
    arrays = numbers(part.(sizes))
    more = growth(() -> seconds = @elapsed(plan(arrays...)), c)
    # Julia's part of the result is not the plan's.
    say(@sprintf("  %-34s split: %.3f s; a whole tensor %.1f MB, promise %.1f MB, resident %.1f MB more, sent %.1f MB", name,
                 seconds, 8prod(sizes[1]) / 1e6, (plan.info.peak_bytes + 8prod(part(sizes[1]))) / 1e6, more / 1e6,
                 plan.info.sent_bytes / 1e6))
    TensorOxide.free(c)
    call(library, :MPI_Finalize)
end

"Runs this program on so many ranks, shows what it prints, and returns the lines for the model."
function started(folder, ranks)
    julia = `$(joinpath(Sys.BINDIR, "julia")) --startup-file=no --project=$(dirname(HERE))`
    lines = String[]
    open(`$(joinpath(folder, "mpiexec")) -n $ranks $julia $PROGRAM rank $folder`) do output
        for line in eachline(output)
            startswith(line, "@ ") ? push!(lines, line[3:end]) : (println(line); flush(stdout))
        end
    end
    return [(row[1], parse.(Float64, row[2:end])...) for row in split.(lines, '\t')]
end

function main(name = "mpich", ranks...)
    run(`sh $(joinpath(dirname(HERE), "deps", "mpi.sh")) $name`)
    folder = realpath(joinpath(dirname(HERE), ".tools", "mpi", name))
    ENV["JULIA_NUM_THREADS"] = ENV["OPENBLAS_NUM_THREADS"] = "1"
    alone = Dict{String,Float64}()
    for n in (isempty(ranks) ? (1, 2, 3, 4) : parse.(Int, ranks))
        for (name, leaves, seconds, bytes, apart) in started(folder, n)
            n == 1 && (alone[name] = seconds)
            haskey(alone, name) || continue
            slower = max(n / Sys.CPU_THREADS, 1)
            model = predicted(Int(leaves), n, slower * alone[name] / leaves, bytes, ONE_MACHINE; all = false,
                              blocks = apart == 1 ? Int(leaves) : 1)
            @printf("  %-34s %d ranks: %.4f s, the model says %.4f s; efficiency %.1f %%\n", name, n, seconds,
                    model.total, 100alone[name] / (seconds * min(n, Sys.CPU_THREADS)))
        end
    end
end

if length(ARGS) == 2 && first(ARGS) == "rank"
    include(joinpath(dirname(HERE), "test", "mpi", "library.jl"))
    measure(last(ARGS))
else
    main(ARGS...)
end
