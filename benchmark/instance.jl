# The instances: tensor networks of others (instances/), with their paths, filled with numbers that neither overflow nor
# vanish on the way.

const Path = Vector{Vector{Int}}            # steps in opt_einsum's form
const Shapes = Vector{Vector{Int}}

struct Instance
    name::String
    # For column-major arrays. Where the instance's own column-major form is not the same memory as its row-major one,
    # the latter follows as a second layout.
    layouts::Vector{Tuple{String,Shapes}}
    # The given paths, each different one once, with its name, log10 of the flops and log2 of the largest tensor.
    paths::Vector{Tuple{String,Path,Float64,Float64}}
end

"""
The instances in `benchmark/instances`, or in the folder that `BENCHMARK_INSTANCES` names, whose name contains one of
the words in `BENCHMARK_MATCH` (parted by commas), if that is set.
"""
function read_instances()
    folder = get(ENV, "BENCHMARK_INSTANCES", joinpath(@__DIR__, "instances"))
    files = filter(endswith(".json"), readdir(folder; join = true))
    instances = [Instance(parse_json(read(file, String))) for file in files]
    words = split(get(ENV, "BENCHMARK_MATCH", ""), ',')
    return filter(instance -> any(word -> occursin(word, instance.name), words), instances)
end

function Instance(record::Dict)
    columns = (record["format_string_colmajor"], shapes_of(record["shapes_colmajor"]))
    rows = (mirrored(record["format_string"]), reverse.(shapes_of(record["shapes"])))
    layouts = unique([columns, rows])
    paths = Tuple{String,Path,Float64,Float64}[]
    for (name, given) in sort(collect(record["paths"]); by = first)
        path = Path(given["path"])
        known = findfirst(other -> other[2] == path, paths)
        known === nothing && push!(paths, (name, path, given["log10_flops"], given["log2_size"]))
    end
    return Instance(record["name"], layouts, paths)
end

shapes_of(lists) = Shapes(map(list -> Vector{Int}(list), lists))

"""
Operands with elements around 1, times the root of one over the extent for each label that is summed over, so that the
whole contraction, a sum of positive products, is of order 1 and every intermediate at most that.
"""
function operands_for(rng, T, expression, shapes)
    inputs, output = split(expression, "->")
    terms = split(inputs, ',')
    owners = Dict{Char,Int}()
    foreach(term -> foreach(label -> owners[label] = get(owners, label, 0) + 1, term), terms)
    return map(terms, shapes) do term, shape
        factors = (float(n)^(-1 / owners[label]) for (label, n) in zip(term, shape) if !(label in output))
        scale = reduce(*, factors; init = 1.0)
        return numbers(rng, T, shape, scale)
    end
end
numbers(rng, ::Type{T}, shape, scale = 1.0) where {T} = T.(scale .* (0.5 .+ rand(rng, T, shape...)))

"What the elements of two correct results may differ by, relative to the largest: the sums are of positive products."
tolerance(::Type{T}) where {T} = cbrt(eps(real(T)))^2
