# Timing without packages: medians of batches that are long enough for the clock.

median(x) = (s = sort(x); n = length(s); (s[(n+1)÷2] + s[n÷2+1]) / 2)

"Median over `batches` of the seconds per call of `f(args...)`, each batch at least `least` seconds long."
function seconds_per_call(f::F, args...; batches = 15, least = 0.01) where {F}
    repeat_calls(f, 1, args)
    n = 1
    while (t = repeat_calls(f, n, args)) < least
        n = max(2n, ceil(Int, n * least / max(t, 1e-9)))
    end
    return median([repeat_calls(f, n, args) / n for _ in 1:batches])
end

@noinline function repeat_calls(f::F, n, args::A) where {F,A}
    start = time_ns()
    for _ in 1:n
        f(args...)
    end
    return (time_ns() - start) / 1e9
end

"A time with three digits and its unit."
function pretty(t)
    unit, scale = t < 1e-6 ? ("ns", 1e9) : t < 1e-3 ? ("µs", 1e6) : t < 1 ? ("ms", 1e3) : ("s", 1.0)
    x = t * scale
    return string(round(x; digits = x < 10 ? 2 : x < 100 ? 1 : 0), ' ', unit)
end
