# Runs the tests named on the command line (without `.jl`), or all; ends with one line that machines can read, and with
# an exit status that says whether all passed.
using Test

const FILES = ["views", "oxidearray", "network", "blocks", "standard", "einsum", "semiring", "plans", "paths", "linalg",
               "factorizations", "eig", "driver", "linalg_solve", "krylov", "rules", "gradient", "indices", "scratch",
               "oracles", "errors", "storage", "host", "distributed",
               "doctests", "build", "examples"]

include("layouts.jl")
include("factors.jl")
include("standard/reference.jl")

"Passed, and failed or broken off, tests of a finished test set."
function counts(set)
    n = Test.get_test_counts(set)
    n isa Tuple && return n[1] + n[5], n[2] + n[3] + n[6] + n[7]
    return n.passes + n.cumulative_passes, n.fails + n.errors + n.cumulative_fails + n.cumulative_errors
end

passed, failed = try
    counts(@testset "TensorOxide" begin
        for file in (isempty(ARGS) ? FILES : ARGS)
            @testset "$file" begin
                seconds = @elapsed include("$file.jl")
                println(rpad(file, 12), round(seconds; digits = 1), " s")
            end
        end
    end)
catch e
    e isa Test.TestSetException || rethrow()
    e.pass, e.fail + e.error
end

println("Julia tests: $passed passed, $failed failed")
failed == 0 && passed > 0 || exit(1)
