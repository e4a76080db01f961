# Runs the benchmarks named on the command line (without `.jl`), or all:
#
#     julia --project benchmark/runbenchmarks.jl [firstuse] [contraction]
for name in (isempty(ARGS) ? ["firstuse", "contraction"] : copy(ARGS))
    @eval module $(Symbol(name))
    Base.include(@__MODULE__, joinpath($(@__DIR__), $(name * ".jl")))
    end
    println()
end
