# What a contraction that is shared out over many ranks is predicted to take: the cost model of docs/src/scaling.md,
# with the dealing of units simulated as rust/distributed/src/deal.rs does it. `distributed.jl` holds it against real
# runs.
#
#   julia --project benchmark/scaling.jl [seconds to search each path]

using TensorOxide, Printf

"Seconds: what a message takes, what rank 0 needs for one, what a byte takes."
const Machine = NamedTuple{(:latency, :service, :byte),NTuple{3,Float64}}
# What `distributed.jl` measures with two ranks on two cores (a call of one number is six messages, one after another),
# and what is supposed of a cluster's network.
const ONE_MACHINE = Machine((5e-7, 2.5e-7, 1 / 1.4e9))
const CLUSTER = Machine((2e-6, 1e-6, 1 / 10e9))
"Floating-point operations in a second of one thread: of the amplitude after 10 cycles, single precision, in 64 MiB."
const RATE = 1e11
"How often rank 0 looks for messages while its threads compute, in seconds."
const LOOK = 1e-3
"From how many seconds of a leaf on no unit is asked for ahead."
const AHEAD = 0.05

power_of_two(n) = 1 << (8sizeof(n) - 1 - leading_zeros(n))

# A heap of (time, rank), the earliest first.
function put!(heap, x)
    push!(heap, x)
    k = length(heap)
    while k > 1 && heap[k] < heap[k÷2]
        heap[k], heap[k÷2] = heap[k÷2], heap[k]
        k ÷= 2
    end
end
function take!(heap)
    x = heap[1]
    heap[1] = heap[end]
    pop!(heap)
    k, n = 1, length(heap)
    while 2k <= n
        least = 2k < n && heap[2k+1] < heap[2k] ? 2k + 1 : 2k
        heap[k] <= heap[least] && break
        heap[k], heap[least] = heap[least], heap[k]
        k = least
    end
    return x
end

"Numbers in [-1, 1) without a generator, so that every version of Julia has the same."
noise(k) = 2mod(k * 0.6180339887498949, 1) - 1

"""
Seconds until the last leaf is done, and the units that were dealt out: `leaves` leaves of `t` seconds each over `ranks`
ranks, whose speeds, and the leaves' times, differ by so much. A rank asks for its next unit when it begins one, if leaves
are short, and when it is done otherwise; rank 0 answers the others when it looks.
"""
function dealt(leaves, ranks, t, machine; speeds = 0.0, times = 0.0)
    heap = [(r == 1 ? 0.0 : machine.latency, r) for r in 1:ranks]
    next, unit, units, clerk, finish = 0, typemax(Int), 0, 0.0, 0.0
    busy = zeros(ranks)                 # when each is done with what it has
    while next < leaves
        asked, r = take!(heap)
        if r == 1
            answered = asked
        else
            clerk = max(clerk, LOOK * ceil(asked / LOOK)) + machine.service
            answered = clerk + machine.latency
        end
        unit = min(unit, power_of_two(max((leaves - next) ÷ 2ranks, 1)))
        n = min(unit, leaves - next)
        next += n
        units += 1
        begins = max(busy[r], answered)
        busy[r] = begins + n * t * (1 + speeds * noise(r)) * (1 + times * noise(units) / sqrt(n))
        finish = max(finish, busy[r])
        put!(heap, ((t < AHEAD ? begins : busy[r]) + (r == 1 ? 0.0 : machine.latency), r))
    end
    return finish, units
end

"""
Seconds of a run: agreeing and parting, the leaves, sums along a tree over the ranks, the result to all, or to rank 0. The
output has `bytes` bytes in so many blocks.
"""
function predicted(leaves, ranks, t, bytes, machine; blocks = 1, all = true, spread...)
    latency, service, byte = machine
    finish, units = dealt(leaves, ranks, t, machine; spread...)
    levels = ranks == 1 ? 0 : ceil(Int, log2(leaves ÷ blocks))
    star = ranks == 1 ? 0.0 : 4 * (ranks - 1) * service + 4latency
    owners = 16units * byte * min(ranks - 1, 64) + (ranks - 1) * service
    sums = levels * (latency + 2bytes / blocks * byte)
    result = all ? ceil(log2(ranks)) * (latency + bytes * byte) : (ranks - 1) / ranks * bytes * byte
    return (finish = finish, star = star, owners = owners, sums = sums, result = result, units = units,
            total = finish + star + owners + sums + result)
end

"A line for each number of ranks: `useful` is the part of the arithmetic that would be done without slices."
function table(name, leaves, t, bytes; useful = 1.0)
    println(name)
    for ranks in (1, 100, 1000, 10_000, 50_000)
        p = predicted(leaves, ranks, t, bytes, CLUSTER; speeds = 0.05, times = 0.02)
        efficiency = leaves * t / ranks / p.total
        @printf("  %6d ranks: %10.4g s, efficiency %5.1f %%, with the slicing %5.1f %%; ", ranks, p.total,
                100efficiency, 100efficiency * useful)
        @printf("units %7d, star %.1e, owners %.1e, sums %.1e, result %.1e s\n", p.units, p.star, p.owners, p.sums,
                p.result)
    end
end

"One amplitude of a circuit on Sycamore's qubits, in slices that fit so many GiB of each rank."
function amplitude(cycles, search_time)
    expression, sizes = sycamore(cycles)
    plan(; options...) = contraction_plan(expression, sizes; eltype = ComplexF32, options...)
    whole = plan(search_time = search_time)
    @printf("Sycamore, %d cycles: %.3g operations, %.3g GiB\n", cycles, whole.info.flops, whole.info.peak_bytes / 2^30)
    for gigabytes in (64, 16, 4, 1)
        limit = gigabytes << 30
        # The path of the least operations in slices, or one that was searched for this limit.
        sliced = [try plan(; memory_limit = limit, given...) catch; nothing end for given in
                  ((path = TensorOxide.contraction_path(whole),), (search_time = search_time,))]
        sliced = filter(!isnothing, sliced)
        isempty(sliced) && (println(" in $gigabytes GiB: no slicing was found"); continue)
        info = sliced[argmin([plan.info.flops for plan in sliced])].info
        overhead = info.flops / whole.info.flops
        leaves = min(power_of_two(Int(info.slices)), 1 << 16)
        table(@sprintf(" in %d GiB: %d slices, %.3g times the operations", gigabytes, info.slices, overhead), leaves,
              info.flops / RATE / leaves, 8; useful = 1 / overhead)
    end
end

function main(search_time = 60.0)
    for t in (1.0, 0.01, 0.001)
        table("65536 leaves of $t s", 65536, t, 8)
    end
    table("65536 leaves of 1 s, 1 GiB of output", 65536, 1.0, 1 << 30)
    foreach(cycles -> amplitude(cycles, search_time), (12, 14, 20))
end

if abspath(PROGRAM_FILE) == @__FILE__
    include("sycamore.jl")
    main(parse.(Float64, ARGS)...)
end
