# The DMRG example: energies against exact ones, its parts one by one, its command line, and the files that it writes.

module DMRGExample
include(joinpath(@__DIR__, "..", "examples", "dmrg.jl"))
end

module InfiniteChainExample
include(joinpath(@__DIR__, "..", "examples", "imps.jl"))
end

module DMRGExampleTests

using LinearAlgebra, Random, TensorOxide, Test
import ..DMRGExample
const X = DMRGExample
const TYPES = (Float32, Float64, ComplexF32, ComplexF64)

"H of a chain of N sites as a matrix, from bonds Σ A⊗B and fields C; the chain by Kronecker products, no MPO in it."
function dense(N, bonds, fields)
    d = size(first(bonds)[1], 1)
    identity(n) = Matrix(1.0I, d^n, d^n)
    place(i, operators...) = kron(identity(i - 1), operators..., identity(N - i - length(operators) + 1))
    sum(place(i, A, B) for (A, B) in bonds for i in 1:N-1) + sum(place(i, C) for C in fields for i in 1:N)
end
ground(H) = eigvals(Hermitian(H))[1]

const Z, FLIP, NOTHING = [1.0 0; 0 -1], [0.0 1; 1 0], zeros(2, 2)
heisenberg_half(N) = dense(N, [(Z / 4, Z), ([0 0.5; 0 0], [0 0; 1.0 0]), ([0 0; 0.5 0], [0 1.0; 0 0])], [NOTHING])
function heisenberg_one(N)
    S⁺ = sqrt(2) * [0 1.0 0; 0 0 1; 0 0 0]
    dense(N, [(Diagonal([1.0, 0, -1]), Diagonal([1.0, 0, -1])), (S⁺ / 2, S⁺'), (S⁺' / 2, S⁺)], [zeros(3, 3)])
end
ising(N, h) = dense(N, [(-Z, Z)], [-h * FLIP])

function solve(T, model, N; seed = 1, maxdims = model.maxdims, cutoff = model.cutoff)
    ψ = X.random_mps(MersenneTwister(seed), T, N, model.physical)
    X.dmrg(model.build(T, N), ψ; maxdims = maxdims, cutoff = cutoff)
end

"Exit code, standard output and standard error of the example's `main`."
function call_main(arguments...)
    mktempdir() do folder
        out, err = joinpath(folder, "out"), joinpath(folder, "err")
        code = open(out, "w") do o
            open(e -> redirect_stdout(() -> redirect_stderr(() -> X.main(collect(String, arguments)), e), o), err, "w")
        end
        code, read(out, String), read(err, String)
    end
end

"Is every tag of the XML text closed in turn, with nothing that is not a tag, an attribute in quotes, or plain text?"
function well_formed(xml)
    open_tags = SubString{String}[]
    token = r"<(/?)(\w+)((?:\s+[\w-]+=\"[^\"<&]*\")*)\s*(/?)>|[^<>&]+"
    position = 1
    for m in eachmatch(token, xml)
        m.offset == position || return false
        position += ncodeunits(m.match)
        m.captures[2] === nothing && continue
        if m.captures[1] == "/"
            isempty(open_tags) || pop!(open_tags) != m.captures[2] ? (return false) : continue
        end
        m.captures[4] == "/" || push!(open_tags, m.captures[2])
    end
    isempty(open_tags) && position == ncodeunits(xml) + 1
end

include("hdf5.jl")
const HDF5_READY = try
    load_test_hdf5()
    true
catch e
    println("left out: a run that is stopped and goes on: ", sprint(showerror, e))
    false
end

@testset "DMRG example" begin

