# One task by what runs here and by the peers: their results checked against ours, all timed in turns.

const TASK = "task"

"""
The median seconds per call of each contender, a function that times itself over at least the seconds it is given. They
take turns, `fewest` to 15 rounds within about `budget` seconds, so that what disturbs the machine disturbs all of them.
"""
function in_turns(contenders; least = 0.02, budget = 3.0, fewest = 3)
    once = [contender(0.0) for contender in contenders]
    rounds = clamp(floor(Int, budget / sum(max.(once, 2least))), fewest, 15)
    times = [Float64[] for _ in contenders]
    for _ in 1:rounds, (contender, seen) in zip(contenders, times)
        # Threads of the one before may still spin in wait for more: MKL's do so for 0.2 s.
        TensorOxide.num_threads() > 1 && sleep(0.25)
        push!(seen, contender(least))
    end
    return median.(times)
end

"""
Median seconds of each of `here`, functions that time themselves over at least the seconds that they are given, and of
each peer (`NaN` where it refuses, with a line that says why). `load(peer)` has a peer load the task; its result has to
agree with `C`, which is ours.
"""
function compare(load, peers, here, C; options...)
    able = filter(peer -> agrees(load, peer, C), peers)
    times = in_turns([here; [least -> seconds(peer, TASK, least) for peer in able]]; options...)
    foreach(peer -> ask(peer, "forget", TASK), able)
    theirs = Dict(zip((peer.name for peer in able), times[length(here)+1:end]))
    return times[1:length(here)], [get(theirs, peer.name, NaN) for peer in peers]
end

"Can the peer load and run the task? Throws if its result is another than `C`."
function agrees(load, peer, C::AbstractArray{T}) where {T}
    D = try
        load(peer)
        mktemp((file, _) -> result!(similar(C), peer, TASK, file))
    catch refused
        refused isa Refused || rethrow()
        println("    ", refused.text)
        return false
    end
    difference = maximum(abs, C .- D) / maximum(abs, C)
    difference <= tolerance(T) || error("$(peer.name) and this engine differ by $difference of the largest element")
    return true
end

"Give `f` the name of a file in which the arrays lie one after another."
function with_file(f, arrays)
    mktemp() do file, io
        foreach(A -> write(io, A), arrays)
        close(io)
        f(file)
    end
end

"`compare` for a contraction: `plan` into an array that is kept, and the peers along `path`."
function compare_contraction(peers, plan::ContractionPlan{T}, expression, operands, path; options...) where {T}
    C = kept(plan(operands...))
    ours(least) = seconds_per_call(run_plan, least, plan, C, operands)
    with_file(operands) do file
        load(peer) = load_contraction(peer, TASK, T, expression, collect.(size.(operands)), path, file)
        compare(load, peers, [ours], C; options...)
    end
end

run_plan(plan, C, operands) = plan(C, operands...)
kept(C::AbstractArray) = C
kept(x::Number) = fill(x)
