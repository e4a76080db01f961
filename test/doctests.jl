# Runs the examples in docstrings, in the pages of docs/ and in the README, and compares what they print: the blocks
# ```jldoctest (blocks with one name share their variables, as in Documenter) and ```julia-repl.
using Test

const ROOT = dirname(@__DIR__)

"""
Types and errors as newer versions of Julia print them, so that one text is right for all. Of a plan's steps only the
number is compared: their kernels, and with them the orders of axes and the memory, depend on the processor.
"""
function spelled(text)
    text = replace(text, r"^ +(\d+)\. .*->.*$"m => s"\1.")
    text = replace(text, r"[^ ]+ bytes moved, peak [^ ]+ [KMG]?i?B" => "bytes moved, peak")
    text = replace(text, r"Complex\{Float(32|64)\}" => s -> s == "Complex{Float32}" ? "ComplexF32" : "ComplexF64")
    text = replace(text, r"Array\{(\w+), ?2\}" => s"Matrix{\1}")
    text = replace(text, r"Array\{(\w+), ?1\}" => s"Vector{\1}")
    text = replace(text, r"Array\{(\w+), ?(\w)\}" => s"Array{\1, \2}")
    text = replace(text, r"DimensionMismatch\(\".*\"\)" => s -> "DimensionMismatch: " * unescape_string(s[20:end-2]))
    return join(rstrip.(split(strip(text), '\n')), '\n')
end

"The examples of a file: line, name of the block (empty if none) and text."
function blocks(path)
    found = Tuple{Int,String,String}[]
    lines = readlines(path)
    at = 1
    while at <= length(lines)
        opening = match(r"^\s*```(?:jldoctest|julia-repl) *(\w*)$", lines[at])
        if opening !== nothing
            stop = findnext(line -> strip(line) == "```", lines, at)
            push!(found, (at, opening[1], join(lines[at+1:stop-1], '\n')))
            at = stop
        end
        at += 1
    end
    return found
end

"What the REPL prints for one input."
function printed(mod, input)
    result = ""
    path, file = mktemp()
    redirect_stdout(file) do
        try
            value = include_string(mod, input)
            value === nothing || endswith(rstrip(input), ';') || (result = repr_in(mod, value))
        catch e
            result = "ERROR: " * sprint(showerror, e isa LoadError ? e.error : e)
        end
    end
    close(file)
    return read(path, String) * result
end
repr_in(mod, value) = sprint() do io
    context = IOContext(io, :limit => true, :module => mod, :displaysize => (24, 80))
    Base.invokelatest(show, context, MIME("text/plain"), value)
end

"Whether the text of a block is what its inputs print."
function runs(text, mod, place)
    good = true
    for part in split("\n" * text, r"\njulia> "; keepempty = false)
        lines = split(part, '\n')
        more = something(findfirst(line -> !startswith(line, "       "), lines[2:end]), length(lines))
        input = join([lines[1]; lines[2:more]], '\n')
        expected, got = spelled(join(lines[more+1:end], '\n')), spelled(printed(mod, input))
        expected == got && continue
        println("$place: julia> $input\nexpected:\n$expected\ngot:\n$got\n")
        good = false
    end
    return good
end

pages = [joinpath(folder, file) for top in (joinpath(ROOT, "src"), joinpath(ROOT, "docs", "src"))
         for (folder, _, files) in walkdir(top) for file in files if endswith(file, ".jl") || endswith(file, ".md")]
for page in [pages; joinpath(ROOT, "README.md")]
    shared = Dict{String,Module}()
    for (line, label, text) in blocks(page)
        fresh() = Module(:Example)
        mod = isempty(label) ? fresh() : get!(fresh, shared, label)
        @test runs(text, mod, "$(relpath(page, ROOT)):$line")
    end
end