@testset "energies of small chains" begin
    # Exact energies, to 12 decimals. A cutoff w leaves an error of about N·w·‖H‖ in these, far below 1e-8.
    for (N, E) in (4 => -1.616025403784, 10 => -4.258035207283, 12 => -5.142090632841)
        @test solve(Float64, X.heisenberg_model(1 // 2, N), N)[1] ≈ E atol = 1e-8
    end
    for (N, E) in (4 => -4.645751311065, 6 => -7.370274969425, 10 => -12.894560132211)
        @test solve(Float64, X.heisenberg_model(1 // 1, N), N)[1] ≈ E atol = 1e-8
    end
    for N in (10, 20)
        @test solve(Float64, X.ising_model(1.0, N), N)[1] ≈ 1 - 1 / sin(π / (2 * (2N + 1))) atol = 1e-8
    end
    for N in (2, 3), seed in 1:3
        @test solve(Float64, X.ising_model(0.7, N), N; seed = seed)[1] ≈ ground(ising(N, 0.7)) atol = 1e-8
    end
end

@testset "exact diagonalisation, $T" for T in TYPES
    # In single precision rounding decides: some tens of ε of the energy.
    tolerance = max(1e-8, 50 * eps(real(T)) * 7)
    for (model, N, H) in ((X.heisenberg_model(1 // 2, 6), 6, heisenberg_half(6)),
                          (X.heisenberg_model(1 // 1, 4), 4, heisenberg_one(4)),
                          (X.ising_model(0.7, 6), 6, ising(6, 0.7)))
        energy, ψ, records = solve(T, model, N)
        @test energy ≈ ground(H) atol = tolerance
        @test X.expectation(model.build(T, N), ψ) ≈ ground(H) atol = tolerance
        @test eltype(ψ[1]) == T && all(isfinite, ψ[1])
        @test energy == records[end].energy
    end
end

@testset "reference energies" begin
    @test X.ising_model(1.0, 100).reference ≈ 1 - 1 / sin(π / 402) atol = 1e-10
    @test X.ising_model(0.5, 100).reference ≈ -105.483769949642 atol = 1e-10
    @test X.ising_model(2.0, 100).reference ≈ -212.577312910008 atol = 1e-10
    @test X.ising_model(-0.3, 5).reference ≈ ground(ising(5, -0.3)) atol = 1e-12
    @test X.heisenberg_model(1 // 1, 4).reference ≈ ground(heisenberg_one(4)) atol = 1e-11
    @test X.heisenberg_model(3 // 2, 4).reference === nothing
end

@testset "the limits of a sweep hold" begin
    model, N = X.heisenberg_model(1 // 2, 12), 12
    _, ψ, records = solve(Float64, model, N; maxdims = [3, 7, 1], cutoff = 0.0)
    @test [r.bond for r in records] == [3, 7, 1]
    @test all(A -> size(A, 1) == size(A, 3) == 1, ψ)
    @test [r.maxdim for r in records] == [3, 7, 1] && [r.sweep for r in records] == 1:3
    @test records[2].energy < records[1].energy && records[2].truncation < records[1].truncation
    # A product state has at best the energy of the Néel state, −1/4 for each bond, and a sweep ends with one of these.
    @test X.expectation(model.build(Float64, N), ψ) ≥ -11 / 4 - 1e-12
    loose = solve(Float64, model, N; maxdims = fill(50, 3), cutoff = 1e-4)[3][end]
    @test loose.bond < 20 && 0 < loose.truncation ≤ 1e-4
end

@testset "the same seed gives the same bits" begin
    model = X.heisenberg_model(1 // 2, 10)
    energies(seed) = [r.energy for r in solve(Float64, model, 10; seed = seed, maxdims = [10, 20])[3]]
    @test energies(5) == energies(5)
    @test energies(5)[1] != energies(6)[1]
end

@testset "spin operators, $T" for T in TYPES
    for S in (1 // 2, 1 // 1, 3 // 2)
        Sz, S⁺, S⁻ = X.spin_operators(T, S)
        @test Sz isa Matrix{T} && S⁺ isa Matrix{T} && S⁻ isa Matrix{T}
        @test S⁺ * S⁻ - S⁻ * S⁺ ≈ 2Sz
        @test Sz^2 + (S⁺ * S⁻ + S⁻ * S⁺) / 2 ≈ S * (S + 1) * I
    end
end

@testset "random state, $T" for T in TYPES
    ψ = X.random_mps(MersenneTwister(3), T, 7, 2; bond = 5)
    @test size.(ψ) == [(1, 2, 2), (2, 2, 4), (4, 2, 5), (5, 2, 5), (5, 2, 4), (4, 2, 2), (2, 2, 1)]
    for A in ψ
        rows = reshape(A, size(A, 1), :)
        @test rows * rows' ≈ I
    end
end

@testset "Lanczos, $T" for T in TYPES
    n = 7
    rng = MersenneTwister(4)
    A = randn(rng, T, n, n)
    A = A + A'
    λ, V = eigen(Hermitian(A))
    plan = X.contraction_plan("ij,j->i", ((n, n), (n,)); eltype = T)
    map, space = X.TensorOxide.PlannedMap(plan, A; free = 2), X.TensorOxide.KrylovSpace{T}()
    search(θ; kwargs...) = X.ground_state(map, θ, space; kwargs...)
    tolerance = 100 * n * eps(real(T)) * opnorm(A)

    energy, θ, products = search(randn(rng, T, n); krylovdim = n, tol = 0)
    @test energy ≈ λ[1] atol = tolerance
    @test products ≤ n
    @test norm(A * θ - λ[1] * θ) ≤ tolerance && norm(θ) ≈ 1

    # Fewer vectors: an upper bound that is better than the start; H meets an eigenvector once and is content.
    θ = randn(rng, T, n)
    start = real(dot(θ, A, θ)) / norm(θ)^2
    energy, θ, products = search(θ; krylovdim = 3, tol = 0)
    @test products == 3 && λ[1] - tolerance ≤ energy < start
    @test real(dot(θ, A, θ)) ≈ energy atol = tolerance
    energy, θ, products = search(V[:, 1] * 2; krylovdim = 5, tol = 1e-4)
    @test products == 1
    @test energy ≈ λ[1] atol = tolerance
end

@testset "plans are kept and let go" begin
    plans = X.Plans{Float64}(capacity = 2)
    plan(n; conj = ()) = X.plan!(plans, "ij,j->i", ones(n, 2), ones(2); conj = conj)
    @test plan(3) === plan(3)
    @test plan(4) !== plan(3) && plan(3; conj = (1,)) !== plan(3)
    @test length(plans.made) == 3
    X.forget_old!(plans)
    @test isempty(plans.made)
    plan(3)
    X.forget_old!(plans)
    @test length(plans.made) == 1
    C = ones(3)
    X.contract!(C, plans, "ij,j->i", ones(3, 2), [1.0, 2.0]; α = 2, β = -1)
    @test C == fill(5.0, 3)
end

@testset "sizes that do not fit" begin
    model = X.ising_model(1.0, 4)
    ψ = X.random_mps(MersenneTwister(1), Float64, 4, 2)
    @test_throws ArgumentError X.dmrg(model.build(Float64, 5), ψ; maxdims = [4], cutoff = 0.0)
    @test_throws ArgumentError X.dmrg(model.build(Float64, 1), ψ[1:1]; maxdims = [4], cutoff = 0.0)
end

@testset "command line" begin
    settings = X.read_settings(String[])
    @test settings.N == 100 && settings.maxdims == [10, 20, 100, 100, 200] && settings.cutoff == 1e-11
    @test settings.eltype == Float64 && settings.output == "dmrg-heisenberg-N100" && settings.threads === nothing
    settings = X.read_settings(split("--model ising --h=-0.5 --length 8 --maxdim 4,8 --sweeps 4 --cutoff 1e-6 " *
                                     "--krylov 3 --seed 7 --eltype ComplexF32 --threads 2 --output some/run"))
    @test settings.model.title == "transverse Ising chain, h = -0.5, N = 8" && settings.maxdims == [4, 8, 8, 8]
    @test (settings.cutoff, settings.krylovdim, settings.seed) == (1e-6, 3, 7)
    @test (settings.eltype, settings.threads, settings.output) == (ComplexF32, 2, "some/run")
    @test X.read_settings(["--sweeps", "2"]).maxdims == [10, 20]
    @test X.read_settings(["--output", "runs/"]).output == joinpath("runs", "dmrg-heisenberg-N100")
    for (spin, d) in ("1/2" => 2, "0.5" => 2, "1" => 3, "3/2" => 4, "1.5" => 4, "2" => 5)
        @test X.read_settings(["--spin", spin]).model.physical == d
    end
    @test X.read_settings(["--model", "heisenberg1"]).model.name == X.read_settings(["--spin", "1"]).model.name

    code, out, err = call_main("--help")
    @test code == 0 && isempty(err)
    names = split("model spin h length maxdim sweeps cutoff krylov seed eltype threads output help")
    @test all(name -> occursin("--$name ", out), names)

    wrong = ["--lenght 10" => "--lenght", "ising" => "ising", "--length" => "--length", "--length 1" => "--length",
             "--length --seed 1" => "--length", "--length ten" => "ten", "--length 1e3" => "1e3",
             "--maxdim 10,,20" => "--maxdim", "--maxdim 0" => "--maxdim", "--sweeps 0" => "--sweeps",
             "--cutoff -1" => "--cutoff", "--cutoff NaN" => "--cutoff", "--krylov 1" => "--krylov",
             "--seed -1" => "--seed",
             "--eltype Float16" => "Float16", "--threads 0" => "--threads", "--model xy" => "xy",
             "--spin 1/3" => "--spin", "--spin 0" => "--spin", "--spin 0.3" => "0.3", "--spin Inf" => "--spin",
             "--model ising --spin 1" => "--spin", "--h 1" => "--h", "--model ising --h NaN" => "--h"]
    for (arguments, named) in wrong
        code, out, err = call_main(split(arguments)...)
        @test code == 2 && isempty(out)
        @test startswith(err, "dmrg: ") && occursin(named, err) && count(isequal('\n'), err) == 1
    end
end

@testset "what a run prints and writes" begin
    mktempdir() do folder
        code, out, err = call_main(split("--length 6 --sweeps 3 --seed 2 --output")..., joinpath(folder, "new", "run"))
        @test code == 0 && isempty(err)
        lines = split(out, '\n')
        @test count(startswith("sweep"), lines) == 3
        for (start, word) in ("sweep  3" => "bond dimension", "energy" => "-2.49357", "reference" => "none",
                              "time" => "SVD", "allocated" => "MiB", "written" => "run.svg")
            @test count(line -> startswith(line, start) && occursin(word, line), lines) == 1
        end

        rows = [split(line, ',') for line in eachline(joinpath(folder, "new", "run.csv"))]
        @test length(rows) == 4 && all(row -> length(row) == length(rows[1]), rows)
        column(name) = [parse(Float64, row[findfirst(isequal(name), rows[1])]) for row in rows[2:end]]
        @test column("sweep") == 1:3 && column("maxdim") == [10, 20, 100]
        @test column("energy")[end] ≈ ground(heisenberg_half(6)) atol = 1e-8
        @test column("bond_dimension")[end] == 8
        accounts = ["contraction_seconds", "svd_seconds", "lanczos_seconds", "rest_seconds"]
        @test column("seconds") ≈ sum(column.(accounts)) && all(all(≥(0), column(account)) for account in accounts)
        @test all(>(0), column("products_with_h")) && all(>(0), column("allocated_bytes"))

        svg = read(joinpath(folder, "new", "run.svg"), String)
        @test well_formed(svg)
        @test occursin("spin-½ Heisenberg chain, N = 6", svg) && count("<circle", svg) == 6
        lines = [m.captures[1] for m in eachmatch(r"points=\"([^\"]*)\"", svg)]
        points = [parse.(Float64, split(point, ',')) for line in lines for point in split(line)]
        @test length(points) == 9 && all(p -> 0 < p[1] < 720 && 0 < p[2] < 600, points)

        # A file stands where the folder should be: said in a line, before any work.
        code, out, err = call_main("--length", "4", "--output", joinpath(folder, "new", "run.csv", "run"))
        @test code == 1 && isempty(out)
        @test startswith(err, "dmrg: ") && count(isequal('\n'), err) == 1

        # As a program: the exit code of the process, and no stack trace.
        program = joinpath(@__DIR__, "..", "examples", "dmrg.jl")
        errors = joinpath(folder, "errors")
        paths = join(LOAD_PATH, Sys.iswindows() ? ';' : ':')
        withenv("JULIA_LOAD_PATH" => paths, "JULIA_PROJECT" => Base.active_project()) do
            process = run(pipeline(ignorestatus(`$(Base.julia_cmd()) $program --length 0`); stderr = errors))
            @test process.exitcode == 2
            @test read(errors, String) == "dmrg: --length must be a whole number of at least 2, not \"0\"\n"
        end
    end
end

HDF5_READY && @testset "a run that is stopped and goes on, $eltype" for eltype in ("Float64", "ComplexF32")
    mktempdir() do folder
        T = X.ELEMENT_TYPES[eltype]
        state = joinpath(folder, "state.h5")
        arguments(sweeps, name) = [split("--length 8 --maxdim 4,8,10,12 --sweeps $sweeps --eltype $eltype --output")...;
                                   joinpath(folder, name)]
        without_time(name) = [row[[1:5; 11]] for row in split.(readlines(joinpath(folder, "$name.csv")), ',')]
        # Stopped after the second of four sweeps.
        H = X.heisenberg(T, 8)
        settings = X.read_settings([arguments(4, "x"); "--checkpoint"; state])
        stop(ψ, records) = (X.save_checkpoint(state, settings, ψ, records); length(records) == 2 && error("stopped"))
        ψ = X.random_mps(MersenneTwister(1), T, 8, 2)
        @test_throws ErrorException X.dmrg(H, ψ; maxdims = settings.maxdims, cutoff = settings.cutoff, keep = stop)
        ψ, records = X.load_checkpoint(state, settings)
        @test length(records) == 2 && ψ isa Vector{Array{T,3}}
        # Single precision: a sum of a few hundred products.
        @test X.expectation(H, ψ) ≈ records[2].energy rtol = 1e-5

        code, out, err = call_main(arguments(4, "resumed")..., "--checkpoint", state)
        @test code == 0 && isempty(err) && occursin("going on after 2 sweeps", out)
        code, out, err = call_main(arguments(4, "whole")...)
        @test code == 0
        # The same numbers, bit for bit, as of the run that nobody stopped.
        @test without_time("resumed") == without_time("whole") && length(without_time("whole")) == 5
        # There is nothing left to do; and the file of one run is not that of another.
        @test first(call_main(arguments(4, "again")..., "--checkpoint", state)) == 0
        @test without_time("again") == without_time("whole")
        code, out, err = call_main(arguments(4, "other")..., "--checkpoint", state, "--seed", "2")
        @test code == 2 && occursin("another run", err) && occursin("seed", err)
    end
end

@testset "picture and progress" begin
    @test well_formed("<a b=\"1\"><c/>text</a>")
    @test !any(well_formed, ("<a><c></a>", "<a b=1/>", "a & b", "<a>", "</a>"))
    record(sweep, energy) = X.SweepRecord(sweep, 10, energy, 10, 0.0, 1.0, X.Clock(0, 0, 0), 1, 1)
    for energies in ([-1.0], [-1.0, -1.0], [-1e3 - k * 1e-9 for k in 1:40]), reference in (nothing, -1.0)
        svg = X.picture("a chain", [record(k, E) for (k, E) in enumerate(energies)], reference)
        @test well_formed(svg) && !occursin("NaN", svg) && !occursin("Inf", svg)
    end
    @test X.decimals(-12.346, 2) == "−12.35" && X.decimals(-0.001, 2) == "0.00" && X.decimals(2.7, 0) == "3"
    @test X.decimals(7, 1) == "7.0" && X.decimals(0.05, 2) == "0.05"
    for (lo, hi) in ((0.0, 1.0), (-44.2, -43.9), (0, 216.0), (-1e-9, 1e-9), (3.0, 5e4))
        labelled = X.ticks(lo, hi)
        @test 3 ≤ length(labelled) ≤ 11 && allunique(last.(labelled))
        @test all(tick -> lo - 1e-9 * (hi - lo) ≤ first(tick) ≤ hi + 1e-9 * (hi - lo), labelled)
    end
    mktemp() do path, io
        redirect_stdout(() -> X.show_progress(2, 99, 198, -1.5), io)
        close(io)
        line = read(path, String)
        @test startswith(line, "\r") && !occursin('\n', line)
        @test occursin("sweep 2", line) && occursin("99/198", line)
        @test count(isequal('█'), line) == 15
    end
end

end

end

module InfiniteChainTests

using LinearAlgebra, Random, Test
import ..InfiniteChainExample
const X = InfiniteChainExample

@testset "an infinite chain by gradients" begin
    # At the critical point (Pfeuty, Ann. Phys. 57, 79 (1970)).
    @test X.exact(1.0) ≈ -4 / π
    M, D, h = randn(MersenneTwister(3), 3, 2, 3), randn(MersenneTwister(4), 3, 2, 3), X.bond(0.8)
    e, way = X.energy(M, h)
    step(t) = X.energy(M .+ t .* D, h)[1]
    slope = (8 * (step(1e-3) - step(-1e-3)) - (step(2e-3) - step(-2e-3))) / 12e-3
    @test isapprox(dot(X.gradient_of_energy(M, h, e, way), D), slope; rtol = 1e-8)
    e, M, record = X.ground_state(X.bond(0.5); maxdim = 4, iterations = 150)
    @test 0 < e - X.exact(0.5) < 1e-5
    @test issorted(map(first, record); rev = true)
end

end
