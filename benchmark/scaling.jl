# What a contraction that is shared out over many ranks is predicted to take: the cost model of docs/src/scaling.md, with
# the dealing of units simulated as rust/distributed/src/deal.rs does it.
#
#   julia --project benchmark/scaling.jl
#
# The constants are those that benchmark/ranks.c measured; see docs/src/scaling.md.

using TensorOxide, Printf

"Seconds: what a message takes, what rank 0 needs for one, what a byte takes."
const LATENCY, SERVICE, BYTE = 2e-6, 1e-6, 1 / 10e9
"The spread of the ranks' speeds, and of the leaves' times."
const SPEEDS, LEAVES = 0.05, 0.02

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
ranks. A rank asks for its next unit when it begins one, if leaves are short, and when it is done otherwise.
"""
function dealt(leaves, ranks, t)
    heap = [(LATENCY, r) for r in 1:ranks]
    next, unit, units, clerk, finish = 0, typemax(Int), 0, 0.0, 0.0
    ahead = t < 0.05
    busy = zeros(ranks)                 # when each is done with what it has
    while next < leaves
        asked, r = take!(heap)
        clerk = max(clerk, asked) + SERVICE
        unit = min(unit, power_of_two(max((leaves - next) ÷ 2ranks, 1)))
        n = min(unit, leaves - next)
        next += n
        units += 1
        begins = max(busy[r], clerk + LATENCY)
        took = n * t * (1 + SPEEDS * noise(r)) * (1 + LEAVES * noise(units) / sqrt(n))
        busy[r] = begins + took
        finish = max(finish, busy[r])
        put!(heap, ((ahead ? begins : busy[r]) + LATENCY, r))
    end
    return finish, units
end

"Seconds of a run: agreeing and parting, the leaves, sums along a tree over the ranks, the result to all."
function predicted(leaves, ranks, t, bytes)
    finish, units = dealt(leaves, ranks, t)
    star = 4 * (ranks - 1) * SERVICE + 4LATENCY
    owners = 16units * BYTE * min(ranks - 1, 64) + (ranks - 1) * SERVICE
    levels = ceil(Int, log2(leaves))
    sums = ranks == 1 ? 0.0 : levels * (LATENCY + 2bytes * BYTE)
    result = ceil(log2(ranks)) * (LATENCY + bytes * BYTE)
    return (finish = finish, star = star, owners = owners, sums = sums, result = result, units = units,
            total = finish + star + owners + sums + result)
end

if abspath(PROGRAM_FILE) == @__FILE__
    # Leaves, seconds of a leaf, bytes of a block; the second and third as measured.
    for (name, leaves, t, bytes) in (("65536 leaves of 1 s", 65536, 1.0, 8), ("65536 leaves of 10 ms", 65536, 0.01, 8),
                                     ("65536 leaves of 1 ms", 65536, 1e-3, 8),
                                     ("65536 leaves of 1 s, 1 GiB of output", 65536, 1.0, 1 << 30))
        println(name)
        for ranks in (1, 2, 4, 16, 100, 1000, 10_000, 50_000)
            p = predicted(leaves, ranks, t, bytes)
            ideal = leaves * t / ranks
            @printf("  %6d ranks: %11.4f s, efficiency %5.1f %%; units %7d, star %.1e, owners %.1e, sums %.1e, result %.1e s\n",
                    ranks, p.total, 100ideal / p.total, p.units, p.star, p.owners, p.sums, p.result)
        end
    end
end
