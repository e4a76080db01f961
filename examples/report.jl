# What stands around the algorithm in dmrg.jl: the models on offer, the command line, the printed lines, the record of
# a run as CSV, and its picture as SVG.

using Printf

# ------------------------------------------------------------------------------------------------------------- models

"A Hamiltonian to choose: its name in words and in files, how to build it, and what is known of its ground state."
struct Model
    title::String
    name::String
    build::Function                 # (T, N) -> tensors of the operator
    physical::Int                   # states of one site
    reference::Union{Nothing,Float64}
    maxdims::Vector{Int}            # a schedule that converges at a hundred sites
    cutoff::Float64
end

# Energies of open chains, by twice the spin and the length: exact up to 20 sites, converged to the digits given beyond.
const HEISENBERG_ENERGIES = Dict(
    (1, 4) => -1.616025403784, (1, 10) => -4.258035207283, (1, 12) => -5.142090632841, (1, 16) => -6.911737145575,
    (1, 20) => -8.682473334399, (1, 100) => -44.1277398932,
    (2, 4) => -4.645751311065, (2, 6) => -7.370274969425, (2, 10) => -12.894560132211, (2, 100) => -138.940086166525)

function heisenberg_model(spin, N)
    twice = Int(2spin)
    symbol = twice == 1 ? "½" : isodd(twice) ? "$twice/2" : "$(twice ÷ 2)"
    name = twice == 1 ? "heisenberg" : "heisenberg" * replace(symbol, "/" => "-")
    Model("spin-$symbol Heisenberg chain, N = $N", "$name-N$N", (T, N) -> heisenberg(T, N; spin = spin), twice + 1,
          get(HEISENBERG_ENERGIES, (twice, N), nothing), [10, 20, 100, 100, 200], 1e-11)
end

function ising_model(h, N)
    # Free fermions: the ground state fills every mode, with half a mode's energy each. Those halves are the singular
    # values of the matrix with h on the diagonal and the coupling 1 beside it (Lieb, Schultz and Mattis, 1961).
    exact = -sum(svdvals(Bidiagonal(fill(float(h), N), ones(N - 1), :U)))
    h = isinteger(h) && abs(h) < 1e9 ? Int(h) : h
    Model("transverse Ising chain, h = $h, N = $N", "ising-h$h-N$N", (T, N) -> transverse_ising(T, N; h = h), 2,
          exact, [10, 20, 40, 60, 60], 1e-12)
end

# ------------------------------------------------------------------------------------------------------- command line

const USAGE = """
    julia --project examples/dmrg.jl [options]

    Two-site DMRG for the ground state of an open spin chain.

      --model NAME     heisenberg (default), heisenberg1 (the same as --spin 1), or ising
      --spin S         spin of the Heisenberg chain: 1/2 (default), 1, 3/2, …
      --h H            transverse field of the Ising chain, H = −ΣZZ − h ΣX with Pauli matrices; 1 by default
      --length N       sites, at least 2; 100 by default
      --maxdim LIST    largest bond dimension of each sweep, as in 10,20,100; by default a schedule for the model
      --sweeps N       sweeps there and back; the last bond dimension of the list is repeated, or the list is cut
      --cutoff W       discarded weight that an SVD may reach; by default 1e-11, for Ising 1e-12
      --krylov N       most products with H at a bond, at least 2; 8 by default
      --seed N         seed of the random start; 1 by default. The same seed gives the same energy, bit for bit
      --eltype TYPE    Float32, Float64 (default), ComplexF32 or ComplexF64
      --threads N      threads of the engine and of Julia's BLAS
      --output PREFIX  where to write PREFIX.csv and PREFIX.svg; a folder's name, with / at its end, keeps the usual
                       file names, as in dmrg-heisenberg-N100.csv; by default in the current folder
      --checkpoint FILE  HDF5 file that keeps the state after each sweep; where it exists already, the run goes on
                       from it
      --help           this text
    """

const ELEMENT_TYPES = Dict("Float32" => Float32, "Float64" => Float64, "ComplexF32" => ComplexF32,
                           "ComplexF64" => ComplexF64)

"A mistake in the arguments, to be told in one line."
struct UsageError <: Exception
    message::String
end

"`--name value` and `--name=value` as name => value."
function read_options(args)
    names = [m.captures[1] for m in eachmatch(r"^ +--(\w+) [A-Z]"m, USAGE)]
    options = Dict{String,String}()
    rest = copy(args)
    while !isempty(rest)
        parts = split(popfirst!(rest), '='; limit = 2)
        name = replace(parts[1], r"^--" => "")
        startswith(parts[1], "--") && name in names ||
            throw(UsageError("unknown argument $(parts[1]) (--help lists them)"))
        length(parts) == 2 || (!isempty(rest) && !startswith(rest[1], "--")) ||
            throw(UsageError("--$name needs a value"))
        options[name] = length(parts) == 2 ? parts[2] : popfirst!(rest)
    end
    options
