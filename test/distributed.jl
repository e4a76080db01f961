# Contractions over the ranks of an MPI communicator, under the real `mpiexec` of two libraries, and a third with the
# standard ABI. What the ranks do is in test/mpi.

using Test, TensorOxide

# Not within backticks, where Julia 1.5 takes the working directory for `@__DIR__`.
const MPI_TESTS, MPI_SCRIPT = joinpath(@__DIR__, "mpi"), joinpath(dirname(@__DIR__), "deps", "mpi.sh")
const MPI_FOLDER = joinpath(dirname(@__DIR__), ".tools", "mpi")
const RANK_JULIA = `$(joinpath(Sys.BINDIR, "julia")) --startup-file=no`

"""
Starts ranks on so many threads each, and returns the process and what it prints. A script that is short is interpreted
sooner than it is compiled.
"""
function start(library, ranks, options, script, args...; threads = 1, shield = ``, interpret = false)
    mpiexec = joinpath(MPI_FOLDER, library, "mpiexec")
    output = IOBuffer()
    mode = interpret ? `--compile=min` : `-O0 --inline=no`
    project, folder = dirname(dirname(MPI_TESTS)), realpath(joinpath(MPI_FOLDER, library))
    julia = `$RANK_JULIA $mode --project=$project $(joinpath(MPI_TESTS, script)) $folder $args`
    process = withenv("JULIA_NUM_THREADS" => threads, "OPENBLAS_NUM_THREADS" => 1) do
        run(pipeline(`$mpiexec $options -n $ranks $shield $julia`; stdout = output, stderr = output); wait = false)
    end
    return process, output
end

"Whether a started process ends well within some time; it is killed otherwise, and what it printed is shown."
function ends((process, output), seconds = 120)
    timedwait(() -> process_exited(process), float(seconds); pollint = 0.1)
    process_exited(process) || kill(process, Base.SIGKILL)
    wait(process)
    success(process) || println(String(take!(copy(output))))
    return success(process)
end
printed((process, output)) = filter(line -> startswith(line, r"Float|Complex"), split(String(take!(output)), '\n'))

@testset "without MPI" begin
    @test_throws ArgumentError contraction_plan("ij,jk->ik", ((2, 2), (2, 2)); comm = 1)
    @test_throws ArgumentError contraction_plan("ij,jk->ik", ((2, 2), (2, 2)); comm = nothing, memory_limit = -1)
end

if Sys.islinux() && isfile("/etc/debian_version")
    @testset "MPI libraries" begin
        @test success(pipeline(`sh $MPI_SCRIPT`; stderr = stderr))
    end

    # All numbers of ranks have to print the same.
    @testset "results of $library" for library in ("mpich", "openmpi", "abi")
        reference = nothing
        for ranks in (library == "abi" ? (1, 2) : 1:4)
            everything = ranks == 2 ? ["everything"] : String[]
            started = start(library, ranks, ``, "results.jl", everything...; threads = ranks == 2 ? 2 : 1,
                            interpret = ranks != 2)
            @test ends(started)
            lines = printed(started)
            @test !isempty(lines)
            reference = something(reference, last(lines))
            @test last(lines) == reference
        end
    end

    # What keeps `mpiexec` from killing all ranks when one dies, so that they can find out themselves.
    survive(library) = library == "openmpi" ? `--continuous --mca orte_enable_recovery 1` : `-disable-auto-cleanup`
    @testset "failures under $library" for library in ("mpich", "openmpi")
        folders = Dict(what => mktempdir() for what in ("kill", "kill-root", "stop", "memory"))
        shield = `sh $(joinpath(MPI_TESTS, "shield.sh"))`
        started = Dict(what => start(library, 3, survive(library), "failures.jl", what, folder; shield = shield)
                       for (what, folder) in folders)
        # What `mpiexec` says of ranks that were killed does not matter here.
        for (what, (process, output)) in started
            timedwait(() -> process_exited(process), 60.0; pollint = 0.1)
            process_exited(process) || kill(process, Base.SIGKILL)
            dead = what == "kill" ? 2 : what == "kill-root" ? 0 : -1
            for rank in filter(!=(dead), 0:2)
                file = joinpath(folders[what], string(rank))
                @test isfile(file) || (println(String(take!(copy(output)))); false)
                isfile(file) || continue
                type, seconds, broken, text = split(read(file, String), '\n'; limit = 4)
                own = what == "memory" && rank == 1
                @test type == (own ? "OutOfMemoryError" : "ErrorException")
                # The patience of 1.5 s, and what three loaded ranks on two cores need.
                @test parse(Float64, seconds) < 20
                @test broken == "true"
                named = what == "memory" ? "rank 1" : what == "stop" ? "rank" : "rank $dead"
                @test own || occursin(named, text)
            end
        end
    end
end
