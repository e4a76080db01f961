# Contractions over MPI's ranks: what the road over MPI costs with one rank, how two ranks share the slices, and what
# memory each rank takes. The libraries come from `sh deps/mpi.sh`.
#
#   julia --project benchmark/distributed.jl [mpich|openmpi|abi] [ranks…]
#
# Starts itself under `mpiexec`; the ranks use one thread each.

using TensorOxide, Printf, LinearAlgebra

const HERE = @__DIR__

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

"The least of the seconds that some calls take."
best(f, n) = (f(); minimum(@elapsed(f()) for _ in 1:n))

resident() = parse(Int, match(r"VmHWM:\s*(\d+)", read("/proc/self/status", String)).captures[1]) << 10

function rank(folder)
    include(joinpath(HERE, "..", "test", "mpi", "library.jl"))
    Base.invokelatest(measure, folder)
end

function measure(folder)
    library = Base.invokelatest(open_library, folder)
    initialise(library)
    c = TensorOxide.communicator(library; handles(library, basename(folder))..., timeout = 60)
    TensorOxide.set_num_threads(1)
    say(text) = c.rank == 0 && (println(text); flush(stdout))
    for (name, side, bond, part, slices) in (("8×8 lattice, bonds of 6", 8, 6, 1, 0), ("10×10 lattice, bonds of 4", 10, 4, 8, 0))
        expression, sizes = lattice(side, bond)
        arrays = [rand(size...) ./ bond for size in sizes]
        plain = contraction_plan(expression, sizes; search_time = 0.2)
        limit = part == 1 ? 0 : Int(plain.info.peak_bytes) ÷ part
        path = TensorOxide.contraction_path(plain)
        before = resident()
        plan = contraction_plan(expression, sizes; comm = c, memory_limit = limit, slices = slices, path = path)
        n = 5
        seconds = best(() -> plan(arrays...; result = :root), n)
        more = resident() - before
        @eval GC.gc()
        say(@sprintf("%-28s %d ranks: %8.4f s, %d slices in %d pieces, %.2f× the arithmetic; promise %d bytes, resident %d more",
                     name, c.size, seconds, plan.info.plan.slices, plan.info.leaves, plan.info.slicing_overhead,
                     plan.info.plan.peak_bytes, more))
        if c.size == 1
            whole = contraction_plan(expression, sizes; memory_limit = limit, path = path)
            alone = best(() -> whole(arrays...), n)
            say(@sprintf("%-28s without MPI: %.4f s with %d slices, the road over MPI takes %+.1f %%", name, alone,
                         whole.info.slices, 100(seconds / alone - 1)))
        end
    end
    call(library, :MPI_Finalize)
end

if length(ARGS) == 2 && first(ARGS) == "rank"
    rank(last(ARGS))
else
    name = isempty(ARGS) ? "mpich" : first(ARGS)
    run(`sh $(joinpath(HERE, "..", "deps", "mpi.sh")) $name`)
    folder = realpath(joinpath(HERE, "..", ".tools", "mpi", name))
    julia = `$(joinpath(Sys.BINDIR, "julia")) --startup-file=no --project=$(joinpath(HERE, ".."))`
    ENV["JULIA_NUM_THREADS"] = ENV["OPENBLAS_NUM_THREADS"] = "1"
    for ranks in (length(ARGS) > 1 ? ARGS[2:end] : ["1", "2"])
        run(`$(joinpath(folder, "mpiexec")) -n $ranks $julia $(@__FILE__) rank $folder`)
    end
end
