# A Julia library as a peer of the benchmark: julia.jl BLAS|TensorOperations|OMEinsum THREADS.
#
# Answers the requests that ../peers.jl describes, but for permutations. BLAS is the product of two matrices by Julia's
# own BLAS, in a process of its own because a BLAS chooses its kernels when it is loaded. What a library cannot express
# (hyperedges and batches, for TensorOperations) it refuses.
using LinearAlgebra
include(joinpath(@__DIR__, "..", "timing.jl"))
include(joinpath(@__DIR__, "..", "blas.jl"))

const LIBRARY = Symbol(ARGS[1])
LIBRARY === :BLAS || @eval using $LIBRARY
const ELTYPES = Dict("f32" => Float32, "f64" => Float64, "c32" => ComplexF32, "c64" => ComplexF64)

about(::Val{:BLAS}) = "BLAS of Julia $VERSION, $(openblas_kernels()) kernels"
about(::Val{library}) where {library} = "$library in Julia $VERSION"

# `task` returns a function without arguments that computes the contraction and returns the result.

function task(::Val{:BLAS}, terms, output, operands, C, path)
    length(terms) == 2 && output == [terms[1][1], terms[2][2]] && terms[1][2] == terms[2][1] ||
        error("not a product of two matrices")
    return () -> mul!(C, operands...)
end

# One assignment with the path in its parentheses, compiled for these labels.
function task(::Val{:TensorOperations}, terms, output, operands, C, path)
    labels = [reduce(vcat, terms); output]
    all(label -> count(==(label), labels) == 2, labels) || error("a label is not on exactly two tensors")
    arrays = [Symbol(:A, k) for k in eachindex(terms)]
    index(array, labels) = Expr(:ref, array, (Symbol(:l, Int(label)) for label in labels)...)
    product = tree(map(index, arrays, terms), path) do left, right
        :($left * $right)
    end
    assignment = Expr(:macrocall, Symbol("@tensor"), LineNumberNode(0), :($(index(:C, output)) = $product))
    f = eval(Expr(:->, Expr(:tuple, :C, arrays...), Expr(:block, assignment, :C)))
    return () -> Base.invokelatest(f, C, operands...)
end

function task(::Val{:OMEinsum}, terms, output, operands, C, path)
    LT = eltype(output)
    # In how many of the tensors that are left, and the output, a label occurs: one that is in none is summed over.
    uses = Dict{LT,Int}()
    foreach(label -> uses[label] = get(uses, label, 0) + 1, Iterators.flatten(unique.([terms; [output]])))
    leaves = [(DynamicNestedEinsum{LT}(k), term) for (k, term) in enumerate(terms)]
    code, _ = tree(leaves, path) do (left, l), (right, r)
        both = union(l, r)
        foreach(label -> uses[label] -= (label in l) + (label in r), both)
        kept = filter(label -> uses[label] > 0, both)
        foreach(label -> uses[label] += 1, kept)
        issetequal(kept, output) && (kept = output)
        DynamicNestedEinsum([left, right], DynamicEinCode([l, r], kept)), kept
    end
    return () -> code(operands...)
end

"What `join` makes of the leaves, taken together along the path in opt_einsum's form."
function tree(join, leaves, path)
    nodes = Any[leaves...]
    for step in path
        i, j = step .+ 1
        node = join(nodes[i], nodes[j])
        push!(deleteat!(nodes, sort([i, j])), node)
    end
    return only(nodes)
end

# ---- requests ----

const TASKS = Dict{String,Function}()

request(::Val{:about}) = about(Val(LIBRARY))

function request(::Val{:contract}, id, eltype, expression, shapes, path, file)
    inputs, output = split(expression, "->")
    terms, output = collect.(split(inputs, ',')), collect(output)
    sizes = [integers(shape, 'x') for shape in split(shapes, ';')]
    T = ELTYPES[eltype]
    operands = open(io -> [read!(io, Array{T}(undef, size...)) for size in sizes], file)
    extents = Dict(label => n for (term, size) in zip(terms, sizes) for (label, n) in zip(term, size))
    C = zeros(T, (extents[label] for label in output)...)
    TASKS[id] = task(Val(LIBRARY), terms, output, operands, C, [integers(step, ',') for step in split(path, ';')])
    return ""
end

request(::Val{:time}, id, least) = string(seconds_per_call(TASKS[id], parse(Float64, least)))
request(::Val{:write}, id, file) = (write(file, TASKS[id]()); "")
request(::Val{:forget}, id) = (delete!(TASKS, id); "")

integers(text, separator) = [parse(Int, n) for n in split(text, separator; keepempty = false)]

function main()
    BLAS.set_num_threads(parse(Int, ARGS[2]))
    for line in eachline(stdin)
        name, arguments = Iterators.peel(split(line, '\t'))
        answer = try
            "ok\t" * request(Val(Symbol(name)), String.(arguments)...)
        catch e
            "error\t" * replace(sprint(showerror, e), '\n' => ' ')
        end
        println(answer)
        flush(stdout)
    end
end

main()
