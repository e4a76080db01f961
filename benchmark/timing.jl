# Timing without packages: batches of calls that are long enough for the clock.

median(x) = (s = sort(x); n = length(s); (s[(n+1)÷2] + s[n÷2+1]) / 2)

geometric_mean(x) = exp(sum(log, x) / length(x))

"Mean seconds per call of `f(args...)` over as many calls as take `least` seconds."
function seconds_per_call(f::F, least, args...) where {F}
    n = 1
    while (t = repeat_calls(f, n, args)) < least
        n = max(2n, ceil(Int, n * least / max(t, 1e-9)))
    end
    return t / n
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
    return string(three_digits(t * scale), ' ', unit)
end

three_digits(x) = string(x < 10 ? round(x; digits = 2) : x < 100 ? round(x; digits = 1) : round(Int, x))
