# One plan, and the table of remembered plans, used from many tasks on several threads at once; exits with 1 if a result
# differs in a single bit. Started by plans.jl, because the number of threads is fixed when Julia starts.
using TensorOxide, LinearAlgebra
const TO = TensorOxide

"Run `f(k)` for `k = 1:n` at the same time, and say whether all results are true; what a task throws is thrown."
function together(f, n)
    spawned = map(k -> Threads.@spawn(f(k)), 1:n)
    return all(fetch, spawned)
end

function tasks(n)
    plan = contraction_plan("abc,cde->abde", [(6, 2, 6), (6, 2, 6)]; eltype = ComplexF64)
    return together(n) do k
        A, B = fill(ComplexF64(k), 6, 2, 6), fill(1.0im, 6, 2, 6)
        C = similar(A, 6, 2, 2, 6)
        all(1:200) do trial
            plan(C, A, B)
            m = 1 + (k + trial) % 300
            U, S, Vᴴ = TO.svd_compact([k 0.0; 0.0 trial])
            trial % 50 == 0 && GC.gc(false)
            all(isequal(6im * k), C) && einsum("i,i->", ones(m), fill(Float64(k), m)) == m * k &&
                S == [max(k, trial), min(k, trial)]
        end
    end
end

# Of operands that no two tasks share, and of values that make each result its own.
operands(k) = [[Float64(mod(7i + 3j + k, 11)) / 8 for i in 1:40, j in 1:40] .+ shift for shift in (0, 1, -1)]
const CHAIN = "ab,bc,cd->ad"

"""
One plan run by all tasks at once, into layouts that differ between them, equals the same calls made one after another:
in every bit, though the sums of these operands are rounded.
"""
function shared(plan, n)
    # Every other call has other strides, for which the plan's steps are made anew.
    outputs(k) = (C = fill(NaN, 40, 40); (C, transpose(similar(C))))
    run(k, out) = copy(plan(out, (sin.(8A) for A in operands(k))...))
    alone = [run.(k, outputs(k)) for k in 1:n]
    return together(n) do k
        outs = outputs(k)
        all(trial -> isequal(run(k, outs[1+trial%2]), alone[k][1+trial%2]), 1:30)
    end
end

"`einsum!` of few expressions from all tasks: found in the table at once, and right."
function remembered(n)
    TO.forget_plans()
    return together(n) do k
        A, B, _ = operands(k)
        C = similar(A)
        S = similar(A)
        expected = A * B
        all(1:100) do trial
            m = 1 + trial % 5
            X, Y = view(A, 1:8m, 1:8), view(B, 1:8, 1:8m)
            # In eighths, so every sum is exact in any order.
            einsum!(view(C, 1:8m, 1:8m), "ij,jk->ik", X, Y)
            einsum!(view(S, 1:8m, 1:8m), ((1, 2), (2, 3)) => (1, 3), X, Y; semiring = MaxPlus())
            view(C, 1:8m, 1:8m) == X * Y &&
                all(S[i, j] == maximum(X[i, l] + Y[l, j] for l in 1:8) for i in (1, 8m), j in (1, 8m)) &&
                einsum("ij,jk->ik", A, B) == expected
        end
    end
end

"Many more expressions than the table has places, from all tasks at once: right, and the table within its bounds."
function flooded(n)
    TO.forget_plans()
    right = together(n) do k
        all(1:2TO.CACHED_PLANS÷n) do trial
            A = fill(Float64(k), trial, 1 + k)
            einsum(((100 + trial, k),) => (k,), A) == fill(Float64(k) * trial, 1 + k)
        end
    end
    kept = filter(!isnothing, TO.CACHE.places)
    return right && length(kept) <= TO.CACHED_PLANS && TO.CACHE.bytes == sum(TO.bytes, kept) <= TO.CACHED_BYTES
end

function main()
    Threads.nthreads() > 1 || error("started with one thread")
    shapes = fill((40, 40), 3)
    limit = contraction_plan(CHAIN, shapes).info.peak_bytes ÷ 2
    plans = [contraction_plan(CHAIN, shapes), contraction_plan(CHAIN, shapes; semiring = MaxPlus()),
             contraction_plan(CHAIN, shapes; memory_limit = limit, minimize = :size)]
    last(plans).info.slices > 1 || error("half the memory does not slice the plan")
    checks = ["tasks" => () -> tasks(16), "remembered" => () -> remembered(8), "flooded" => () -> flooded(8)]
    # Slices over the engine's own threads, inside of Julia's.
    for threads in (1, 3), (k, plan) in enumerate(plans)
        push!(checks, "plan $k with $threads threads each" => () -> (TO.set_num_threads(threads); shared(plan, 8)))
    end
    for (name, check) in checks
        check() || (println(stderr, "threads: wrong results in \"", name, '"'); exit(1))
    end
end

main()