end

"`text` as a number of type `T`, when it is one and `accept` holds; otherwise the usage error that says what is."
function number(T, name, text, wanted, accept)
    value = tryparse(T, text)
    value !== nothing && accept(value) || throw(UsageError("--$name must be $wanted, not \"$text\""))
    value
end

function read_spin(text)
    wanted = "a positive multiple of 1/2, as 1/2, 1 or 1.5"
    parts = split(text, '/'; limit = 2)
    top = number(Float64, "spin", parts[1], wanted, >(0))
    bottom = length(parts) == 2 ? number(Int, "spin", parts[2], wanted, in((1, 2))) : 1
    twice = 2top / bottom
    isinteger(twice) && twice ≤ 100 || throw(UsageError("--spin must be $wanted, not \"$text\""))
    Int(twice) // 2
end

"What to run, from the command line's arguments."
function read_settings(args)
    options = read_options(args)
    given(name, default) = get(options, name, default)
    count(name, default; least = 1) =
        number(Int, name, given(name, default), "a whole number of at least $least", ≥(least))

    N = count("length", "100"; least = 2)
    kind = given("model", "heisenberg")
    kind in ("heisenberg", "heisenberg1", "ising") ||
        throw(UsageError("--model must be heisenberg, heisenberg1 or ising, not \"$kind\""))
    kind == "heisenberg" || !haskey(options, "spin") || throw(UsageError("--spin goes with --model heisenberg only"))
    kind == "ising" || !haskey(options, "h") || throw(UsageError("--h goes with --model ising only"))
    model = kind == "ising" ? ising_model(number(Float64, "h", given("h", "1"), "a finite number", isfinite), N) :
            heisenberg_model(kind == "heisenberg1" ? 1 // 1 : read_spin(given("spin", "1/2")), N)

    maxdims = haskey(options, "maxdim") ?
        [number(Int, "maxdim", part, "whole numbers of at least 1, with commas between", ≥(1))
         for part in split(options["maxdim"], ',')] : model.maxdims
    sweeps = count("sweeps", string(length(maxdims)))
    eltype = given("eltype", "Float64")
    haskey(ELEMENT_TYPES, eltype) ||
        throw(UsageError("--eltype must be Float32, Float64, ComplexF32 or ComplexF64, not \"$eltype\""))

    output = given("output", "")
    if isempty(output) || isdir(output) || endswith(output, '/')
        output = joinpath(output, "dmrg-" * model.name)
    end
    (checkpoint = given("checkpoint", ""), model = model, N = N, maxdims = [maxdims[min(k, end)] for k in 1:sweeps],
     cutoff = number(Float64, "cutoff", given("cutoff", string(model.cutoff)), "a number from 0 to 1", c -> 0 ≤ c < 1),
     krylovdim = count("krylov", "8"; least = 2), seed = count("seed", "1"; least = 0), eltype = ELEMENT_TYPES[eltype],
     threads = haskey(options, "threads") ? count("threads", "") : nothing, output = output)
end

"Run what the arguments ask for, and return the exit code: 0, 1 when a file cannot be written, 2 for bad arguments."
function main(args)
    "--help" in args && (print(USAGE); return 0)
    settings = try
        read_settings(args)
    catch problem
        problem isa UsageError || rethrow()
        println(stderr, "dmrg: ", problem.message)
        return 2
    end
    try
        carry_out(settings)
    catch problem
        reason = first(split(sprint(showerror, problem), '\n'))
        if problem isa ArgumentError && occursin("another run", reason)
            println(stderr, "dmrg: ", problem.msg)
            return 2
        end
        problem isa Union{SystemError,Base.IOError} || rethrow()
        where_to = isempty(settings.checkpoint) ? "" : " or $(settings.checkpoint)"
        println(stderr, "dmrg: cannot write ", settings.output, ".csv and .svg", where_to, ": ", reason)
        return 1
    end
    return 0
end

"Run DMRG as the settings say, and write what it finds."
function carry_out(settings)
    model, N, T = settings.model, settings.N, settings.eltype
    if settings.threads !== nothing
        TensorOxide.set_num_threads(settings.threads)
        BLAS.set_num_threads(settings.threads)
    end
    # What cannot be had shows now, and not after the first sweep.
    isempty(settings.checkpoint) || TensorOxide.load_hdf5()
    # The record is opened before the work and grows with it: a folder that cannot be written to shows at once, and
    # what an interrupted run has found is kept.
    mkpath(dirname(abspath(settings.output)))
    open(settings.output * ".csv", "w") do record
        println(model.title, ", ", T, ", cutoff ", settings.cutoff, ", seed ", settings.seed)
        println(record, join(CSV_COLUMNS, ','))
        H = model.build(T, N)
        checkpoint = settings.checkpoint
        ψ, before = something(isempty(checkpoint) ? nothing : load_checkpoint(checkpoint, settings),
                              (random_mps(MersenneTwister(settings.seed), T, N, model.physical), SweepRecord[]))
        isempty(before) || println("going on after ", length(before), " sweeps, from ", checkpoint)
        foreach(sweep -> write_record(record, sweep), before)
        flush(record)
        energy, _, records = dmrg(H, ψ; maxdims = settings.maxdims, cutoff = settings.cutoff,
            krylovdim = settings.krylovdim, records = before,
            keep = (ψ, records) -> isempty(checkpoint) || save_checkpoint(checkpoint, settings, ψ, records),
            on_bond = stdout isa Base.TTY ? show_progress : (_...) -> nothing,
            on_sweep = sweep -> (show_sweep(sweep); write_record(record, sweep)))
        write(settings.output * ".svg", picture(model.title, records, model.reference))
        show_summary(energy, model.reference, records)
        println("written: ", settings.output, ".csv, ", settings.output, ".svg")
    end
end

# -------------------------------------------------------------------------------------------------------- what it says

const CLEAR_LINE = "\r\e[2K"

function show_progress(sweep, done, bonds, energy)
    filled = 30 * done ÷ bonds
    bar = "█"^filled * "·"^(30 - filled)
    @printf("%ssweep %d  %s  %d/%d  energy %.10f", CLEAR_LINE, sweep, bar, done, bonds, energy)
end

function show_sweep(sweep)
    stdout isa Base.TTY && print(CLEAR_LINE)
    @printf("sweep %2d  energy %.12f  bond dimension %3d  truncation error %.2e  %6.2f s\n",
            sweep.sweep, sweep.energy, sweep.bond, sweep.truncation, sweep.seconds)
    flush(stdout)
end

"Seconds of a sweep that went into no account."
rest(sweep) = sweep.seconds - sweep.clock.contraction - sweep.clock.svd - sweep.clock.lanczos

function show_summary(energy, reference, records)
    @printf("energy     %.12f\n", energy)
    reference === nothing ? println("reference  none known for this chain") :
        @printf("reference  %.12f  (difference %+.1e)\n", reference, energy - reference)
    total = sum(sweep -> sweep.seconds, records)
    part(name, seconds) = @sprintf("%s %.2f s (%.0f %%)", name, seconds, 100 * seconds / total)
    @printf("time       %.2f s: %s, %s, %s, %s\n", total,
            part("contraction", sum(sweep -> sweep.clock.contraction, records)),
            part("SVD", sum(sweep -> sweep.clock.svd, records)),
            part("Lanczos", sum(sweep -> sweep.clock.lanczos, records)), part("rest", sum(rest, records)))
    megabytes = [@sprintf("%.1f", sweep.bytes / 2^20) for sweep in records]
    println("allocated  by Julia, MiB a sweep: ", join(megabytes, ", "))
end

# ------------------------------------------------------------------------------------------------------ record as CSV

const CSV_COLUMNS = ("sweep", "maxdim", "energy", "bond_dimension", "truncation_error", "seconds",
                     "contraction_seconds", "svd_seconds", "lanczos_seconds", "rest_seconds", "products_with_h",
                     "allocated_bytes")

function write_record(io, sweep)
    println(io, join((sweep.sweep, sweep.maxdim, sweep.energy, sweep.bond, sweep.truncation, sweep.seconds,
                      sweep.clock.contraction, sweep.clock.svd, sweep.clock.lanczos, rest(sweep), sweep.products,
                      sweep.bytes), ','))
    flush(io)
end

# ----------------------------------------------------------------------------------------------------- picture as SVG

"`x` with so many decimals, and the sign that type uses for a negative number."
function decimals(x, digits)
    figures = lpad(round(Int, abs(x) * 10.0^digits), digits + 1, '0')
    sign = x < 0 && any(!=('0'), figures) ? "−" : ""
    sign * figures[1:end-digits] * (digits > 0 ? "." * figures[end-digits+1:end] : "")
end

"Round numbers (1, 2 or 5 times a power of ten apart) that divide `lo … hi` into about five parts, as value => label."
function ticks(lo, hi)
    rough = (hi - lo) / 5
    power = 10.0^floor(log10(rough))
    step = power * [1, 2, 5, 10][findfirst(≥(rough / power), (1.01, 2.01, 5.01, Inf))]
    digits = max(0, -floor(Int, log10(step) + 1e-9))
    [step * k => decimals(step * k, digits) for k in ceil(Int, lo / step - 1e-9):floor(Int, hi / step + 1e-9)]
end

"An SVG element; `_` in the name of an attribute stands for `-`."
function tag(name, content = ""; attributes...)
    opening = name * join(" $(replace(string(key), '_' => '-'))=\"$value\"" for (key, value) in attributes)
    content == "" ? "<$opening/>" : "<$opening>$content</$name>"
end

const WIDTH, HEIGHT, LEFT, RIGHT = 720, 600, 110, 680      # of the picture, and where its panels begin and end

"""
One panel of the picture: `values` against the sweep, with `level`, a name and a value for each sweep, as a dashed
line. It fills the frame from `top` to `bottom`; only the lowest panel has `numbered` sweeps.
"""
function panel(title, values, colour, top, bottom; level = nothing, numbered = false)
    n = length(values)
    lo, hi = extrema(level === nothing ? values : [values; level[2]])
    # Counts stand on zero. Energies fill the frame, unless they agree so well that only rounding would be seen.
    margin = 0.08 * (lo > 0 ? hi : max(hi - lo, 1e-8 * abs(lo), 1e-8))
    lo, hi = lo > 0 ? 0.0 : lo - margin, hi + margin
    x(sweep) = round(n == 1 ? (LEFT + RIGHT) / 2 : LEFT + 25 + (RIGHT - LEFT - 50) * (sweep - 1) / (n - 1); digits = 2)
    y(value) = round(bottom - (bottom - top) * (value - lo) / (hi - lo); digits = 2)
    points(values) = join(("$(x(sweep)),$(y(value))" for (sweep, value) in enumerate(values)), ' ')
    curve(values; style...) = tag("polyline"; fill = "none", points = points(values), style...)

    parts = [tag("text", title; x = LEFT, y = top - 10, font_weight = "bold")]
    for (value, label) in ticks(lo, hi)
        push!(parts, tag("line"; x1 = LEFT, x2 = RIGHT, y1 = y(value), y2 = y(value), stroke = "#e3e3e3"))
        push!(parts, tag("text", label; x = LEFT - 8, y = y(value) + 4, text_anchor = "end"))
    end
    for sweep in 1:cld(n, 12):n
        push!(parts, tag("line"; x1 = x(sweep), x2 = x(sweep), y1 = bottom, y2 = bottom + 5, stroke = "#333"))
        numbered && push!(parts, tag("text", sweep; x = x(sweep), y = bottom + 20, text_anchor = "middle"))
    end
    frame = (width = RIGHT - LEFT, height = bottom - top, fill = "none", stroke = "#333")
    push!(parts, tag("rect"; x = LEFT, y = top, frame...))
    if level !== nothing
        name, levels = level
        push!(parts, curve(levels; stroke = "#777", stroke_dasharray = "6 4"))
        push!(parts, tag("text", "dashed: $name"; x = RIGHT, y = top - 10, text_anchor = "end", fill = "#777"))
    end
    push!(parts, curve(values; stroke = colour, stroke_width = 2))
    append!(parts, [tag("circle"; cx = x(k), cy = y(v), r = 4, fill = colour) for (k, v) in enumerate(values)])
    join(parts, '\n')
end

"Energy and bond dimension against the sweep, as the text of an SVG file."
function picture(title, records, reference)
    energies, bonds = [sweep.energy for sweep in records], [sweep.bond for sweep in records]
    known = reference === nothing ? nothing : ("reference energy", fill(reference, length(records)))
    limit = ("limit set for the sweep", [sweep.maxdim for sweep in records])
    final = decimals(energies[end], 10)
    parts = [tag("rect"; width = WIDTH, height = HEIGHT, fill = "#fff"),
             tag("text", title; x = WIDTH ÷ 2, y = 30, text_anchor = "middle", font_size = 17),
             panel("energy (after the last sweep: $final)", energies, "#1f5fa8", 75, 295; level = known),
             panel("largest bond dimension", bonds, "#c2571a", 335, 540; level = limit, numbered = true),
             tag("text", "sweep"; x = (LEFT + RIGHT) ÷ 2, y = 585, text_anchor = "middle")]
    svg = tag("svg", "\n" * join(parts, '\n') * "\n"; xmlns = "http://www.w3.org/2000/svg", width = WIDTH,
              height = HEIGHT, viewBox = "0 0 $WIDTH $HEIGHT", font_family = "Helvetica, Arial, sans-serif",
              font_size = 13, fill = "#222")
    svg * "\n"
end
