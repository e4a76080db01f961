# One of three ranks of `mpiexec -n 3 julia failures.jl FOLDER WHAT RESULTS`: one of them is killed, stopped, or has no
# memory left in the middle of a run, and the others have to find out. Each that does writes a file into RESULTS.

include("library.jl")

const FOLDER, WHAT, RESULTS = ARGS
const TIMEOUT = 1.5
const LIBRARY = open_library(FOLDER)
initialise(LIBRARY)
const COMMUNICATOR = TensorOxide.communicator(LIBRARY; handles(LIBRARY, basename(FOLDER))..., timeout = 20)
const RANK = COMMUNICATOR.rank

mutable struct Limit
    soft::UInt64
    hard::UInt64
end
const ADDRESS_SPACE = 9
limit(resource) = (l = Limit(0, 0); ccall(:getrlimit, Cint, (Cint, Ref{Limit}), resource, l); l)
limit!(resource, l) = ccall(:setrlimit, Cint, (Cint, Ref{Limit}), resource, l)

"Sends this process a signal in a while, and perhaps another later."
signal(signals...) = run(`sh -c $(join(("sleep $t; kill -$s $(getpid())" for (t, s) in signals), "; "))`; wait = false)

# Some seconds of slices, so that what happens happens in between.
plan = contraction_plan("bij,bjk,bkl->il", ((4000, 96, 96), (4000, 96, 96), (4000, 96, 96)); comm = COMMUNICATOR,
                        slices = 4000)
A = fill(1e-3, 4000, 96, 96)
plan(A, A, A)
# A shorter patience, now that all ranks have compiled what they need.
const SHORT = TensorOxide.communicator(LIBRARY; handles(LIBRARY, basename(FOLDER))..., timeout = TIMEOUT)
plan = contraction_plan("bij,bjk,bkl->il", ((4000, 96, 96), (4000, 96, 96), (4000, 96, 96)); comm = SHORT, slices = 4000)
started = time()
RANK == 2 && WHAT == "kill" && signal((0.2, "KILL"))
RANK == 0 && WHAT == "kill-root" && signal((0.2, "KILL"))
RANK == 1 && WHAT == "stop" && signal((0.2, "STOP"), (3.5, "CONT"))
# An intermediate of some 140 megabytes in each slice.
n = 12_000
x = fill(1.0, n)
large() = contraction_plan("i,j,i,j->", ntuple(_ -> (n,), 4); comm = SHORT, slices = 8, path = [(0, 1), (0, 1), (0, 1)])
wide = WHAT == "memory" ? large() : plan
const BEFORE = limit(ADDRESS_SPACE)
if WHAT == "memory" && RANK == 1
    pages = parse(UInt64, first(split(read("/proc/self/statm", String))))
    limit!(ADDRESS_SPACE, Limit(4096pages + (32 << 20), BEFORE.hard))
end
found = try
    if WHAT == "memory"
        wide(x, x, x, x)
    else
        for _ in 1:1000
            plan(A, A, A)
        end
    end
    nothing
catch thrown
    thrown
end
seconds = time() - started
WHAT == "memory" && RANK == 1 && limit!(ADDRESS_SPACE, BEFORE)
again = try plan(A, A, A); nothing catch thrown; thrown end
write(joinpath(RESULTS, string(RANK)), string(typeof(found), '\n', seconds, '\n', again isa ErrorException, '\n',
                                              found === nothing ? "" : sprint(showerror, found)))
# A rank that goes on finds the others' memory, which MPI shares, as it was.
WHAT == "stop" && sleep(max(0, started + 7 - time()))
# MPI cannot be finalised when a rank is gone.
flush(stdout)
ccall(:_exit, Cvoid, (Cint,), 0)
